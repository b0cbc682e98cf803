"""A step recorded as a CUDA graph: replaying it needs no Python and no kernel launches.

With small networks a GPU spends most of the time waiting for the next kernel. The recording is the
whole step: indexing images, all updates with their second derivatives, Adam, and the EMA.
"""

from collections.abc import Callable

import torch

from genctl.training.engines.recorded import CannotRecord, Recorded, Replay
from genctl.training.step import Step, StepLosses


class CudaGraph(Recorded):
    """For CUDA devices."""

    kind = "cuda_graph"

    def __init__(self, step: Step) -> None:
        super().__init__(step)
        self.stream = torch.cuda.Stream(step.device)
        self.pool = torch.cuda.graph_pool_handle()  # shared, since graphs never run concurrently

    def record(self, compute: Callable[[], StepLosses]) -> tuple[StepLosses, Replay]:
        """Record, which computes nothing, and replay once."""
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, pool=self.pool, stream=self.stream):
                losses = compute()
        except RuntimeError as error:  # a full memory too: a recording needs more than eager steps
            reason = str(_first_cause(error)).partition("\n")[0]
            raise CannotRecord(self.kind, reason) from None

        def replay() -> StepLosses:
            graph.replay()
            return losses

        return replay(), replay


def _first_cause(error: BaseException) -> BaseException:
    """What went wrong in the step: ending a failed recording raises another error on top of it."""
    while error.__context__ is not None:
        error = error.__context__
    return error
