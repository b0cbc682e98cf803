"""Train and score a grid of settings over several seeds: a Markdown table and all numbers.

    scripts/sweep --config mnist_cgan --set objective.gamma=0.1,0.3,1 --max-time 240 --seeds 3

The same command line continues an interrupted sweep; finished runs are only read.
"""

import argparse
import itertools
import json
import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweep_table import table

from genctl.common.files import atomic_write, make_folder

GENCTL = [sys.executable, "-m", "genctl"]
RETRY = {69, 74, 75, 129, 130, 137, 143}  # exit codes after which the same command may succeed
MAX_TRIES = 3
DIVERGED = 3
INCOMPLETE = 75  # exit code of a sweep that should be run again


@dataclass(frozen=True)
class Job:
    """One run: a config, its changed settings, and a training seed."""

    config: str
    settings: tuple[str, ...]  # key=value
    seed: int


class CommandFailed(Exception):
    """A command of genctl ended with an error."""

    def __init__(self, exit_code: int) -> None:
        self.exit_code = exit_code


def plan(configs: list[str], axes: list[str], seeds: int) -> list[Job]:
    """Every combination; the first seed of all settings comes before the second of any."""
    grid = list(itertools.product(*map(values, axes)))
    return [Job(*job) for seed in range(seeds) for job in itertools.product(configs, grid, [seed])]


def values(axis: str) -> list[str]:
    """``key=1,2`` as ``key=1`` and ``key=2``; commas inside brackets do not separate values."""
    key, _, listed = axis.partition("=")
    return [f"{key}={value}" for value in re.split(r",(?![^\[{]*[\]}])", listed)]


