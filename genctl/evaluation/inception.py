"""The features of torchvision's Inception v3, where its weights are on disk already.

Only such scores can be held against published ones, and even those mostly used other weights
(pytorch-fid's): say which when you do.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from genctl.common.errors import BadContent, Unavailable
from genctl.data.pixels import convert_channels, to_floats

SIDE = 299
LANE = 50


def inception(device: torch.device) -> Callable[[Tensor], Tensor]:
    """uint8 pixels (N, C, H, W) -> features (N, 2048), float64.

    Raises:
        Unavailable: the weights are not on disk; they are never downloaded.
        BadContent: the file is not what it is called.
    """
    from torchvision.models import Inception_V3_Weights, inception_v3

    url = Inception_V3_Weights.IMAGENET1K_V1.url
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if not path.exists():
        raise Unavailable(
            f"cannot find {path}: --features inception needs it; put {url} there, or measure with "
            "--features judge, which needs no download"
        )
    network = inception_v3(weights=None, init_weights=False)
    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # torch.load raises what it likes
        reason = " ".join(str(error).split())[:200]
        raise BadContent(f"cannot use {path}: {reason}; get it again from {url}") from None
    network.fc = torch.nn.Identity()
    network.to(device).eval().requires_grad_(False)

    @torch.inference_mode()
    def features(pixels: Tensor) -> Tensor:
        found = []
        for lane in convert_channels(pixels, 3).split(LANE):
            images = interpolate(
                to_floats(lane.to(device)), size=(SIDE, SIDE), mode="bilinear", antialias=True
            )
            found.append(network(images).double().cpu())
        return torch.cat(found)

    return features
