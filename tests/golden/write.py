"""Writes tests/golden/format-1: a small run, and the samples of its model and of the resumed run.

Every later version of genctl must load these files, so they are written once for each format:
`python tests/golden/write.py`. On another kind of processor, sums may be rounded differently, and a
pixel may be one level higher or lower.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent / "format-1"
SETTINGS = (
    "data.image_size=8",
    "condition.code_dim=4",
    "networks.z_dim=4",
    "networks.generator_channels=[8]",
    "networks.critic_channels=[8]",
    "networks.critic_hidden_dim=8",
    "networks.encoder_channels=[4, 8]",
    "training.batch_size=16",
    "training.log_every=64",
    "training.checkpoint_every=1000",
    "training.precision=fp32",
)
IMAGES, MORE_IMAGES = 640, 704  # at the end of the run, and of the resumed one
SAMPLE = ("--n", "8", "--seed", "5", "--condition", "label:3", "--condition", "digits:test[0]",
          "--condition", "noise", "--condition", "mix:label:1,label:7")  # fmt: skip


def train(runs: Path, images: int) -> tuple[str, ...]:
    """The command that trains or resumes the run."""
    settings = [*SETTINGS, f"training.images={images}"]
    sets = [word for setting in settings for word in ("--set", setting)]
    return "train", "--config", "tiny", "--name", "run", "--runs", str(runs), *sets


def sample(run: Path, out: Path) -> tuple[str, ...]:
    """The command that samples from it."""
    return "sample", "--run", str(run), "--device", "cpu", "--out", str(out), *SAMPLE


def genctl(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "genctl", *words, "--quiet"], check=True)


def main() -> None:
    run, scratch = FOLDER / "run", FOLDER / "scratch"
    genctl(*train(FOLDER, IMAGES))
    genctl(*sample(run, FOLDER / "samples.npz"))
    shutil.copytree(run, scratch / "run")
    genctl(*train(scratch, MORE_IMAGES))
    genctl(*sample(scratch / "run", FOLDER / "resumed.npz"))
    shutil.rmtree(scratch)
    remove_traces_of_this_machine(run)


def remove_traces_of_this_machine(run: Path) -> None:
    shutil.rmtree(run / "tensorboard")
    for name in (".lock", ".holder.json"):
        (run / name).unlink(missing_ok=True)
    path = run / "environment.json"
    kept = {key: value for key, value in json.loads(path.read_text()).items()
            if key not in ("host", "platform", "git")}  # fmt: skip
    path.write_text(json.dumps(kept, indent=2) + "\n")
    result = json.loads((run / "result.json").read_text())
    paths = {key: f"runs/{Path(result[key]).relative_to(FOLDER)}"
             for key in ("run", "model", "samples")}  # fmt: skip
    (run / "result.json").write_text(json.dumps(result | paths, indent=2) + "\n")


if __name__ == "__main__":
    main()
