"""Which run or model file the option ``--run`` names."""

from __future__ import annotations

from pathlib import Path

from genctl.common.errors import MissingInput
from genctl.common.nearest import did_you_mean
from genctl.runs.run import Run


def find_model(name: str | None, runs: Path) -> Path:
    """The model file that ``--run`` names: a ``.safetensors`` file, or that of a run.

    Raises:
        MissingInput: there is none.
    """
    if name is not None and Path(name).is_file():
        return Path(name)
    run = find_run(name, runs)
    if not run.model.exists():
        raise MissingInput(
            f"cannot find a model in {run}: it is written at the first checkpoint; train on"
        )
    return run.model


def find_run(name: str | None, runs: Path) -> Run:
    """The run that ``--run`` names, by path or by name in ``runs``; else the newest with a model.

    Raises:
        MissingInput: there is none.
    """
    if name is None:
        return _newest_with_model(runs)
    for run in (Run(Path(name)), Run(runs / name)):
        # A folder that is not a run must not hide a run of that name.
        if run.exists or run.model.exists():
            return run
    near = did_you_mean(name, [run.path.name for run in list_runs(runs)])
    raise MissingInput(
        f"cannot find the run {name}: neither a run directory nor a name in {runs}"
        f"{near or '; `genctl runs` lists them'}"
    )


def _newest_with_model(runs: Path) -> Run:
    trained = [run for run in list_runs(runs) if run.model.exists()]
    if not trained:
        raise MissingInput(
            f"cannot find a trained model in {runs}: train one with "
            "`genctl train --config digits_cgan`, or name one with --run"
        )
    return max(trained, key=lambda run: run.model.stat().st_mtime)


def list_runs(runs: Path) -> list[Run]:
    """All runs in the folder ``runs``, sorted by name."""
    if not runs.is_dir():
        return []
    return [run for path in sorted(runs.iterdir()) if (run := Run(path)).exists]
