"""The README's example of an objective trains exactly as it is printed there."""

import re
import shutil
from pathlib import Path

from tests.conftest import REPOSITORY, run_genctl


def example() -> str:
    """The first block of Python below the heading."""
    _, section = (REPOSITORY / "README.md").read_text().split("### Adding an objective\n")
    block = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert block
    return block[1]


def test_the_example_of_the_readme_trains(tmp_path: Path) -> None:
    for folder in ("genctl", "configs"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / folder, tmp_path / folder, ignore=ignore)
    (tmp_path / "genctl" / "objectives" / "logistic.py").write_text(example())
    done = run_genctl(
        "train", "--config", "tiny", "--set", "objective.kind=logistic", "--set",
        "training.images=64", "--set", "training.log_every=32", "--device", "cpu", "--json",
        cwd=tmp_path, PYTHONPATH=str(tmp_path),
    )  # fmt: skip
    assert done.code == 0, done.err
    assert done.json["status"] == "complete"
    assert {"critic/real", "critic/fake", "generator/fake"} <= done.json["metrics"].keys()
