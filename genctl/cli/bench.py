"""genctl bench: how fast this machine is, with genctl and with plain PyTorch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from genctl.cli import completion, options
from genctl.cli.console import console, loading

if TYPE_CHECKING:
    from rich.table import Table


def bench(
    config: Annotated[
        list[str] | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="A YAML file or preset to measure; repeatable.",
            show_default="seed_gan, mnist_cgan",
            autocompletion=completion.presets,
        ),
    ] = None,
    seconds: Annotated[
        float,
        typer.Option(
            "--seconds", metavar="SECONDS", min=0.1, help="Approximate time for each comparison."
        ),
    ] = 30.0,
    workers: Annotated[
        int,
        typer.Option(
            "--workers", metavar="N", min=0, help="Processes that load images for the plain loop."
        ),
    ] = 0,
    device: options.Device = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Measure the speed of genctl beside that of a plain PyTorch loop.

    Both train the same networks with the same batches in one process. Shows images per second in
    training and in sampling, and the time that commands take to start.
    """
    with console(json, quiet, debug) as out:
        with loading():
            from dataclasses import replace

            from genctl.benchmark.bench import BenchOptions, run_bench
            from genctl.cli.reporters import open_reporter
            from genctl.common.devices import choose_device, translate_memory_errors

        what = BenchOptions(seconds=seconds, workers=workers)
        if config:
            what = replace(what, configs=tuple(config))
        chosen = choose_device(device)
        with open_reporter(out) as reporter, translate_memory_errors():
            result = run_bench(what, chosen, reporter)
        if not quiet:
            _print(result)
        out.result(result)


def _print(result: dict[str, Any]) -> None:
    from rich.console import Console

    terminal = Console(stderr=True, highlight=False)
    lines = [
        f"{result['device_name']}, threads: {result['threads']}, torch {result['torch']}",
        *(
            f"{entry['config']}: {entry['data']}, batch size {entry['batch_size']}, "
            f"{entry['precision']}, engine {entry['engine']}, threads: {entry['threads']}"
            for entry in result["training"]
        ),
    ]
    for line in lines:
        terminal.print(line, markup=False, soft_wrap=True)
    for table in (
        _rates("training", result["training"]),
        _rates("sampling", result["sampling"]),
        _start_up(result["start_up"]),
    ):
        terminal.print()
        terminal.print(table)


def _rates(title: str, entries: list[dict[str, Any]]) -> Table:
    table = _table(title, "images/s", "plain loop", "speed-up")
    for entry in entries:
        rates = entry["images_per_second"]
        table.add_row(
            entry["config"],
            f"{rates['genctl']:,.0f}",
            f"{rates['plain']:,.0f}",
            f"{entry['speedup']:.2f}x",
        )
    return table


def _start_up(entries: dict[str, dict[str, float]]) -> Table:
    table = _table("start-up", "seconds", "vs. import torch")
    for name, entry in entries.items():
        table.add_row(name, f"{entry['seconds']:.2f}", f"{entry['imports_of_torch']:.2f}x")
    return table


def _table(title: str, *columns: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(title)
    for name in columns:
        table.add_column(name, justify="right")
    return table
