"""genctl bench: how fast this machine is, with genctl and with a plain loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from genctl.cli import options
from genctl.cli.console import console

if TYPE_CHECKING:
    from rich.table import Table


def bench(
    config: Annotated[
        list[str] | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="What to train and draw with; repeatable. Else seed_gan and mnist_cgan.",
        ),
    ] = None,
    seconds: Annotated[
        float, typer.Option("--seconds", min=0.1, help="Time for each comparison, about.")
    ] = 30.0,
    workers: Annotated[
        int,
        typer.Option("--workers", min=0, help="Processes that load pictures for the plain loop."),
    ] = 0,
    device: options.Device = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Measure training, drawing and start-up, side by side with the plain PyTorch loop."""
    with console(json, quiet, debug) as out:
        from genctl.benchmark import bench as benching
        from genctl.cli.reporters import open_reporter
        from genctl.common.devices import choose_device, translate_memory_errors

        question = benching.Question(seconds=seconds, workers=workers)
        if config:
            question = benching.Question(tuple(config), seconds, workers)
        chosen = choose_device(device)
        with open_reporter(out) as reporter, translate_memory_errors():
            result = benching.bench(question, chosen, reporter)
        if not quiet:
            _print(result)
        out.result(result)


def _print(result: dict[str, Any]) -> None:
    from rich.console import Console

    peaks = ", ".join(
        f"{precision} {peak / 1e12:.3g}" for precision, peak in result["matrix_peak"].items()
    )
    terminal = Console(stderr=True, highlight=False)
    notes = [
        f"{result['device_name']}, {result['threads']} threads, torch {result['torch']}; "
        f"TFLOP/s of large matrix products: {peaks}",
        *(
            f"{entry['config']}: {entry['data']}, batch {entry['batch_size']}, "
            f"{entry['precision']}, {entry['flops_per_image'] / 1e6:,.0f} MFLOP for an image"
            for entry in result["training"]
        ),
    ]
    for note in notes:
        terminal.print(note, markup=False, soft_wrap=True)
    for table in (_training(result), _sampling(result), _start_up(result)):
        terminal.print()
        terminal.print(table)


def _training(result: dict[str, Any]) -> Table:
    table = _table("training", "images/s", "plain loop", "times", "eager fp32", "times", "of peak")
    for entry in result["training"]:
        rates, ratio = entry["images_per_second"], entry["ratio"]
        table.add_row(
            *(entry["config"], f"{rates['genctl']:,.0f}"),
            *(f"{rates['plain']:,.0f}", f"{ratio['plain']:.2f}"),
            *(f"{rates['eager_fp32']:,.0f}", f"{ratio['eager_fp32']:.2f}"),
            f"{entry['share_of_peak']:.0%}",
        )
    return table


def _sampling(result: dict[str, Any]) -> Table:
    table = _table("sampling", "images", "images/s", "plain loop", "times")
    for entry in result["sampling"]:
        rates = entry["images_per_second"]
        table.add_row(
            *(entry["config"], f"{entry['images']:,}", f"{rates['genctl']:,.0f}"),
            *(f"{rates['plain']:,.0f}", f"{entry['ratio']['plain']:.2f}"),
        )
    return table


def _start_up(result: dict[str, Any]) -> Table:
    table = _table("start-up", "seconds", "of `import torch`")
    for name, entry in result["start_up"].items():
        table.add_row(name, f"{entry['seconds']:.2f}", f"{entry['imports_of_torch']:.2f}")
    return table


def _table(first: str, *others: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table
