"""genctl evaluate: a model in, its scores out, each beside what real images reach."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genctl.cli import options
from genctl.cli.console import console, printable

if TYPE_CHECKING:
    from rich.table import Table


class Against(StrEnum):
    """The real images to compare with."""

    train = "train"
    test = "test"


class Features(StrEnum):
    """The space to measure in."""

    judge = "judge"
    inception = "inception"


def evaluate(
    run: options.RunName = None,
    runs: options.Runs = Path("runs"),
    n: Annotated[
        int | None,
        typer.Option("--n", min=1, help="Samples; else one for each held-out image, up to 10,000."),
    ] = None,
    against: Annotated[
        Against, typer.Option("--against", help="The real images to compare with.")
    ] = Against.train,
    features: Annotated[
        Features,
        typer.Option(
            "--features", help="The space to measure in; inception where its weights are on disk."
        ),
    ] = Features.judge,
    seeds: Annotated[
        int, typer.Option("--seeds", min=1, max=1000, help="Repeat with other z; mean ± std.")
    ] = 3,
    cas: Annotated[
        bool,
        typer.Option("--cas", help="Also teach a classifier with samples, and examine it."),
    ] = False,
    device: options.Device = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Measure how good a model is, beside what real images reach; no network needed."""
    with console(json, quiet, debug) as out:
        from genctl.cli.reporters import open_reporter
        from genctl.common.devices import choose_device, flush_denormals, translate_memory_errors
        from genctl.evaluation import evaluate as evaluating
        from genctl.runs import model_file
        from genctl.runs import run as run_folder

        path = run_folder.find_model(run, runs)
        if run is None:
            out.info(f"evaluating {path}")
        chosen = choose_device(device)
        trained = model_file.read(path, chosen)
        question = evaluating.Question(n, against.value, features.value, seeds, cas)
        with open_reporter(out) as reporter, translate_memory_errors(), flush_denormals():
            result = evaluating.evaluate(trained, question, chosen, reporter)
        kept = evaluating.keep(result, trained)
        if kept is not None:
            out.info(f"kept in {kept}")
        for text in result["warnings"]:
            out.warn(text)
        drawn = _drawn(result, styled=not json)
        if json:
            for line in drawn.splitlines():
                out.info(line)
        out.result(result, drawn)


def _table(result: dict[str, Any]) -> Table:
    from rich.table import Table

    sheet = Table(box=None, pad_edge=False, header_style="bold")
    sheet.add_column("score")
    for name in ("model", "± std", "real images"):
        sheet.add_column(name, justify="right")
    for name, value in result["scores"].items():
        std, real = result["std"].get(name), result["real"].get(name)
        sheet.add_row(name.replace("_", " "), _text(value), _text(std), _text(real))
    return sheet


def _text(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if value < 100 else f"{value:.1f}"


def _drawn(result: dict[str, Any], styled: bool) -> str:
    from rich.console import Console

    times = "" if result["seeds"] == 1 else f", {result['seeds']} seeds"
    what = f"{result['n']:,} samples against {result['against']} images{times}"
    sheet = Console(highlight=False, color_system="auto" if styled else None)
    with sheet.capture() as drawn:
        sheet.print(f"{printable(result['run'])}: {what}", markup=False, soft_wrap=True)
        sheet.print(_table(result))
        for name, value in result.get("floor", {}).items():
            sheet.print(f"{name} of a perfect generator with {result['n']:,} samples: {value:.4f}")
    return drawn.get().rstrip()