class Sweep:
    """Runs jobs; each command gets its share of the cores."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.stopped = options, False
        self.processes: set[subprocess.Popen[str]] = set()
        threads = max((os.cpu_count() or 1) // options.jobs, 1)
        self.environment = os.environ | {"OMP_NUM_THREADS": str(threads)}

    def run(self, job: Job) -> dict[str, Any]:
        """Train and evaluate, with a few tries.

        Raises:
            CommandFailed: with the exit code of the last try.
        """
        for _ in range(MAX_TRIES - 1):
            try:
                return self._run(job)
            except CommandFailed as error:
                if error.exit_code not in RETRY:
                    raise
        return self._run(job)

    def stop(self) -> None:
        """Terminate the running commands, which write their checkpoints first."""
        self.stopped = True
        for process in list(self.processes):
            process.terminate()

    def _run(self, job: Job) -> dict[str, Any]:
        options = self.options
        settings = [f"training.seed={job.seed}", *job.settings]
        budget = ["--max-time", options.max_time]
        if options.images:
            settings, budget = [*settings, f"training.images={options.images}"], []
        changes = [word for setting in settings for word in ("--set", setting)]
        result = self._genctl(
            "train", "--config", job.config, "--runs", options.runs, *budget, *changes
        )
        return {
            "config": job.config,
            "settings": dict(setting.split("=", 1) for setting in job.settings),
            "seed": job.seed,
            **result,
            "evaluation": None if result["status"] == "diverged" else self._evaluation(result),
        }

    def _evaluation(self, result: dict[str, Any]) -> dict[str, Any]:
        """What ``genctl evaluate`` reports about a run; read from its file if that is current."""
        n, seeds = self.options.n, self.options.sampling_seeds
        model, path = Path(result["model"]), Path(result["run"]) / "evaluation.json"
        if path.exists() and path.stat().st_mtime >= model.stat().st_mtime:
            saved: dict[str, Any] = json.loads(path.read_text())
            same_protocol = (saved["against"], saved["features"]) == ("train", "judge")
            if same_protocol and saved["seeds"] == seeds and n in (None, saved["n"]):
                return saved
        samples = [] if n is None else ["--n", n]
        return self._genctl("evaluate", "--run", result["run"], "--seeds", seeds, *samples)

    def _genctl(self, *arguments: object) -> dict[str, Any]:
        """The JSON that a command prints."""
        if self.stopped:
            raise CommandFailed(128 + signal.SIGTERM)
        options = ("--device", self.options.device, "--json", "--quiet")
        command = [*GENCTL, *map(str, (*arguments, *options))]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=self.environment
        ) as process:
            self.processes.add(process)
            out, _ = process.communicate()
            self.processes.remove(process)
        code = process.returncode if process.returncode >= 0 else 128 - process.returncode
        if code not in (0, DIVERGED):
            raise CommandFailed(code)
        answer: dict[str, Any] = json.loads(out)
        return answer


def run(options: argparse.Namespace) -> int:
    """Run all jobs, write the results after each, and return the exit code."""
    jobs = plan(options.config, options.set, options.seeds)
    sweep, records, exit_code = Sweep(options), dict[Job, dict[str, Any]](), 0
    with ThreadPoolExecutor(options.jobs) as pool:
        futures = {pool.submit(sweep.run, job): job for job in jobs}
        try:
            for future in as_completed(futures):
                try:
                    records[futures[future]] = future.result()
                except CommandFailed as error:
                    if error.exit_code not in RETRY:
                        raise
                    exit_code = INCOMPLETE
                write([records[job] for job in jobs if job in records], options.out)
                done = f"{len(records)} of {len(jobs)} runs: {options.out}.md"
                print(done, file=sys.stderr, flush=True)
        except CommandFailed as error:
            exit_code = error.exit_code
        except KeyboardInterrupt:
            exit_code = 128 + signal.SIGINT
        finally:
            sweep.stop()
            pool.shutdown(cancel_futures=True)
    return exit_code


def write(records: list[dict[str, Any]], stem: Path) -> None:
    """Write all numbers, and their table."""
    make_folder(stem.parent)
    lines = "".join(json.dumps(record) + "\n" for record in records)
    atomic_write(stem.with_name(f"{stem.name}.jsonl"), lines.encode())
    atomic_write(stem.with_name(f"{stem.name}.md"), table(records).encode())


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--config", action="append", required=True, metavar="FILE",
        help="a YAML file or preset; repeatable")  # fmt: skip
    add("--set", action="append", default=[], metavar="KEY=VALUE[,VALUE...]",
        help="one axis of the grid; repeatable")  # fmt: skip
    budget = parser.add_mutually_exclusive_group(required=True)
    budget.add_argument("--max-time", type=float, metavar="SECONDS", help="of each run")
    budget.add_argument("--images", type=int, metavar="N", help="training images of each run")
    add("--seeds", type=int, default=3, metavar="N", help="training seeds of each setting (3)")
    add("--jobs", type=int, default=1, metavar="N", help="runs at a time; they share the cores (1)")
    add("--n", type=int, metavar="N",
        help="samples of each evaluation (one per test image, up to 10,000)")  # fmt: skip
    add("--sampling-seeds", type=int, default=3, metavar="N",
        help="sampling seeds of each evaluation (3)")  # fmt: skip
    add("--device", default="auto", help="auto, cpu, cuda ...")
    add("--runs", type=Path, metavar="DIR", help="folder of the runs (runs/sweep-BUDGET)")
    add("--out", type=Path, metavar="STEM",
        help="write STEM.md, the table, and STEM.jsonl, all numbers (RUNS/sweep)")  # fmt: skip
    options = parser.parse_args()
    # The name of a run does not depend on its budget: in the same folder, a larger budget would
    # extend the run of the smaller one, whose schedule has already ended.
    budget_name = f"{options.images}" if options.images else f"{options.max_time:g}s"
    options.runs = options.runs or Path(f"runs/sweep-{budget_name}")
    options.out = options.out or options.runs / "sweep"
    return options


def main() -> int:
    """Run the sweep, and print its table."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = parse_arguments()
    exit_code = run(options)
    path = options.out.with_name(f"{options.out.name}.md")
    if path.exists():
        print(path.read_text(), end="")
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
