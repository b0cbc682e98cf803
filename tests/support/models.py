"""Model files with untrained networks."""

from functools import partial
from pathlib import Path

from genctl.config import config as configs
from genctl.config.build import build_model
from genctl.data.preprocess import fit_preprocessing
from genctl.inference import sampling
from genctl.model import INFERENCE_ROLES
from genctl.runs import model_file

RESNET = (
    "networks.kind=resnet",
    "networks.channels=[16, 16, 8]",
    "networks.encoder_channels=[8, 8, 8]",
)


def save_model(path: Path, *overrides: str) -> Path:
    """Write the untrained model of the preset ``tiny``."""
    config = configs.load("tiny", list(overrides))
    data = config.data.load("train")
    model = build_model(config, len(data.classes), INFERENCE_ROLES).eval()
    encode = partial(sampling.encode, model)
    condition, preprocessing = config.condition, fit_preprocessing(data, config.data.native_size)
    metadata = model_file.ModelMetadata(config, data.classes, preprocessing, 0)
    codes = condition.class_codes(encode, data), condition.training_codes(encode, data)
    model_file.write(path, model, *codes, metadata)
    return path
