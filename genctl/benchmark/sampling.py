"""Generating images: with a plain loop, and as ``genctl sample`` does it."""

import torch

from genctl.inference.samples import SampleRequest, SampleSet
from genctl.runs.model_file import TrainedModel

PLAIN_BATCH_SIZE = 64
GENCTL_BATCH_SIZE = 4096  # the default of `genctl sample`


@torch.no_grad()
def plain_samples(trained: TrainedModel, count: int, device: torch.device) -> int:
    """Generate ``count`` images batch by batch, eagerly, in fp32; returns ``count``."""
    codes = trained.training_codes
    for first in range(0, count, PLAIN_BATCH_SIZE):
        size = min(PLAIN_BATCH_SIZE, count - first)
        z = torch.randn(size, trained.model.z_dim, device=device)
        code = codes[torch.randint(len(codes), (size,))].to(device)
        images = trained.model.generate(z, code)
        ((images + 1) * 127.5).clamp(0, 255).to(torch.uint8).cpu()
    return count


def genctl_samples(trained: TrainedModel, count: int) -> int:
    """Generate ``count`` images as ``genctl sample --condition noise``; returns ``count``."""
    conditions = ("noise",) if trained.metadata.config.condition.code_dim else ()
    samples = SampleSet.from_request(SampleRequest(conditions, count), trained)
    return sum(map(len, samples.batches(GENCTL_BATCH_SIZE)))
