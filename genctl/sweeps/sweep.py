"""The work of ``genctl sweep``: from its options to a plan, and from there to a summary."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from genctl.common import files
from genctl.common.errors import MissingInput, UsageError
from genctl.common.reporting import Reporter
from genctl.config import config as configs
from genctl.sweeps.axes import Axis, Range, parse_axes, parse_searches
from genctl.sweeps.board import Board, Rounds, Source
from genctl.sweeps.claims import FOLDER, Claims
from genctl.sweeps.grid import Grid
from genctl.sweeps.halving import round_images
from genctl.sweeps.plan import (
    SEED,
    Budget,
    PlannedRun,
    Point,
    grid,
    plan_run,
    plan_runs,
    seeds_of,
)
from genctl.sweeps.records import Record, Scoring
from genctl.sweeps.runner import Runner
from genctl.sweeps.sampler_names import Sampler

DEFAULT_TRIALS = 20


@dataclass(frozen=True)
class SweepRequest:
    """The options of ``genctl sweep``."""

    configs: Sequence[str]
    sets: Sequence[str]
    searches: Sequence[str]
    scoring: Scoring
    budget: Budget
    runs: Path
    seeds: int | None = None
    trials: int | None = None
    sampler: Sampler = Sampler.tpe
    storage: str | None = None
    halving: bool = False
    reduction: int = 3
    jobs: int = 1
    threads: int | None = None
    device: str = "auto"


@dataclass(frozen=True)
class Plan:
    """What a sweep trains."""

    request: SweepRequest
    seeds: Sequence[int]
    rounds: Rounds
    planned: Mapping[tuple[Point, int], PlannedRun]  # empty for a search
    base: Point  # what all trials of a search share
    searches: Sequence[Axis | Range]

    @property
    def points(self) -> int:
        """How many points there are in the first round."""
        if self.searches:
            return self.request.trials or DEFAULT_TRIALS
        return len(self.planned) // len(self.seeds)

    @property
    def keys(self) -> list[str]:
        """The settings that differ, those of a map first."""
        if self.searches:
            return [one.key for one in self.searches]
        values: dict[str, set[str]] = {}
        for point, _ in self.planned:
            for key, value in point.settings:
                values.setdefault(key, set()).add(value)
        return [key for key, found in values.items() if len(found) > 1]


def make_plan(request: SweepRequest) -> Plan:
    """Check all options and settings, and plan the runs.

    Raises:
        ConfigError: with the problems of all points.
        UsageError: options do not fit together.
    """
    axes, searches = parse_axes(request.sets), parse_searches(request.searches)
    axes, seeds = seeds_of(axes, request.seeds, request.configs[0])
    base = Point(request.configs[0], tuple((axis.key, axis.values[0]) for axis in axes))
    if searches:
        _check_search(request, axes, searches)
        count, planned = request.trials or DEFAULT_TRIALS, _ends(base, searches, request.budget)
    else:
        _check_grid(request)
        points = grid(request.configs, axes)
        count, planned = len(points), plan_runs(points, seeds, request.budget)
    rounds = _rounds(request, count, list(planned.values()))
    if searches:
        return Plan(request, seeds, rounds, {}, base, searches)
    name = rounds.name(request.scoring)
    return Plan(
        request, seeds, rounds, plan_runs(points, seeds, request.budget, name), base, searches
    )


def run_sweep(plan: Plan, reporter: Reporter) -> list[Record]:
    """Train and score what is not yet; returns what became of each run.

    Raises:
        Stopped: a signal ended it; the runs have checkpoints.
        GenctlError: it cannot go on.
    """
    request = plan.request
    files.make_folder(request.runs)
    board = Board(request.runs, request.scoring, Claims(request.runs))
    source: Source = _search(plan, board) if plan.searches else Grid(
        board, plan.planned, plan.rounds
    )  # fmt: skip
    environment = _environment(request)
    Runner(source, board, request.jobs, request.device, environment, reporter).run()
    return source.records()


def _check_grid(request: SweepRequest) -> None:
    for given, option in ((request.trials, "--trials"), (request.storage, "--storage")):
        if given is not None:
            raise UsageError(f"{option}: there is no --search; add one, or leave out {option}")


def _check_search(
    request: SweepRequest, axes: Sequence[Axis], searches: Sequence[Axis | Range]
) -> None:
    if len(request.configs) > 1:
        raise UsageError("--search: works with one --config; search in one after the other")
    keys = {one.key for one in searches}
    for axis in axes:
        if axis.key in keys:
            raise UsageError(f"--set {axis.key}: is also searched for; leave out one of them")
        if len(axis.values) > 1:
            raise UsageError(
                f"--set {axis.key}: with --search it takes one value; use --search "
                f"{axis.key}={','.join(axis.values)}"
            )
    if SEED in keys:
        raise UsageError(f"--search {SEED}: seeds are not searched for; use --seeds")


def _ends(
    base: Point, searches: Sequence[Axis | Range], budget: Budget
) -> dict[tuple[Point, int], PlannedRun]:
    """A run at each end of each range, and with each choice, to find mistakes before the start."""
    axes = [one if isinstance(one, Axis) else one.ends for one in searches]
    points: dict[Point, None] = {}
    for number in range(max(len(axis.values) for axis in axes)):
        chosen = [(axis.key, axis.values[min(number, len(axis.values) - 1)]) for axis in axes]
        points[Point(base.config, (*base.settings, *chosen))] = None
    return plan_runs(points, [0], budget)


def _rounds(request: SweepRequest, count: int, planned: Sequence[PlannedRun]) -> Rounds:
    if not request.halving:
        return Rounds()
    if request.budget.seconds is not None:
        raise UsageError(
            "--halving: counts images, which give the same bits on every machine; replace "
            "--max-time by --images"
        )
    budgets = {run.images for run in planned}
    if len(budgets) > 1:
        raise UsageError("--halving: all runs need the same budget; give it by --images")
    if count < request.reduction:
        raise UsageError(
            f"--halving: {count} points are too few to keep one in {request.reduction}; add some, "
            "or choose a smaller --reduction"
        )
    changes = [f"{key}={value}" for key, value in planned[0].point.settings]
    smallest = configs.load(planned[0].point.config, changes).training.batch_size
    images = round_images(count, planned[0].images, request.reduction, smallest)
    return Rounds(tuple(images), request.reduction)


def _environment(request: SweepRequest) -> dict[str, str]:
    """The number of threads of each process, unless a single one is left to find the best."""
    if request.threads is not None:
        return {"OMP_NUM_THREADS": str(request.threads)}
    if request.jobs == 1 or os.environ.get("OMP_NUM_THREADS"):
        return {}
    return {"OMP_NUM_THREADS": str(max(_cores() // request.jobs, 1))}


def _cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _search(plan: Plan, board: Board) -> Source:
    try:
        from genctl.sweeps.samplers import make_sampler
        from genctl.sweeps.search import Search
        from genctl.sweeps.space import Space
        from genctl.sweeps.storage import open_study
    except ModuleNotFoundError as error:
        raise MissingInput(
            f"cannot search: {error.name} is missing; `pip install 'genctl[sweep]'`"
        ) from None
    request = plan.request
    name = _study_name(plan)
    where = request.storage or str(request.runs / FOLDER / f"{name}.journal")
    sampler = make_sampler(request.sampler, plan.seeds[0])
    study = open_study(where, name, sampler, lower_is_better=board.lower_is_better)
    space = Space(plan.base, plan.searches, plan.seeds, request.budget, plan.points)
    return Search(board, study, space, plan.rounds, _place(board))


def _study_name(plan: Plan) -> str:
    """The name of a study: trials of others would not compare."""
    request = plan.request
    first = plan_run(plan.base, plan.seeds[0], request.budget)
    parts = [
        first.name,
        list(plan.seeds),
        [repr(one) for one in plan.searches],
        repr(request.scoring),
        repr(plan.rounds),
    ]
    return f"{first.name.rpartition('-')[0]}-{_short_hash(json.dumps(parts))}"


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _place(board: Board) -> str:
    """What tells the folder of the runs from that of another machine."""
    path = board.claims.folder / "place"
    while not path.exists():
        if board.claims.take("place"):
            files.atomic_write(path, secrets.token_hex(8).encode())
            board.claims.release("place")
    return path.read_text(encoding="utf-8")
