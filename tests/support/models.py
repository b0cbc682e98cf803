"""Model files without training, for tests that do not look at how good the pictures are."""

from functools import partial
from pathlib import Path

from genctl.config import config as configs
from genctl.data.preprocess import read_framing
from genctl.inference import sampling
from genctl.model import DRAWING, Model
from genctl.runs import model_file

RESNET = (
    "networks.kind=resnet",
    "networks.widths=[16, 16, 8]",
    "networks.encoder_widths=[8, 8, 8]",
)


def save_model(path: Path, *overrides: str) -> Path:
    """Write the model that the preset ``tiny`` begins with."""
    config = configs.load("tiny", list(overrides))
    data = config.data.load("train")
    model = Model(config, len(data.classes), DRAWING).eval()
    encode = partial(sampling.encode, model)
    condition, framing = config.condition, read_framing(data, config.data.source_size)
    facts = model_file.Facts(config, data.classes, framing, 0)
    codes = condition.class_codes(encode, data), condition.typical_codes(encode, data)
    model_file.write(path, model, *codes, facts)
    return path
