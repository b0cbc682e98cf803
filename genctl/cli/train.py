"""genctl train: a YAML file in, a run directory out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genctl.cli import completion, options
from genctl.cli.console import STARTED, Console, console, loading

if TYPE_CHECKING:
    from genctl.config.config import Config


IS_WORKER = os.environ.get("RANK", "0") != "0"
"""Whether torchrun started this process beside rank 0, which alone prints messages."""


def train(
    config: Annotated[
        str | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="A YAML file, or the name of a preset (`genctl configs list`).",
            show_default="for --data, what `genctl configs new` would write",
            autocompletion=completion.presets,
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", metavar="PICTURES", help="Train on a folder of pictures of any kind."
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Override a setting, as training.images=100000; repeatable.",
            autocompletion=completion.settings,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            metavar="NAME",
            help="The name of the run.",
            show_default="the config's name and a hash of its settings",
        ),
    ] = None,
    runs: options.Runs = Path("runs"),
    device: options.Device = "auto",
    max_time: Annotated[
        float | None,
        typer.Option(
            "--max-time",
            metavar="SECONDS",
            min=1,
            help="Finish within this time, which includes set-up and all earlier parts of the run.",
        ),
    ] = None,
    pause_at: Annotated[
        int | None,
        typer.Option(
            "--pause-at",
            metavar="IMAGES",
            min=1,
            help="Pause after so many images; without this option, the run goes on as if it had "
            "never stopped.",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Check config, data and device, build the networks, print the resolved config.",
        ),
    ] = False,
    fresh: Annotated[
        bool,
        typer.Option("--fresh", help="Rename an existing run of that name, and start a new one."),
    ] = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Train a generator; the same command resumes an unfinished run.

    An interrupted run continues from its newest checkpoint; a complete run is left as it is.
    Prints the run directory.
    """
    with console(json, quiet or IS_WORKER, debug) as out:
        with loading():
            from genctl.config.run_names import default_name

        settings, source = _load(config, data, set_ or [], out)
        if dry_run:
            _dry_run(settings, device, out)
            return
        with loading():
            from genctl.cli.reporters import open_reporter
            from genctl.training.session import TrainRequest
            from genctl.training.train import train as train_run

        path = runs / (name or default_name(settings, source))
        request = TrainRequest(settings, path, device, max_time, fresh, STARTED, pause_at)
        with open_reporter(out) as reporter:
            result = train_run(request, reporter)
        out.info(_what_became(result))
        out.result(result, str(path), required=False)  # result.json holds the same


def _what_became(result: dict[str, Any]) -> str:
    paused = result["stopped_by"] == "pause"
    text = f"after {result['images']:,} images in {result['seconds']:.0f} s"
    if paused:
        return f"paused {text}; without --pause-at, the same command goes on"
    return f"{result['status']} {text}; samples: {result['samples']}"


def _load(
    config: str | None, data: Path | None, overrides: list[str], out: Console
) -> tuple[Config, str]:
    """The config that the options name, and what runs of it are called after."""
    from genctl.common.errors import UsageError
    from genctl.config import config as configs

    if data is None:
        if config is None:
            raise UsageError(
                "genctl train: missing option '--config' or '--data'; see `genctl train --help`"
            )
        return configs.load(config, overrides), config
    with loading():
        from genctl.cli.pictures import config_for
        from genctl.cli.reporters import open_reporter
        from genctl.config.proposal import quoted, run_stem

    if config is not None:
        folder = ["data.kind=folder", f"data.root={quoted(data.expanduser())}"]
        return configs.load(config, [*folder, *overrides]), config
    stem = run_stem(data)
    with open_reporter(out) as reporter:
        found = config_for(data, f"{stem}.yaml", None, reporter)
    for line in found.seen:
        out.info(line)
    return configs.parse(found.text, f"the config for {data}", overrides), stem


def _dry_run(settings: Config, device: str, out: Console) -> None:
    with loading():
        from genctl.cli.reporters import open_reporter
        from genctl.common.devices import choose_device
        from genctl.config import config as configs
        from genctl.config.build import build_model
        from genctl.config.loading import load_data

    chosen = choose_device(device)
    with open_reporter(out) as reporter:
        data, _ = load_data(settings, reporter)
    counts = build_model(settings, len(data.classes)).parameter_counts()
    out.info(f"{len(data):,} images of {data.shape.size}x{data.shape.size}, device {chosen}")
    for role, count in counts.items():
        out.info(f"{role}: {count:,} parameters")
    values = settings.model_dump(mode="json")
    out.result({"config": values, "parameters": counts}, configs.dump(settings).rstrip())
