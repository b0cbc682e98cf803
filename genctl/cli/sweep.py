"""genctl sweep: many runs, and what they reached."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genctl.cli import completion, options
from genctl.cli.console import Console, console, loading
from genctl.sweeps.sampler_names import Sampler

if TYPE_CHECKING:
    from genctl.sweeps.summary import Summary
    from genctl.sweeps.sweep import Plan


def sweep(
    config: Annotated[
        list[str],
        typer.Option(
            "--config",
            metavar="FILE",
            help="A YAML file or preset; repeatable.",
            autocompletion=completion.presets,
        ),
    ],
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE[,VALUE…]",
            help="Values to try for a setting; several of these options span a grid.",
            autocompletion=completion.settings,
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            "--seeds", metavar="N", min=1, help="Training seeds of each point.", show_default="1"
        ),
    ] = None,
    max_time: Annotated[
        float | None,
        typer.Option("--max-time", metavar="SECONDS", min=1, help="Time of each run."),
    ] = None,
    images: Annotated[
        int | None,
        typer.Option(
            "--images",
            metavar="N",
            min=1,
            help="Training images of each run.",
            show_default="training.images of the config",
        ),
    ] = None,
    jobs: Annotated[
        int, typer.Option("--jobs", metavar="N", min=1, help="Runs at a time on this machine.")
    ] = 1,
    threads: Annotated[
        int | None,
        typer.Option(
            "--threads",
            metavar="N",
            min=1,
            help="Threads of each run.",
            show_default="$OMP_NUM_THREADS; else with --jobs its share of the cores",
        ),
    ] = None,
    search: Annotated[
        list[str] | None,
        typer.Option(
            "--search",
            metavar="KEY=LOW..HIGH",
            help="Search a range (or choices, KEY=A,B) by Optuna; repeatable. Wide positive ranges "
            "are logarithmic; append :linear or :log to choose.",
            autocompletion=completion.settings,
        ),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option("--trials", metavar="N", min=1, help="Points of a search.", show_default="20"),
    ] = None,
    sampler: Annotated[
        Sampler, typer.Option("--sampler", help="How a search chooses its points.")
    ] = Sampler.tpe,
    storage: Annotated[
        str | None,
        typer.Option(
            "--storage",
            metavar="URL",
            help="A data base or a journal file that the machines of a search share.",
            show_default="a file in --runs",
        ),
    ] = None,
    halving: Annotated[
        bool,
        typer.Option(
            "--halving",
            help="Pause all runs early, and go on with the best ones (successive halving).",
        ),
    ] = False,
    reduction: Annotated[
        int,
        typer.Option("--reduction", metavar="N", min=2, help="With --halving: one in N goes on."),
    ] = 3,
    score: Annotated[
        str,
        typer.Option(
            "--score",
            metavar="NAME",
            help="The score to choose by; overall is FID plus the share of samples of a wrong "
            "class.",
            autocompletion=completion.scores,
        ),
    ] = "overall",
    n: Annotated[
        int | None,
        typer.Option(
            "--n",
            metavar="N",
            min=1,
            help="Samples of each evaluation.",
            show_default="those of genctl evaluate",
        ),
    ] = None,
    sampling_seeds: Annotated[
        int,
        typer.Option(
            "--sampling-seeds", metavar="N", min=1, max=1000, help="Seeds of each evaluation."
        ),
    ] = 3,
    map_: Annotated[
        Path | None,
        typer.Option("--map", metavar="PNG", help="Also write a picture of two settings."),
    ] = None,
    x: Annotated[
        str | None,
        typer.Option(
            "--x", metavar="KEY", help="Its horizontal axis.", show_default="the first that varies"
        ),
    ] = None,
    y: Annotated[
        str | None,
        typer.Option(
            "--y", metavar="KEY", help="Its vertical axis.", show_default="the second that varies"
        ),
    ] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Print all runs as CSV.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, and list what would be trained.")
    ] = False,
    runs: options.Runs = Path("runs"),
    device: options.Device = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Train and score a grid of settings, or search for the best ones.

    The same command continues an interrupted sweep; finished runs are only read. Prints a table,
    the best point first.
    """
    with console(json, quiet, debug) as out:
        with loading():
            from genctl.cli.reporters import open_reporter
            from genctl.cli.sweep_table import sweep_table
            from genctl.cli.table_text import table_text
            from genctl.common.errors import UsageError
            from genctl.sweeps.outcome import require_complete
            from genctl.sweeps.plan import Budget
            from genctl.sweeps.records import Scoring
            from genctl.sweeps.summary import as_json, summarize, to_csv
            from genctl.sweeps.sweep import SweepRequest, make_plan, run_sweep

        if csv and json:
            raise UsageError("cannot print --csv and --json at once; choose one")
        if max_time is not None and images is not None:
            raise UsageError("--max-time and --images: the budget is given twice; choose one")
        request = SweepRequest(
            config, set_ or [], search or [], Scoring(score, n, sampling_seeds),
            Budget(images, max_time), runs, seeds, trials, sampler, storage, halving, reduction,
            jobs, threads, device,
        )  # fmt: skip
        plan = make_plan(request)
        axes = None if map_ is None else _axes(plan, map_, x, y)
        if dry_run:
            _dry_run(plan, out)
            return
        with open_reporter(out) as reporter:
            records = run_sweep(plan, reporter)
        summary = summarize(records, score)
        result = as_json(summary)
        if map_ is not None and axes is not None and summary.rows:
            _write_map(summary, map_, axes, out)
            result |= {"map": str(map_)}
        if not json:
            text = to_csv(summary).rstrip("\n") if csv else table_text(sweep_table(summary))
            out.result({}, text)
        require_complete(records, {"status": "incomplete", **result})
        if json:
            out.result({"status": "complete", **result})


