"""A step recorded once as a CUDA graph: replaying it needs no Python and no launch of each kernel.

Small networks keep a GPU waiting for its next kernel most of the time, hence the gain. Recorded is
the whole step: fetching images by their indices, all turns with their second derivatives, Adam, and
the average.
"""

from collections.abc import Callable

import torch

from genctl.training.engines.recorded import CannotRecord, Recorded, Replay
from genctl.training.step import Step, Terms


class Graph(Recorded):
    """For CUDA devices."""

    def __init__(self, step: Step) -> None:
        super().__init__(step)
        self.stream = torch.cuda.Stream(step.device)
        self.pool = torch.cuda.graph_pool_handle()  # one for all: only one of them is ever at work

    def record(self, work: Callable[[], Terms]) -> tuple[Terms, Replay]:
        """Record, which computes nothing, and replay once."""
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, pool=self.pool, stream=self.stream):
                terms = work()
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            reason = str(error).partition("\n")[0]
            raise CannotRecord(
                f"training.engine: graph cannot record this step: {reason}; use eager"
            ) from None

        def replay() -> Terms:
            graph.replay()
            return terms

        return replay(), replay
