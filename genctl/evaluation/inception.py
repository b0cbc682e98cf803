"""The features of torchvision's Inception v3, if its weights are on disk.

Scores in these features can be compared with published ones, though most of those used other
weights (pytorch-fid's): say which you used.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from genctl.common.devices import without_tf32
from genctl.common.errors import BadContent, Unavailable
from genctl.data.pixels import convert_channels, to_floats

IMAGE_SIZE = 299
BATCH_SIZE = 50


def inception_extractor(device: torch.device) -> Callable[[Tensor], Tensor]:
    """A function from pixels (N, C, H, W) uint8 to features (N, 2048) float64.

    Raises:
        Unavailable: the weights are not on disk; they are never downloaded.
        BadContent: the file does not hold the weights.
    """
    from torchvision.models import Inception_V3_Weights, inception_v3

    url = Inception_V3_Weights.IMAGENET1K_V1.url
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if not path.exists():
        raise Unavailable(
            f"cannot find {path}: --features inception needs it; put {url} there, or use "
            "--features judge, which needs no download"
        )
    network = inception_v3(weights=None, init_weights=False)
    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # torch.load documents no exceptions
        reason = " ".join(str(error).split())[:200]
        raise BadContent(f"cannot use {path}: {reason}; get it again from {url}") from None
    network.fc = torch.nn.Identity()
    network.to(device).eval().requires_grad_(False)

    @torch.inference_mode()
    @without_tf32()
    def extract(pixels: Tensor) -> Tensor:
        features = []
        for batch in convert_channels(pixels, 3).split(BATCH_SIZE):
            images = interpolate(
                to_floats(batch.to(device)),
                size=(IMAGE_SIZE, IMAGE_SIZE),
                mode="bilinear",
                antialias=True,
            )
            features.append(network(images).double().cpu())
        return torch.cat(features)

    return extract
