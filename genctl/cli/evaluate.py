"""genctl evaluate: the scores of a model, next to those of real images."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genctl.cli import options
from genctl.cli.console import console, loading, printable

if TYPE_CHECKING:
    from rich.table import Table


class Against(StrEnum):
    """The real images to compare with."""

    train = "train"
    test = "test"


class Features(StrEnum):
    """The feature space of the scores."""

    judge = "judge"
    inception = "inception"


def evaluate(
    run: options.RunName = None,
    runs: options.Runs = Path("runs"),
    n: Annotated[
        int | None,
        typer.Option(
            "--n",
            metavar="N",
            min=1,
            help="Number of samples; by default one per test image, at most 10,000.",
        ),
    ] = None,
    against: Annotated[
        Against, typer.Option("--against", help="The real images to compare with.")
    ] = Against.train,
    features: Annotated[
        Features,
        typer.Option("--features", help="The feature space; inception needs its weights on disk."),
    ] = Features.judge,
    seeds: Annotated[
        int,
        typer.Option(
            "--seeds",
            metavar="N",
            min=1,
            max=1000,
            help="Number of sampling seeds, for mean ± std.",
        ),
    ] = 3,
    cas: Annotated[
        bool,
        typer.Option(
            "--cas", help="Also train a classifier on samples and test it on real images."
        ),
    ] = False,
    device: options.Device = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Measure FID, recall and more, beside the values of real images.

    Works offline: the features are those of a small classifier, trained once for each data set.
    Prints a table.
    """
    with console(json, quiet, debug) as out:
        with loading():
            from genctl.cli.reporters import open_reporter
            from genctl.cli.run_option import load_model
            from genctl.common.devices import (
                choose_device,
                flush_denormals,
                translate_memory_errors,
            )
            from genctl.evaluation import evaluate as evaluation

        chosen = choose_device(device)
        trained = load_model(run, runs, chosen, out, "evaluating")
        request = evaluation.EvaluationOptions(n, against.value, features.value, seeds, cas)
        with open_reporter(out) as reporter, translate_memory_errors(), flush_denormals():
            result = evaluation.evaluate_model(trained, request, chosen, reporter)
        saved = evaluation.write_result(result, trained)
        if saved is not None:
            out.info(f"saved to {saved}")
        for text in result["warnings"]:
            out.warn(text)
        report = _report(result, styled=not json)
        if json:
            for line in report.splitlines():
                out.info(line)
        out.result(result, report)


def _report(result: dict[str, Any], styled: bool) -> str:
    """The result for people: what was compared, and a table of scores."""
    from rich.console import Console

    seeds = "" if result["seeds"] == 1 else f", {result['seeds']} seeds"
    what = f"{result['n']:,} samples against {result['against']} images{seeds}"
    report = Console(highlight=False, color_system="auto" if styled else None)
    with report.capture() as captured:
        report.print(f"{printable(result['run'])}: {what}", markup=False, soft_wrap=True)
        report.print(_table(result))
        for name, value in result.get("chance", {}).items():
            report.print(f"{name.replace('_', ' ')} by chance, given the class: {value:.4f}")
        for name, value in result.get("floor", {}).items():
            report.print(f"{name} of a perfect generator with {result['n']:,} samples: {value:.4f}")
    return captured.get().rstrip()


def _table(result: dict[str, Any]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("score")
    for name in ("model", "± std", "real images"):
        table.add_column(name, justify="right")
    for name, value in result["scores"].items():
        std, real = result["std"].get(name), result["real"].get(name)
        table.add_row(name.replace("_", " "), _number(value), _number(std), _number(real))
    return table


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if value < 100 else f"{value:.1f}"
