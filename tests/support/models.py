"""Model files with untrained networks."""

from functools import partial
from pathlib import Path

import torch

from genctl.config import config as configs
from genctl.config.build import build_model
from genctl.data.preprocess import fit_preprocessing
from genctl.inference import sampling
from genctl.model import INFERENCE_ROLES, Model
from genctl.runs import model_file

RESNET = (
    "networks.kind=resnet",
    "networks.channels=[16, 16, 8]",
    "networks.encoder_channels=[8, 8, 8]",
)


def save_model(path: Path, *overrides: str, random_weights: bool = False) -> Path:
    """Write the untrained model of the preset ``tiny``.

    Args:
        path: where to write it.
        overrides: as those of ``--set``.
        random_weights: whether to change every number, those too that start at 0 or 1.
    """
    config = configs.load("tiny", list(overrides))
    data = config.data.load("train")
    model = build_model(config, len(data.classes), INFERENCE_ROLES).eval()
    if random_weights:
        _add_noise(model)
    encode = partial(sampling.encode, model)
    condition, preprocessing = config.condition, fit_preprocessing(data, config.data.native_size)
    metadata = model_file.ModelMetadata(config, data.classes, preprocessing, 0)
    codes = condition.class_codes(encode, data), condition.training_codes(encode, data)
    model_file.write(path, model, *codes, metadata)
    return path


def _add_noise(model: Model) -> None:
    rng = torch.Generator().manual_seed(0)
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            noise = torch.randn(tensor.shape, generator=rng)
            spread = float(tensor.std()) if tensor.numel() > 1 else 0.0
            noise *= 0.3 * spread or 0.1
            tensor += noise.abs() if name.endswith("running_var") else noise
