"""The model that the option ``--run`` names."""

from pathlib import Path

import torch

from genctl.cli.console import Console
from genctl.runs import model_file
from genctl.runs.lookup import find_model
from genctl.runs.model_file import TrainedModel


def load_model(
    run: str | None, runs: Path, device: torch.device, out: Console, task: str
) -> TrainedModel:
    """Read the model of a run; where no run is named, print ``task`` and the path of the newest.

    Raises:
        MissingInput: there is none.
        BadContent: it is not a model file, or is damaged.
    """
    path = find_model(run, runs)
    if run is None:
        out.info(f"{task} {path}")
    return model_file.read(path, device)
