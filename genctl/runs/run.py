"""The run directory: its names, its lock, its log and its status."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from genctl.common import files
from genctl.common.errors import CannotCreate, Locked, MissingInput

STATUSES = ("complete", "running", "interrupted", "diverged", "failed")


class Run:
    """One run directory; nothing is created before ``create``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.environment = path / "environment.json"
        self.metrics = path / "metrics.jsonl"
        self.samples = path / "samples"
        self.checkpoints = path / "checkpoints"
        self.model = path / "model.safetensors"
        self.result = path / "result.json"
        self.evaluation = path / "evaluation.json"
        self.tensorboard = path / "tensorboard"
        self._lock = path / ".lock"
        self._holder = path / ".holder.json"

    def __str__(self) -> str:
        return str(self.path)

    @property
    def exists(self) -> bool:
        """Whether a run was begun here."""
        return self.config.exists()

    def create(self) -> None:
        """Make the directory, unless it is there already and holds something else.

        Raises:
            CannotCreate: it is a file, holds other things, or may not be written to.
        """
        if self.path.is_dir() and not self.exists:
            foreign = [entry.name for entry in self.path.iterdir() if not self._is_first(entry)]
            if foreign:
                raise CannotCreate(
                    f"cannot use {self}: it holds {sorted(foreign)[0]} and is no run of genctl; "
                    "choose another --name or --runs"
                )
        for folder in (self.path, self.samples, self.checkpoints):
            files.make_folder(folder)
        for folder in (self.path, self.samples, self.checkpoints):
            if not os.access(folder, os.W_OK):
                raise CannotCreate(
                    f"cannot write to {folder}: no permission; choose another --runs"
                )

    def _is_first(self, entry: Path) -> bool:
        """Whether ``entry`` may be there before the config is: from a run killed that early."""
        if entry in (self.samples, self.checkpoints):
            return entry.is_dir() and not any(entry.iterdir())
        return entry in (self._lock, self._holder) or entry.name.startswith(files.PREFIX)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out; the lock ends with this process, however that ends.

        Raises:
            Locked: another process holds it.
        """
        with self._alone():
            me = {"pid": os.getpid(), "host": socket.gethostname()}
            files.atomic_write(self._holder, json.dumps(me).encode())
            yield

    @contextmanager
    def _alone(self) -> Iterator[None]:
        from filelock import FileLock, Timeout

        lock = FileLock(self._lock)
        try:
            # Not at once: `genctl runs` holds it for a moment to see whether it is free.
            lock.acquire(timeout=0.5, poll_interval=0.05)
        except Timeout:
            holder = _read_json(self._holder)
            who = f"process {holder.get('pid', '?')} on {holder.get('host', '?')}"
            raise Locked(
                f"cannot work in {self}: {who} does; wait for it and run the same command again"
            ) from None
        except PermissionError:
            raise CannotCreate(
                f"cannot write {self._lock}: no permission; choose another --name or --runs"
            ) from None
        try:
            yield
        finally:
            lock.release()

    @property
    def is_locked(self) -> bool:
        """Whether a process is at work here now."""
        from filelock import FileLock, Timeout

        if not self._lock.exists():
            return False
        lock = FileLock(self._lock)
        try:
            lock.acquire(timeout=0)
        except (Timeout, OSError):
            return True
        lock.release()
        return False

    def remove_leftovers(self) -> None:
        """Delete the unfinished files that a killed process left."""
        for folder in (self.path, self.samples, self.checkpoints):
            files.remove_leftovers(folder)

    def move_aside(self) -> Path:
        """Rename the directory, so that its name is free and nothing is lost."""
        with self._alone():  # not a byte of it changes
            number = 1
            while (aside := self.path.with_name(f"{self.path.name}.old-{number}")).exists():
                number += 1
            self.path.rename(aside)
        return aside

    # -- metrics ----------------------------------------------------------------------------------

    def log(self, record: dict[str, Any]) -> None:
        """Add one line to metrics.jsonl."""
        files.append_line(self.metrics, json.dumps(record))

    def sync_metrics(self) -> None:
        """Make every line so far last: a checkpoint that follows will not have them made again."""
        if self.metrics.exists():
            files.sync(self.metrics)

    def read_metrics(self) -> list[dict[str, Any]]:
        """Every whole line of metrics.jsonl that is one of ours."""
        if not self.metrics.exists():
            return []
        records = []
        for line in self.metrics.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                records.append(json.loads(line))
            except (ValueError, RecursionError):
                continue  # a torn last line, left by a killed process
        return [record for record in records if _is_record(record)]

    def cut_metrics(self, images: int) -> None:
        """Forget what was logged after ``images``: it will be logged again."""
        if not self.metrics.exists():
            return
        kept = [record for record in self.read_metrics() if record["images"] <= images]
        text = "".join(json.dumps(record) + "\n" for record in kept)
        files.atomic_write(self.metrics, text.encode())

    # -- checkpoints ------------------------------------------------------------------------------

    def checkpoint_path(self, images: int) -> Path:
        """Where the checkpoint after ``images`` belongs."""
        return self.checkpoints / f"{images:09d}.safetensors"

    def sample_path(self, images: int) -> Path:
        """Where the grid of samples after ``images`` belongs."""
        return self.samples / f"{images:09d}.png"

    def checkpoint_paths(self) -> list[Path]:
        """The checkpoints, newest first."""
        return sorted(self.checkpoints.glob("[0-9]*.safetensors"), reverse=True)

    @property
    def saved_images(self) -> int:
        """How far the newest checkpoint is; 0 where there is none."""
        names = [path.stem for path in self.checkpoint_paths()]
        return int(names[0]) if names and names[0].isdecimal() else 0

    def prune(self, keep: int) -> None:
        """Delete all but the newest ``keep`` checkpoints."""
        for path in self.checkpoint_paths()[keep:]:
            path.unlink()

    # -- result -----------------------------------------------------------------------------------

    def read_environment(self) -> dict[str, Any]:
        """The content of environment.json, or nothing."""
        return _read_json(self.environment)

    def write_environment(self, metadata: dict[str, Any]) -> None:
        """Keep what the result depends on besides the config."""
        files.atomic_write(self.environment, (json.dumps(metadata, indent=2) + "\n").encode())

    def read_evaluation(self) -> dict[str, Any]:
        """The last JSON of evaluate, unless the model has changed since."""
        try:
            if self.evaluation.stat().st_mtime < self.model.stat().st_mtime:
                return {}
        except OSError:
            return {}  # never evaluated
        return _read_json(self.evaluation)

    def read_result(self) -> dict[str, Any]:
        """The last JSON of train, or nothing."""
        found = _read_json(self.result)
        counts = (found.get("images", 0), found.get("max_time") or 0)
        return found if all(isinstance(count, int | float) for count in counts) else {}

    def write_result(self, result: dict[str, Any]) -> None:
        """Keep the last JSON of train."""
        files.atomic_write(self.result, (json.dumps(result, indent=2) + "\n").encode())

    def status(self) -> str:
        """complete, running, interrupted, diverged or failed."""
        if self.is_locked:
            return "running"
        found = self.read_result().get("status", "interrupted")
        return found if found in STATUSES else "failed"


def find(name: str | None, runs: Path) -> Run:
    """The run called ``name``: a directory, or a name below ``runs``; else the newest with a model.

    Raises:
        MissingInput: there is none.
    """
    if name is not None:
        for path in (Path(name), runs / name):
            if path.is_dir():
                return Run(path)
        raise MissingInput(
            f"cannot find --run {name}: neither a folder nor a name in {runs}; `genctl runs` lists "
            "them"
        )
    trained = [run for run in all_runs(runs) if run.model.exists()]
    if not trained:
        raise MissingInput(
            f"cannot find a trained model in {runs}: train one with "
            "`genctl train --config digits_cgan`, or name one with --run"
        )
    return max(trained, key=lambda run: run.model.stat().st_mtime)


def find_model(name: str | None, runs: Path) -> Path:
    """The model file that RUN means: a ``.safetensors`` file, or that of a run."""
    if name is not None and Path(name).is_file():
        return Path(name)
    run = find(name, runs)
    if not run.model.exists():
        raise MissingInput(
            f"cannot find a model in {run}: it is written at the first checkpoint; train on"
        )
    return run.model


def all_runs(runs: Path) -> list[Run]:
    """Every run below ``runs``, by name."""
    if not runs.is_dir():
        return []
    return [run for path in sorted(runs.iterdir()) if (run := Run(path)).exists]


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_record(found: Any) -> bool:
    """Whether a line of metrics is what ``log`` writes."""
    return (
        isinstance(found, dict)
        and isinstance(found.get("images"), int)
        and isinstance(found.get("terms", {}), dict)
        and isinstance(found.get("scores", {}), dict)
    )
