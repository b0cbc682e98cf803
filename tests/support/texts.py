"""A small model that is conditioned on words."""

from functools import partial
from pathlib import Path

import torch

from genctl.config import config as configs
from genctl.config.build import build_model
from genctl.config.config import Config
from genctl.config.loading import load_data
from genctl.data.preprocess import fit_preprocessing
from genctl.inference import sampling
from genctl.model import INFERENCE_ROLES
from genctl.runs import model_file
from genctl.runs.model_file import TrainedModel

TEXT = ("condition.kind=text", "data.captions=strokes", "condition.vocabulary_size=64")


def text_config(*overrides: str) -> Config:
    return configs.load("tiny", [*TEXT, *overrides])


def save_text_model(path: Path, *overrides: str) -> TrainedModel:
    """Write an untrained model of words, and read it."""
    config = text_config(*overrides)
    train, _ = load_data(config)
    assert train.tokens is not None
    model = build_model(config, len(train.classes), INFERENCE_ROLES).eval()
    encode = partial(sampling.encode, model)
    metadata = model_file.ModelMetadata(
        config, train.classes, fit_preprocessing(train, 8), 0, train.tokens.vocabulary
    )
    codes = (
        config.condition.class_codes(encode, train),
        config.condition.training_codes(encode, train),
    )
    model_file.write(path, model, *codes, metadata)
    return model_file.read(path, torch.device("cpu"))
