"""A soak test: a long run under faults must end with the same bits as an undisturbed one.

The faults are SIGKILL, other signals and full disks, at seeded random moments; after each of them
the same command is started again. Memory and open files are read from /proc every second.
"""

import argparse
import collections
import json
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TypeVar

from tests.support.processes import differing_parts, outcome

RUN = Path("runs") / "run"
CHECKPOINT_EVERY = 3200  # images
MAX_PAUSE = 4  # between two faults, in multiples of the time to the first checkpoint
WARM_UP = 60  # seconds after which a process should not grow
MAX_GROWTH = 5.0  # MB
FULL_DISK = "full disk"
Number = TypeVar("Number", int, float)

FAULTS = ("SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", FULL_DISK)


@dataclass
class Process:
    """A process of genctl, and what was measured of it."""

    popen: "subprocess.Popen[str]"
    started: float = field(default_factory=time.monotonic)
    memory: list[float] = field(default_factory=list)  # resident MB, once a second
    files: list[int] = field(default_factory=list)  # open files, once a second
    output: str = ""  # stdout and stderr, once it has ended

    def survives(self, seconds: float) -> bool:
        """Measure the process for some seconds; returns False if it has ended."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            try:
                self.popen.wait(min(left, 1.0))
            except subprocess.TimeoutExpired:
                self._measure()
            else:
                return False
        return self.popen.poll() is None

    def wait(self) -> int:
        """Wait for its end; returns the exit code."""
        while self.survives(3600):
            pass
        if self.popen.stdout is not None and not self.popen.stdout.closed:
            self.output = "".join(self.popen.communicate())
        return self.popen.returncode

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def _measure(self) -> None:
        folder = Path("/proc") / str(self.popen.pid)
        pages = int((folder / "statm").read_text().split()[1])
        self.memory.append(pages * resource.getpagesize() / 1e6)
        self.files.append(len(list((folder / "fd").iterdir())))


def is_old(process: Process) -> bool:
    """Whether a process ran long enough to tell whether it grows."""
    return len(process.memory) >= 2 * WARM_UP


def memory_of(process: Process) -> tuple[float, float]:
    """The median resident MB after the warm-up, and at the end."""
    first, last = quarters(process.memory)
    return median(first), median(last)


def files_of(process: Process) -> tuple[int, int]:
    """The lowest number of open files after the warm-up, and at the end."""
    first, last = quarters(process.files)
    return min(first), min(last)


def quarters(values: list[Number]) -> tuple[list[Number], list[Number]]:
    """The first and the last quarter of the values after the warm-up."""
    settled = values[WARM_UP:]
    quarter = len(settled) // 4
    return settled[:quarter], settled[-quarter:]


def growth(process: Process) -> list[str]:
    """Describe what grew."""
    memory, files = memory_of(process), files_of(process)
    found = []
    if memory[1] > memory[0] + MAX_GROWTH:
        found.append(f"memory grew from {memory[0]:.1f} to {memory[1]:.1f} MB")
    if files[1] > files[0]:
        found.append(f"open files grew from {files[0]} to {files[1]}")
    return found


def start(folder: Path, images: int) -> Process:
    """Start the command, which is always the same."""
    settings = {
        "images": images,
        "checkpoint_every": CHECKPOINT_EVERY,
        "log_every": CHECKPOINT_EVERY // 10,
    }
    sets = [word for name, n in settings.items() for word in ("--set", f"training.{name}={n}")]
    line = ["train", "--config", "tiny", "--name", "run", "--json", "--quiet", *sets]
    return Process(
        subprocess.Popen(
            [sys.executable, "-m", "genctl", *line],
            cwd=folder,
            stdout=subprocess.PIPE,  # the limit on the size of files must not apply to it
            stderr=subprocess.PIPE,
            text=True,
        )
    )


def inject(process: Process, fault: str, chance: random.Random) -> set[int]:
    """Inject a fault; returns the exit codes that the process may end with."""
    if fault == FULL_DISK:
        limit = chance.choice([0, 4_096, 40_000])
        resource.prlimit(process.popen.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        return {74}
    number = getattr(signal, fault)
    process.popen.send_signal(number)
    # While Python starts and ends, a signal has its default effect.
    return {-number} if fault == "SIGKILL" else {-number, 128 + number}


def train_under_faults(
    folder: Path, images: int, seed: int, max_pause: float
) -> tuple[list[Process], collections.Counter[str]]:
    """Train until the run is complete, with faults at most ``max_pause`` seconds apart."""
    chance, processes, injected = random.Random(seed), [], collections.Counter[str]()
    while True:
        process = start(folder, images)
        processes.append(process)
        expected, faults = {0}, []
        while process.survives(chance.uniform(0, max_pause)):
            fault = chance.choice(FAULTS)
            faults.append(f"{fault} after {process.seconds:.1f} s")
            injected[fault] += 1
            expected |= inject(process, fault, chance)
            if fault != "SIGUSR1":
                process.wait()
                break
        code = process.wait()
        print(f"  {', '.join(faults) or 'nothing'}: exit {code}", flush=True)
        if code not in expected or "Traceback" in process.output:
            raise SystemExit(f"expected exit {sorted(expected)}, found {code}:\n{process.output}")
        if code == 0:
            return processes, injected


def main() -> int:
    """Run the soak test; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seconds", nargs="?", type=float, default=3600.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="genctl-soak-") as name:
        return soak(Path(name), options.seconds, options.seed)


def soak(folder: Path, seconds: float, seed: int) -> int:
    """Train undisturbed, train under faults and compare, in about ``seconds`` in total."""
    first, undisturbed, disturbed = (
        folder / name for name in ("first", "undisturbed", "disturbed")
    )
    for each in (first, undisturbed, disturbed):
        each.mkdir()
    trial = start(first, CHECKPOINT_EVERY)
    trial.wait()
    max_pause = MAX_PAUSE * trial.seconds
    rate = json.loads((first / RUN / "result.json").read_text())["images_per_second"]
    images = max(round(rate * seconds * 0.3 / CHECKPOINT_EVERY), 2) * CHECKPOINT_EVERY
    print(f"seed {seed}: {images:,} images undisturbed, then under faults", flush=True)

    process = start(undisturbed, images)
    if process.wait() != 0:
        raise SystemExit(f"the undisturbed run failed: {process.output}")
    if not is_old(process):
        print("too short to tell whether it grows")
    report("undisturbed", [process])

    started = time.monotonic()
    processes, injected = train_under_faults(disturbed, images, seed, max_pause)
    counts = ", ".join(f"{injected[fault]} {fault}" for fault in FAULTS)
    print(
        f"under faults: {len(processes)} processes in {time.monotonic() - started:.0f} s; {counts}"
    )
    report("under faults", processes)

    problems = [text for each in (process, *processes) if is_old(each) for text in growth(each)]
    different = differing_parts(outcome(disturbed / RUN), outcome(undisturbed / RUN))
    problems += [f"the faults changed the {part}" for part in different]
    print("; ".join(problems) or "the same bits, and nothing grew")
    return 1 if problems else 0


def report(name: str, processes: list[Process]) -> None:
    """Print memory and open files of each process, after the warm-up and at the end."""
    for process in filter(is_old, processes):
        memory, files = memory_of(process), files_of(process)
        print(
            f"{name}: {len(process.memory)} s; memory {memory[0]:.1f} MB, at the end "
            f"{memory[1]:.1f} MB, at most {max(process.memory):.1f} MB; open files {files[0]}, "
            f"at the end {files[1]}",
            flush=True,
        )


if __name__ == "__main__":
    sys.exit(main())
