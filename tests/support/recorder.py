"""A reporter that remembers what it was told."""


class Recorder:
    """Keeps what was said and warned of, and how far each stage of the work has come."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.warned: list[str] = []
        self.done: dict[str, float] = {}

    def info(self, text: str) -> None:
        self.said.append(text)

    def warn(self, text: str) -> None:
        self.warned.append(text)

    def progress(self, doing: str, share: float) -> None:
        assert share >= self.done.get(doing, 0.0)
        self.done[doing] = share
