"""A stand-in for ``genctl train`` and ``genctl evaluate``, which takes milliseconds.

It leaves a log of all images that it "trains" on, obeys SIGTERM with a checkpoint, and has scores
that are a function of the learning rate, the seed and the images. ``codes.json`` in the working
directory makes its first calls end with those exit codes.

``python -m tests.support.fake_genctl sweep …`` is ``genctl sweep …`` with this instead of genctl.
"""

import fcntl
import itertools
import json
import math
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

STEP = 10  # images
STEP_SECONDS = 0.003
DIVERGES = 0.5  # learning rates from here on do


def main(words: list[str]) -> int:
    """Run the command."""
    code = planned_code(words[0])
    if code == "hang":
        Path("started").touch()
        time.sleep(30)
        Path("overslept").touch()
    if code:
        print(f"genctl: error: planned exit code {code}; nothing to do", file=sys.stderr)
        return int(code)
    options: dict[str, list[str]] = {}
    for name, value in itertools.pairwise(words):
        if name.startswith("--"):
            options.setdefault(name, []).append(value)
    return train(options) if words[0] == "train" else evaluate(options)


def planned_code(command: str) -> Any:
    """The exit code that this call ends with at once, if the test wants that."""
    append("calls", f"{command} {os.environ.get('OMP_NUM_THREADS')}")
    plan = Path("codes.json")
    codes = json.loads(plan.read_text()) if plan.exists() else []
    count = len(Path("calls").read_text().splitlines())
    return codes[count - 1] if count <= len(codes) else 0


def train(options: dict[str, list[str]]) -> int:
    """Count images up to the budget or the pause."""
    settings = dict(setting.split("=", 1) for setting in options["--set"])
    run = Path(options["--runs"][0]) / options["--name"][0]
    run.mkdir(parents=True, exist_ok=True)
    lock = (run / ".lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return 75
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
    (run / "config.yaml").write_text(json.dumps(settings))
    checkpoint, result = run / "checkpoint.txt", run / "result.json"
    result.unlink(missing_ok=True)
    images = int(checkpoint.read_text()) if checkpoint.exists() else 0
    total = int(settings["training.images"])
    pause_at = int(options.get("--pause-at", [str(total)])[0])
    diverges = float(settings.get("optimizer.learning_rate", 0)) >= DIVERGES
    while images < min(pause_at, total) and not stopped:
        time.sleep(STEP_SECONDS)
        images += STEP
        append("log", f"{run.name} {images}")
        replace(checkpoint, str(images))
        if diverges:
            break
    (run / "model.safetensors").touch()
    status = "diverged" if diverges else "complete" if images >= total else "interrupted"
    content = {
        "run": str(run), "status": status, "images": images, "seconds": images / 100,
        "images_per_second": 100.0, "settings": settings,
        "stopped_by": "images" if status == "complete" else "pause",
    }  # fmt: skip
    if stopped and images < min(pause_at, total):
        return 128 + stopped[0]
    replace(result, json.dumps(content))
    print(json.dumps(content))
    return 3 if diverges else 0


def evaluate(options: dict[str, list[str]]) -> int:
    """Score a run by its settings and images."""
    result = json.loads((Path(options["--run"][0]) / "result.json").read_text())
    settings, images = result["settings"], result["images"]
    rate, seed = float(settings.get("optimizer.learning_rate", 1e-3)), settings["training.seed"]
    fid = round(abs(math.log10(rate) + 2.5) + 10 / images + 0.01 * int(seed), 6)
    append("scored", f"{Path(result['run']).name} {images}")
    print(json.dumps({
        "scores": {"fid": fid, "agreement": 0.9, "coverage": 0.8},
        "real": {"fid": 0.03, "agreement": 0.99, "coverage": 0.95},
    }))  # fmt: skip
    return 0


def append(name: str, line: str) -> None:
    """Add a line in one write, so that processes do not mix theirs."""
    handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(handle, f"{line}\n".encode())
    os.close(handle)


def replace(path: Path, text: str) -> None:
    """Write a file in one step."""
    part = path.with_name(f".genctl-part-{os.getpid()}")
    part.write_text(text)
    part.replace(path)


def sweep() -> None:
    """Run genctl with this file for the commands that it starts."""
    from genctl.cli.app import main as genctl
    from genctl.sweeps import processes, runner

    processes.GENCTL = (sys.executable, "-S", "-E", __file__)  # type: ignore[assignment]
    runner.WAIT_SECONDS = 0.05
    sys.argv = ["genctl", *sys.argv[1:]]
    genctl()


if __name__ == "__main__":
    if sys.argv[1] == "sweep":
        sweep()
    else:
        sys.exit(main(sys.argv[1:]))
