"""A word after `kind:` finds the file of its name, and a new file is a new word."""

import shutil
from pathlib import Path

import pytest

from genctl.common.registry import kinds, kinds_of
from genctl.config.config import Config
from tests.conftest import REPOSITORY, run_genctl

FOLDERS = ("data", "conditions", "networks", "objectives")


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_kind_lives_in_the_file_of_its_name(folder: str) -> None:
    found = kinds(folder)
    assert found
    for kind, settings in found.items():
        place = settings.__module__.removeprefix(f"genctl.{folder}.")
        assert place in (kind, "torchvision_sets")
        assert settings(**({"root": "."} if kind == "folder" else {})).kind == kind


def test_the_kinds_of_a_section_are_those_of_its_folder() -> None:
    assert kinds_of(Config, "condition") == kinds("conditions")
    assert kinds_of(Config, "training") == {}
    assert kinds_of(Config, "no such section") == {}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package, to drop files into."""
    for folder in ("genctl", "configs"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / folder, tmp_path / folder, ignore=ignore)
    return tmp_path / "genctl"


MARGIN = '''
"""A hinge game with a margin, as somebody might add it."""

from typing import Literal

from genctl.objectives.base import Adversarial


class Margin(Adversarial):
    kind: Literal["margin"] = "margin"
    width: float = 1.0

    def critic_terms(self, score, real, fake, batch):
        real_scores, fake_scores = score.each(real, fake)
        return {"real": (self.width - real_scores).relu().mean(),
                "fake": (self.width + fake_scores).relu().mean()}

    def generator_terms(self, score, real, fake, batch):
        return {"pushed": -score(fake).mean()}
'''


def test_a_file_that_is_dropped_in_can_be_trained_with(package: Path) -> None:
    (package / "objectives" / "margin.py").write_text(MARGIN)
    done = run_genctl(
        "train", "--config", "tiny", "--set", "objective.kind=margin", "--set",
        "objective.width=0.5", "--set", "training.images=64", "--set", "training.log_every=32",
        "--device", "cpu", "--json", cwd=package.parent, PYTHONPATH=str(package.parent),
    )  # fmt: skip
    assert done.code == 0, done.err
    assert done.json["status"] == "complete"
    assert any(name.endswith("pushed") for name in done.json["metrics"])


def test_a_kind_that_is_taken_is_not_replaced_in_silence(package: Path) -> None:
    shutil.copy(package / "objectives" / "hinge.py", package / "objectives" / "hinge2.py")
    done = run_genctl(
        "configs", "check", "tiny", cwd=package.parent, PYTHONPATH=str(package.parent)
    )
    assert done.code == 1
    assert "genctl.objectives.hinge2: genctl.objectives.hinge is 'hinge' already" in done.err
