"""The run directory: its files, its lock, its metrics and its status."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from genctl.common import files
from genctl.common.errors import CannotCreate, Locked

STATUSES = ("complete", "running", "interrupted", "diverged", "failed")


class Run:
    """One run directory. The constructor touches no files; ``create`` makes the directory."""

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
        self.finish = path / "finish.json"
        self.finish_request = path / ".finish-request.json"
        self.tensorboard = path / "tensorboard"
        self._lock = path / ".lock"
        self._lock_holder = path / ".holder.json"

    def __str__(self) -> str:
        return str(self.path)

    @property
    def exists(self) -> bool:
        """Whether a run was started in this directory."""
        return self.config.exists()

    def create(self) -> None:
        """Make the directory, unless it exists and holds files of something else.

        Raises:
            CannotCreate: it is a file, holds other files, or is not writable.
        """
        if self.path.is_dir() and not self.exists:
            foreign = [entry.name for entry in self.path.iterdir() if not self._is_ours(entry)]
            if foreign:
                raise CannotCreate(
                    f"cannot use {self}: it holds {min(foreign)} and is not a run of genctl; "
                    "choose another --name or --runs"
                )
        folders = (self.path, self.samples, self.checkpoints)
        for folder in folders:
            files.make_folder(folder)
        for folder in folders:
            if not os.access(folder, os.W_OK):
                raise CannotCreate(
                    f"cannot write to {folder}: no permission; choose another --runs"
                )

    def _is_ours(self, entry: Path) -> bool:
        """Whether a run that was killed before it wrote its config can have left ``entry``."""
        if entry in (self.samples, self.checkpoints):
            return entry.is_dir() and not any(entry.iterdir())
        locks = (self._lock, self._lock_holder)
        return entry in locks or entry.name.startswith(files.PREFIX)

    # -- lock -------------------------------------------------------------------------------------

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out. The system releases the lock however this process ends.

        Raises:
            Locked: another process holds the lock.
        """
        with self._acquire_lock():
            holder = {"pid": os.getpid(), "host": socket.gethostname()}
            files.atomic_write(self._lock_holder, json.dumps(holder).encode())
            yield

    @contextmanager
    def _acquire_lock(self) -> Iterator[None]:
        from filelock import FileLock, Timeout

        lock = FileLock(self._lock)
        try:
            # Wait a moment: `genctl runs` holds the lock briefly to see whether it is free.
            lock.acquire(timeout=0.5, poll_interval=0.05)
        except Timeout:
            holder = _read_json(self._lock_holder)
            process = f"process {holder.get('pid', '?')} on {holder.get('host', '?')}"
            raise Locked(
                f"cannot use {self}: {process} is using it; wait for it and run the same command "
                "again"
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
        """Whether a process is using this run now."""
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
        """Delete unfinished files of a killed process."""
        for folder in (self.path, self.samples, self.checkpoints):
            files.remove_leftovers(folder)

    def move_aside(self) -> Path:
        """Rename the directory to NAME.old-1 or the next free number; returns the new path."""
        with self._acquire_lock():  # without writing the holder: the old run stays unchanged
            number = 1
            while (aside := self.path.with_name(f"{self.path.name}.old-{number}")).exists():
                number += 1
            self.path.rename(aside)
        return aside

    # -- metrics ----------------------------------------------------------------------------------

    def log(self, record: dict[str, Any]) -> None:
        """Append one line to metrics.jsonl."""
        files.append_line(self.metrics, json.dumps(record))

    def sync_metrics(self) -> None:
        """Flush metrics.jsonl to disk: lines before a checkpoint are not written again."""
        if self.metrics.exists():
            files.sync(self.metrics)

    def read_metrics(self) -> list[dict[str, Any]]:
        """All valid lines of metrics.jsonl."""
        if not self.metrics.exists():
            return []
        records = []
        for line in self.metrics.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                records.append(json.loads(line))
            except (ValueError, RecursionError):
                continue  # a half-written last line of a killed process
        return [record for record in records if _is_metrics(record)]

    def truncate_metrics(self, images: int) -> None:
        """Remove the lines after ``images``: the resumed run writes them again."""
        if not self.metrics.exists():
            return
        kept = [record for record in self.read_metrics() if record["images"] <= images]
        text = "".join(json.dumps(record) + "\n" for record in kept)
        files.atomic_write(self.metrics, text.encode())

    # -- checkpoints and samples ------------------------------------------------------------------

    def checkpoint_path(self, images: int) -> Path:
        """The path of the checkpoint after ``images``."""
        return self.checkpoints / f"{images:09d}.safetensors"

    def sample_path(self, images: int) -> Path:
        """The path of the sample grid after ``images``."""
        return self.samples / f"{images:09d}.png"

    def checkpoint_paths(self) -> list[Path]:
        """The checkpoints, newest first."""
        return sorted(self.checkpoints.glob("[0-9]*.safetensors"), reverse=True)

    @property
    def checkpoint_images(self) -> int:
        """Images seen at the newest checkpoint; 0 if there is none."""
        names = [path.stem for path in self.checkpoint_paths()]
        return int(names[0]) if names and names[0].isdecimal() else 0

    def prune_checkpoints(self, keep: int) -> None:
        """Delete all but the newest ``keep`` checkpoints."""
        for path in self.checkpoint_paths()[keep:]:
            path.unlink()

    # -- JSON files -------------------------------------------------------------------------------

    def read_environment(self) -> dict[str, Any]:
        """environment.json; empty if it is missing or damaged."""
        return _read_json(self.environment)

    def write_environment(self, environment: dict[str, Any]) -> None:
        """Write environment.json."""
        _write_json(self.environment, environment)

    def read_evaluation(self) -> dict[str, Any]:
        """The last JSON of evaluate; empty if the model is newer."""
        try:
            if self.evaluation.stat().st_mtime < self.model.stat().st_mtime:
                return {}
        except OSError:
            return {}  # never evaluated
        return _read_json(self.evaluation)

    def read_result(self) -> dict[str, Any]:
        """The last JSON of train; empty if it is missing or damaged."""
        result = _read_json(self.result)
        numbers = (result.get("images", 0), result.get("max_time") or 0)
        return result if all(isinstance(number, int | float) for number in numbers) else {}

    def write_result(self, result: dict[str, Any]) -> None:
        """Write the last JSON of train."""
        _write_json(self.result, result)

    def status(self) -> str:
        """One of ``STATUSES``."""
        if self.is_locked:
            return "running"
        status = self.read_result().get("status", "interrupted")
        return status if status in STATUSES else "failed"


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _write_json(path: Path, content: dict[str, Any]) -> None:
    files.atomic_write(path, (json.dumps(content, indent=2) + "\n").encode())


def _is_metrics(record: Any) -> bool:
    """Whether ``record`` has the types that ``log`` writes."""
    return (
        isinstance(record, dict)
        and isinstance(record.get("images"), int)
        and isinstance(record.get("terms", {}), dict)
        and isinstance(record.get("scores", {}), dict)
    )
