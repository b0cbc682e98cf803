"""A reporter that records its messages."""

from genctl.common.reporting import TrainingProgress


class Recorder:
    """Records messages, warnings, and the share of each task that is done."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.warnings: list[str] = []
        self.shares: dict[str, float] = {}

    def info(self, text: str) -> None:
        self.messages.append(text)

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def progress(self, task: str, share: float) -> None:
        assert share >= self.shares.get(task, 0.0)
        self.shares[task] = share

    def training(self, progress: TrainingProgress) -> None:
        self.progress("training", progress.share)