def _axes(plan: Plan, map_: Path, x: str | None, y: str | None) -> tuple[str, str]:
    """The settings of the map.

    Raises:
        UsageError: it is no PNG, or the sweep does not vary these settings.
        MissingInput: matplotlib is missing.
    """
    from importlib.util import find_spec

    from genctl.common.errors import MissingInput, UsageError
    from genctl.common.nearest import did_you_mean

    if map_.suffix.lower() != ".png":
        raise UsageError(f"--map {map_}: must end in .png")
    if find_spec("matplotlib") is None:
        raise MissingInput("cannot draw --map: matplotlib is missing; `pip install 'genctl[plot]'`")
    keys = plan.keys
    for option, key in (("--x", x), ("--y", y)):
        if key is not None and key not in keys:
            near = did_you_mean(key, keys) or f"; it varies {', '.join(keys) or 'nothing'}"
            raise UsageError(f"{option} {key}: the sweep does not vary this setting{near}")
    if len(keys) < 2:
        raise UsageError(f"--map {map_}: the sweep must vary two settings; add a --set")
    x = x or next(key for key in keys if key != y)
    y = y or next(key for key in keys if key != x)
    if x == y:
        raise UsageError(f"--map {map_}: both axes are {x}; choose another --y")
    return x, y


def _write_map(summary: Summary, path: Path, axes: tuple[str, str], out: Console) -> None:
    with loading():
        from genctl.common import files
        from genctl.sweeps.map import render

    files.make_folder(path.parent)
    files.atomic_write(path, render(summary, *axes))
    out.info(f"map: {path}")


def _dry_run(plan: Plan, out: Console) -> None:
    runs = [
        {"run": run.name, "config": run.point.config, "settings": dict(run.point.settings),
         "seed": run.seed, "images": run.images}
        for run in plan.planned.values()
    ]  # fmt: skip
    rounds = list(plan.rounds.images)
    out.info(f"{plan.points} points with {len(plan.seeds)} seeds")
    if rounds:
        out.info(f"rounds end after {', '.join(f'{images:,}' for images in rounds)} images")
    lines = [f"{run.name}  {run.point} seed {run.seed}" for run in plan.planned.values()]
    lines = lines or [f"{plan.base}  {' '.join(plan.request.searches)}"]
    values = {"points": plan.points, "seeds": list(plan.seeds), "rounds": rounds, "runs": runs}
    out.result(values, "\n".join(lines))
