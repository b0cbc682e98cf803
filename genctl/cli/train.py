"""genctl train: YAML in, run directory out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genctl.cli import options
from genctl.cli.console import STARTED, Console, console

if TYPE_CHECKING:
    from genctl.config.config import Config
    from genctl.training.session import TrainRequest


FOLLOWS = os.environ.get("RANK", "0") != "0"
"""Whether torchrun started another process to lead this one, which speaks for both."""


def train(
    config: Annotated[
        str,
        typer.Option("--config", metavar="FILE", help="A YAML file, or the name of a preset."),
    ],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a value; repeatable."),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", help="Name of the run; else the config's name and a hash."),
    ] = None,
    runs: options.Runs = Path("runs"),
    device: options.Device = "auto",
    max_time: Annotated[
        float | None,
        typer.Option(
            "--max-time",
            metavar="SECONDS",
            min=1,
            help="Finish within this time, set-up and all resumed parts included.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything and build, but train nothing.")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Rename an existing run aside and begin anew.")
    ] = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Train a generator. The same command line again resumes, or answers "already complete"."""
    with console(json, quiet or FOLLOWS, debug) as out:
        from genctl.config import config as configs
        from genctl.config.run_names import default_name

        settings = configs.load(config, set_ or [])
        if dry_run:
            _dry_run(settings, device, out)
        else:
            from genctl.training.session import TrainRequest

            path = runs / (name or default_name(settings, config))
            _train(TrainRequest(settings, path, device, max_time, fresh, STARTED), out)


def _train(request: TrainRequest, out: Console) -> None:
    from genctl.cli.reporters import open_reporter
    from genctl.training.train import train

    with open_reporter(out) as reporter:
        result = train(request, reporter)
    out.info(
        f"{result['status']} after {result['images']:,} images in {result['seconds']:.0f} s; "
        f"pictures: {result['samples']}"
    )
    out.offer(result, str(request.path))  # it is in result.json too


def _dry_run(settings: Config, device: str, out: Console) -> None:
    from genctl.common.devices import choose_device
    from genctl.config import config as configs
    from genctl.config.build import build_model
    from genctl.config.loading import load_data

    chosen = choose_device(device)
    data, _ = load_data(settings)
    counts = build_model(settings, len(data.classes)).parameter_counts()
    out.info(f"{len(data):,} images of {data.shape.size}x{data.shape.size}, device {chosen}")
    for role, count in counts.items():
        out.info(f"{role}: {count:,} parameters")
    values = settings.model_dump(mode="json")
    out.result({"config": values, "parameters": counts}, configs.dump(settings).rstrip())
