"""Drawing images: the plain loop, and what ``genctl sample`` does."""

import torch

from genctl.inference import samples as drawing
from genctl.runs.model_file import TrainedModel

BATCH = 64  # of the plain loop
BATCH_SIZE = 4096  # of genctl, its default


@torch.no_grad()
def plain(trained: TrainedModel, count: int, device: torch.device) -> int:
    """Noise and codes through the generator, a batch at a time, eager, in fp32."""
    codes = trained.training_codes
    for first in range(0, count, BATCH):
        size = min(BATCH, count - first)
        z = torch.randn(size, trained.model.z_dim, device=device)
        code = codes[torch.randint(len(codes), (size,))].to(device)
        images = trained.model.generate(z, code)
        ((images + 1) * 127.5).clamp(0, 255).to(torch.uint8).cpu()
    return count


def own(trained: TrainedModel, count: int) -> int:
    """What ``genctl sample --condition noise`` draws."""
    conditions = ("noise",) if trained.metadata.config.condition.code_dim else ()
    order = drawing.Order(conditions, count)
    drawn = drawing.draw(order, trained, _nobody, _nobody)
    return sum(map(len, drawn.batches(BATCH_SIZE)))


def _nobody(text: str) -> None:
    """Who is told what nobody needs to know."""
