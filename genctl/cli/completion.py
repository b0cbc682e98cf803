"""What the Tab key offers: presets, runs, settings, conditions. No torch, since a shell waits.

Each function gets the command line before the cursor (``ctx``) and the word at the cursor, and
returns whole words. Where none fits, the shell completes file names itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer

from genctl.common.errors import GenctlError

SAFE = re.compile(r"[\w@%+=:,./\-\[\]]+")
"""Words that every shell takes as they are. Others are not offered: zsh evaluates what it gets, and
the names of runs and classes may come from strangers."""


def presets(incomplete: str) -> list[str]:
    """Presets, and YAML files."""
    return _words_or_files(_preset_names(), incomplete, ".yaml")


def preset_names(incomplete: str) -> list[str]:
    """Presets alone."""
    return _fitting(_preset_names(), incomplete)


def runs(ctx: typer.Context, incomplete: str) -> list[str]:
    """The runs in ``--runs``, and model files."""
    from genctl.runs.lookup import list_runs

    names = (run.path.name for run in list_runs(_runs_folder(ctx)))
    return _words_or_files(names, incomplete, ".safetensors")


def devices(incomplete: str) -> list[str]:
    """Devices; the GPUs of NVIDIA by number where the system shows them."""
    numbers = sorted(path.name.removeprefix("nvidia") for path in Path("/dev").glob("nvidia[0-9]*"))
    return _fitting(["auto", "cpu", "cuda", *(f"cuda:{n}" for n in numbers), "mps"], incomplete)


def columns(ctx: typer.Context, incomplete: str) -> list[str]:
    """The columns of the table of runs."""
    from genctl.runs import table

    return _fitting(table.columns(table.rows(_runs_folder(ctx))), incomplete)


def scores(ctx: typer.Context, incomplete: str) -> list[str]:
    """The scores that runs have."""
    from genctl.runs import table

    return _fitting(table.score_columns(table.rows(_runs_folder(ctx))), incomplete)


def settings(ctx: typer.Context, incomplete: str) -> list[str]:
    """The keys of the config as ``KEY=``; for the last one that fits, its values."""
    from genctl.config.config import Config
    from genctl.config.keys import choices_of

    key, equals, _ = incomplete.partition("=")
    values = _values_of(ctx)
    keys = [key] if equals else _fitting(values, incomplete)
    if len(keys) != 1:
        return [f"{key}=" for key in keys]
    (key,) = keys
    choices = choices_of(Config, key)
    words = [f"{key}={value}" for value in choices or _as_words(values.get(key))]
    # With nothing to choose from, the bare key comes too, so that shells leave the cursor after it.
    return _fitting(words if choices else [f"{key}=", *words], incomplete)


def conditions(ctx: typer.Context, incomplete: str) -> list[str]:
    """Classes of the model, images of its data set, noise, words, mixtures, and files."""
    classes, own, condition = _about_model(ctx)
    prompt = ["text:"] if condition == "text" else []
    words = ["noise", *prompt, *(f"label:{name}" for name in classes), *_images_of(own)]
    if not incomplete.startswith("mix:"):
        return _words_or_files([*words, "mix:"], incomplete)
    first, comma, _ = incomplete.removeprefix("mix:").partition(",")
    starts = [first] if comma else _fitting(words, first)
    if len(starts) == 1:
        return _fitting((f"mix:{starts[0]},{word}" for word in words), incomplete)
    return [f"mix:{word}," for word in starts]


def inputs(ctx: typer.Context, incomplete: str) -> list[str]:
    """Images of the model's data set, and files."""
    _, own, _ = _about_model(ctx)
    return _words_or_files(_images_of(own), incomplete)


def _preset_names() -> list[str]:
    from genctl.config import presets

    return presets.names()


def _runs_folder(ctx: typer.Context) -> Path:
    return Path(ctx.params.get("runs") or "runs")


def _values_of(ctx: typer.Context) -> dict[str, Any]:
    """Every key of the config on the command line, or of any config, with its value."""
    from genctl.common.settings import nested_settings
    from genctl.config import config as configs
    from genctl.config.keys import every_key

    try:
        source, overrides = ctx.params["config"], ctx.params.get("set_") or []
        if isinstance(source, list):  # of a sweep, whose first point has the keys of all
            source, overrides = source[0], _first_values(overrides)
        config = configs.load(source, overrides)
    except (GenctlError, LookupError, TypeError):  # no config yet, or none that is valid
        keys = every_key(configs.Config)
        return {key.path: None for key in keys if key.name not in nested_settings(key.settings)}
    return configs.flatten(config.model_dump(mode="json"))


def _first_values(options: list[str]) -> list[str]:
    """``--set`` options of a sweep with the first of their values each."""
    from genctl.sweeps.axes import parse_axes

    return [f"{axis.key}={axis.values[0]}" for axis in parse_axes(options)]


def _as_words(value: Any) -> list[str]:
    """How YAML writes a value, without spaces; nothing for a value that is not set."""
    if value is None:
        return []
    return [value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))]


def _about_model(ctx: typer.Context) -> tuple[list[str], str, str]:
    """The classes of the model that ``--run`` names, the kind of its data and of its condition."""
    from genctl.common.safetensors_header import read_header
    from genctl.runs.lookup import find_model

    try:
        path = find_model(ctx.params.get("run"), _runs_folder(ctx))
        with path.open("rb") as file:
            _, header = read_header(file, path)
        metadata = json.loads(header["__metadata__"]["metadata"])
        data, condition = (metadata["config"][name]["kind"] for name in ("data", "condition"))
        return list(map(str, metadata["classes"])), str(data), str(condition)
    except (GenctlError, OSError, ValueError, LookupError, TypeError):  # no model of genctl
        return [], "digits", "none"


def _images_of(data: str) -> list[str]:
    return [f"{data}:{split}{chosen}" for split in ("test", "train") for chosen in ("", "[0:10]")]


def _words_or_files(words: Iterable[str], incomplete: str, suffix: str = "") -> list[str]:
    """The words that fit, with files and folders that do; nothing if only files and folders do."""
    fitting = _fitting(words, incomplete)
    paths = (path for path in sorted(Path().iterdir()) if not path.name.startswith("."))
    files = (
        f"{path}/" if path.is_dir() else str(path)
        for path in paths
        if path.is_dir() or path.name.endswith(suffix)
    )
    return fitting and [*fitting, *_fitting(files, incomplete)]


def _fitting(words: Iterable[str], incomplete: str) -> list[str]:
    return [word for word in words if word.startswith(incomplete) and SAFE.fullmatch(word)]
