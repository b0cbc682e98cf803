"""Train and score a grid of settings over several seeds: a Markdown table and all numbers.

    scripts/sweep --config mnist_cgan --set objective.gamma=0.1,0.3,1 --max-time 240 --seeds 3

The same line again goes on where it was interrupted; what is finished answers at once.
"""

import argparse
import itertools
import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweep_table import table

from genctl.common.files import atomic_write, make_folder

GENCTL = [sys.executable, "-m", "genctl"]
AGAIN = {69, 74, 75, 129, 130, 137, 143}  # exit codes after which the same line may succeed
DIVERGED = 3
TRIES = 3  # of one run, before it is left to the next sweep


@dataclass(frozen=True)
class Job:
    """One run: a config, what is set in it, and a seed."""

    config: str
    sets: tuple[str, ...]  # key=value
    seed: int


class Failed(Exception):
    """A command ended with this exit code."""

    def __init__(self, code: int) -> None:
        self.code = code


def plan(configs: list[str], axes: list[str], seeds: int) -> list[Job]:
    """Every combination; each setting gets its first seed before any gets its second."""
    grid = list(itertools.product(*map(values, axes)))
    return [Job(*job) for seed in range(seeds) for job in itertools.product(configs, grid, [seed])]


def values(axis: str) -> list[str]:
    """``key=1,2`` as ``key=1`` and ``key=2``; a comma inside brackets divides nothing."""
    key, _, listed = axis.partition("=")
    return [f"{key}={value}" for value in re.split(r",(?![^\[{]*[\]}])", listed)]


class Sweep:
    """Runs the commands of jobs, several at a time, each with its share of the cores."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.ending = options, False
        self.children: set[subprocess.Popen[str]] = set()
        threads = max((os.cpu_count() or 1) // options.jobs, 1)
        self.environment = os.environ | {"OMP_NUM_THREADS": str(threads)}

    def do(self, job: Job) -> dict[str, Any]:
        """Train and evaluate; what is finished already is only read."""
        metadata = {"config": job.config, "sets": dict(one.split("=", 1) for one in job.sets),
                 "seed": job.seed}  # fmt: skip
        sets = [f"training.seed={job.seed}", *job.sets]
        budget = ["--max-time", self.options.max_time]
        if self.options.images:
            sets, budget = [*sets, f"training.images={self.options.images}"], []
        words = [word for one in sets for word in ("--set", one)]
        where = ["--config", job.config, "--runs", self.options.runs]
        result = self.genctl("train", *where, *budget, *words, allowed=(0, DIVERGED))
        return metadata | result | {"evaluation": self.evaluation(result)}

    def evaluation(self, result: dict[str, Any]) -> dict[str, Any] | None:
        """What ``genctl evaluate`` says of a run, now or at an earlier time."""
        if result["status"] == "diverged":
            return None
        model, kept = Path(result["model"]), Path(result["run"]) / "evaluation.json"
        if kept.exists() and kept.stat().st_mtime >= model.stat().st_mtime:
            found: dict[str, Any] = json.loads(kept.read_text())
            usual = (found["against"], found["features"]) == ("train", "judge")
            same = found["seeds"] == self.options.draws and self.options.n in (None, found["n"])
            if usual and same:
                return found
        count = [] if self.options.n is None else ["--n", self.options.n]
        wanted = ["--run", result["run"], "--seeds", self.options.draws, *count]
        return self.genctl("evaluate", *wanted)

    def genctl(self, *words: object, allowed: tuple[int, ...] = (0,)) -> dict[str, Any]:
        if self.ending:
            raise Failed(143)
        words = (*words, "--device", self.options.device, "--json", "--quiet")
        command = [*GENCTL, *map(str, words)]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=self.environment
        ) as child:
            self.children.add(child)
            out, _ = child.communicate()
            self.children.remove(child)
        code = child.returncode if child.returncode >= 0 else 128 - child.returncode
        if code not in allowed:
            raise Failed(code)
        answer: dict[str, Any] = json.loads(out)
        return answer

    def end(self) -> None:
        """Let the commands write their checkpoints and go."""
        self.ending = True
        for child in list(self.children):
            child.terminate()


def run(options: argparse.Namespace) -> int:
    """Do all jobs, keep what they found after each, and return the exit code of the sweep."""
    jobs = plan(options.config, options.set, options.seeds)
    sweep, records, tries = Sweep(options), dict[Job, dict[str, Any]](), Counter[Job]()
    code = 0
    with ThreadPoolExecutor(options.jobs) as pool:
        waiting = {pool.submit(sweep.do, job): job for job in jobs}
        try:
            while waiting:
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    job = waiting.pop(future)
                    try:
                        records[job] = future.result()
                    except Failed as failed:
                        tries[job] += 1
                        if failed.code not in AGAIN:
                            raise
                        if tries[job] < TRIES:
                            waiting[pool.submit(sweep.do, job)] = job
                        else:
                            code = 75  # run me again
                    write([records[job] for job in jobs if job in records], options.out)
                    told = f"{len(records)} of {len(jobs)} runs: {options.out}.md"
                    print(told, file=sys.stderr, flush=True)
        except Failed as failed:
            code = failed.code
        except KeyboardInterrupt:
            code = 130
        finally:
            sweep.end()
            pool.shutdown(cancel_futures=True)
    return code


def write(records: list[dict[str, Any]], stem: Path) -> None:
    """All numbers, and their table."""
    make_folder(stem.parent)
    lines = "".join(json.dumps(record) + "\n" for record in records)
    atomic_write(stem.with_name(f"{stem.name}.jsonl"), lines.encode())
    atomic_write(stem.with_name(f"{stem.name}.md"), table(records).encode())


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--config", action="append", required=True, help="a YAML file or preset; repeatable")
    add("--set", action="append", default=[], metavar="KEY=VALUE[,VALUE]", help="repeatable axis")
    budget = parser.add_mutually_exclusive_group(required=True)
    budget.add_argument("--max-time", type=float, metavar="SECONDS", help="of each run")
    budget.add_argument("--images", type=int, help="of each run")
    add("--seeds", type=int, default=3, help="runs of each setting (3)")
    add("--jobs", type=int, default=1, help="runs at a time, which share the cores (1)")
    add("--n", type=int, help="samples of an evaluation; else what is kept, or genctl's default")
    add("--draws", type=int, default=3, help="sampling seeds of an evaluation (3)")
    add("--device", default="auto", help="auto, cpu, cuda ...")
    add("--runs", type=Path, help="where the runs lie: not those of another budget, which would be "
        "made longer after their schedules had ended (runs/sweep-BUDGET)")  # fmt: skip
    add("--out", type=Path, help="the table is OUT.md, the numbers are OUT.jsonl (RUNS/sweep)")
    options = parser.parse_args()
    # A budget is no part of a run's name.
    told = f"{options.images}" if options.images else f"{options.max_time:g}s"
    options.runs = options.runs or Path(f"runs/sweep-{told}")
    options.out = options.out or options.runs / "sweep"
    return options


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = arguments()
    code = run(options)
    written = options.out.with_name(f"{options.out.name}.md")
    if written.exists():
        print(written.read_text(), end="")
    sys.exit(code)
