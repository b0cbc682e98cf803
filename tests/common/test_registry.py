"""A `kind:` in YAML finds the class in the file of its name, and a new file is a new kind."""

import shutil
from pathlib import Path

import pytest

from genctl.common.registry import kinds, kinds_of
from genctl.config.config import Config
from tests.conftest import REPOSITORY, run_genctl

FOLDERS = ("data", "conditions", "networks", "objectives")


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_kind_is_in_the_file_of_its_name(folder: str) -> None:
    found = kinds(folder)
    assert found
    for kind, settings in found.items():
        place = settings.__module__.removeprefix(f"genctl.{folder}.")
        assert place in (kind, "torchvision_sets")
        values = {"root": "."} if kind == "folder" else {}
        assert settings(**values).model_dump()["kind"] == kind


def test_the_kinds_of_a_section_are_those_of_its_folder() -> None:
    assert kinds_of(Config, "condition") == kinds("conditions")
    assert kinds_of(Config, "training") == {}
    assert kinds_of(Config, "no such section") == {}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package, to add files to."""
    for folder in ("genctl", "configs"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / folder, tmp_path / folder, ignore=ignore)
    return tmp_path / "genctl"


MARGIN = '''
"""A hinge loss with a margin."""

from typing import Literal

from genctl.objectives.adversarial import Adversarial


class Margin(Adversarial):
    kind: Literal["margin"] = "margin"
    width: float = 1.0

    def critic_terms(self, real, fake):
        return {"real": (self.width - real.scores).relu().mean(),
                "fake": (self.width + fake.scores).relu().mean()}

    def generator_terms(self, critic, real, fake):
        return {"margin": -critic.scores(fake).mean()}
'''


def test_a_new_file_is_a_new_kind(package: Path) -> None:
    (package / "objectives" / "margin.py").write_text(MARGIN)
    done = run_genctl(
        "train", "--config", "tiny", "--set", "objective.kind=margin", "--set",
        "objective.width=0.5", "--set", "training.images=64", "--set", "training.log_every=32",
        "--device", "cpu", "--json", cwd=package.parent, PYTHONPATH=str(package.parent),
    )  # fmt: skip
    assert done.code == 0, done.err
    assert done.json["status"] == "complete"
    assert any(name.endswith("margin") for name in done.json["metrics"])


def test_two_files_cannot_define_the_same_kind(package: Path) -> None:
    shutil.copy(package / "objectives" / "hinge.py", package / "objectives" / "hinge2.py")
    done = run_genctl(
        "configs", "check", "tiny", cwd=package.parent, PYTHONPATH=str(package.parent)
    )
    assert done.code == 1
    assert "genctl.objectives.hinge2: genctl.objectives.hinge is 'hinge' already" in done.err
