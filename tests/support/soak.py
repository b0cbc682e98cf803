"""The soak: one long run in calm, and the same one in a storm, which must end with the same bits.

The storm kills it, signals it and fills its disk at moments that a seed chooses; the same line
follows at once. Memory and open files are looked at every second, through /proc.
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
EVERY = 3200  # images from one checkpoint to the next
LONGEST = 4  # the time from one blow to the next, in times that a run to a first checkpoint takes
SETTLED = 60  # seconds after which a process has all that it needs
GROWTH = 5.0  # MB that it may grow by from then on
FULL = "full disk"
Number = TypeVar("Number", int, float)

BLOWS = ("SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", FULL)


@dataclass
class Life:
    """One process from its start to its end."""

    process: "subprocess.Popen[str]"
    started: float = field(default_factory=time.monotonic)
    memory: list[float] = field(default_factory=list)  # MB that are resident, once a second
    files: list[int] = field(default_factory=list)  # that are open, once a second

    def lasts(self, seconds: float) -> bool:
        """Look at the process for so long; False if it has ended."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            try:
                self.process.wait(min(left, 1.0))
            except subprocess.TimeoutExpired:
                self._look()
            else:
                return False
        return self.process.poll() is None

    def end(self) -> int:
        """Wait for it; returns its exit code."""
        while self.lasts(3600):
            pass
        return self.process.returncode

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def _look(self) -> None:
        mine = Path("/proc") / str(self.process.pid)
        pages = int((mine / "statm").read_text().split()[1])
        self.memory.append(pages * resource.getpagesize() / 1e6)
        self.files.append(len(list((mine / "fd").iterdir())))


def is_old(life: Life) -> bool:
    """Whether a process lived long enough to be asked whether it grows."""
    return len(life.memory) >= 2 * SETTLED


def memory_of(life: Life) -> tuple[float, float]:
    """What it held once it had settled, and at its end: MB in the middle of some time."""
    first, last = quarters(life.memory)
    return median(first), median(last)


def files_of(life: Life) -> tuple[int, int]:
    """The files that it never closed once it had settled, and at its end."""
    first, last = quarters(life.files)
    return min(first), min(last)


def quarters(values: list[Number]) -> tuple[list[Number], list[Number]]:
    """The first and the last quarter of what was seen of a settled process."""
    seen = values[SETTLED:]
    quarter = len(seen) // 4
    return seen[:quarter], seen[-quarter:]


def growth(life: Life) -> list[str]:
    """What a process has more of than it had, in words."""
    memory, files = memory_of(life), files_of(life)
    found = []
    if memory[1] > memory[0] + GROWTH:
        found.append(f"memory grew from {memory[0]:.1f} to {memory[1]:.1f} MB")
    if files[1] > files[0]:
        found.append(f"open files grew from {files[0]} to {files[1]}")
    return found


def begin(folder: Path, images: int) -> Life:
    """Start the line, which is always the same."""
    settings = {"images": images, "checkpoint_every": EVERY, "log_every": EVERY // 10}
    sets = [word for name, n in settings.items() for word in ("--set", f"training.{name}={n}")]
    line = ["train", "--config", "tiny", "--name", "run", "--json", "--quiet", *sets]
    return Life(
        subprocess.Popen(
            [sys.executable, "-m", "genctl", *line],
            cwd=folder,
            stdout=subprocess.PIPE,  # no files: they would be full as well
            stderr=subprocess.PIPE,
            text=True,
        )
    )


def strike(life: Life, blow: str, chance: random.Random) -> set[int]:
    """Let it happen; returns the exit codes with which the process may end."""
    if blow == FULL:
        limit = chance.choice([0, 4_096, 40_000])
        resource.prlimit(life.process.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        return {74}
    number = getattr(signal, blow)
    life.process.send_signal(number)
    # While Python itself starts, no signal is handled yet; after the end, none is any more.
    return {-number} if blow == "SIGKILL" else {-number, 128 + number}


def weather(
    folder: Path, images: int, seed: int, longest: float
) -> tuple[list[Life], collections.Counter[str]]:
    """Train until the run is complete, with blows that are at most ``longest`` seconds apart."""
    chance, lives, blows = random.Random(seed), [], collections.Counter[str]()
    while True:
        life = begin(folder, images)
        lives.append(life)
        expected, told = {0}, []
        while life.lasts(chance.uniform(0, longest)):
            blow = chance.choice(BLOWS)
            told.append(f"{blow} after {life.seconds:.1f} s")
            blows[blow] += 1
            expected |= strike(life, blow, chance)
            if blow != "SIGUSR1":
                life.end()
                break
        code = life.end()
        out, err = life.process.communicate()
        print(f"  {', '.join(told) or 'nothing'}: exit {code}", flush=True)
        if code not in expected or "Traceback" in err.replace("KeyboardInterrupt", ""):
            raise SystemExit(f"expected exit {sorted(expected)}, found {code}:\n{out}{err}")
        if code == 0:
            return lives, blows


def main() -> int:
    """Run the soak; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seconds", nargs="?", type=float, default=3600.0)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="genctl-soak-") as name:
        return soak(Path(name), asked.seconds, asked.seed)


def soak(folder: Path, seconds: float, seed: int) -> int:
    """Calm, storm and comparison in about so many seconds."""
    first, calm, storm = (folder / name for name in ("first", "calm", "storm"))
    for each in (first, calm, storm):
        each.mkdir()
    try_out = begin(first, EVERY)
    try_out.end()
    longest = LONGEST * try_out.seconds
    rate = json.loads((first / RUN / "result.json").read_text())["images_per_second"]
    images = max(round(rate * seconds * 0.3 / EVERY), 2) * EVERY
    print(f"seed {seed}: {images:,} images in calm, then in a storm", flush=True)

    life = begin(calm, images)
    if life.end() != 0:
        raise SystemExit(f"the calm run failed: {life.process.communicate()}")
    if not is_old(life):
        print("too short to say whether it grows")
    tell("calm", [life])

    started = time.monotonic()
    lives, blows = weather(storm, images, seed, longest)
    counts = ", ".join(f"{blows[blow]} {blow}" for blow in BLOWS)
    print(f"storm: {len(lives)} processes in {time.monotonic() - started:.0f} s; {counts}")
    tell("storm", lives)

    problems = [text for each in (life, *lives) if is_old(each) for text in growth(each)]
    different = differing_parts(outcome(storm / RUN), outcome(calm / RUN))
    problems += [f"the storm changed the {part}" for part in different]
    print("; ".join(problems) or "the same bits, and nothing grew")
    return 1 if problems else 0


def tell(name: str, lives: list[Life]) -> None:
    """Say what the processes held once they had settled, and what they held at their end."""
    for life in filter(is_old, lives):
        memory, files = memory_of(life), files_of(life)
        print(
            f"{name}: {len(life.memory)} s; memory {memory[0]:.1f} MB, at the end "
            f"{memory[1]:.1f} MB, at most {max(life.memory):.1f} MB; open files {files[0]}, "
            f"at the end {files[1]}",
            flush=True,
        )


if __name__ == "__main__":
    sys.exit(main())
