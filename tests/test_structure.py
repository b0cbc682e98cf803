"""The house stays as it is drawn: imports go one way, and light commands stay light."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, program
from tests.support.models import save_model

PACKAGE = REPOSITORY / "genctl"
FILES = sorted(PACKAGE.rglob("*.py"))
HEAVY = {"torch", "torchvision", "sklearn", "numpy", "PIL", "tensorboard"}
DATA = {"torchvision", "sklearn", "scipy", "tensorboard"}
SLOW = {"torch._dynamo", "torch._inductor", "sympy"}  # torch's compiler, as slow as torch itself


def module_name(path: Path) -> str:
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in FILES}


def imports_at_load(body: list[ast.stmt]) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports that run when a module is loaded: none in functions, none for type checkers."""
    for statement in body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            yield statement
        elif isinstance(statement, ast.ClassDef):
            yield from imports_at_load(statement.body)
        elif isinstance(statement, ast.If | ast.Try | ast.With):
            if isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.dump(statement.test):
                yield from imports_at_load(statement.orelse)
            else:
                for branch in ("body", "orelse", "finalbody"):
                    yield from imports_at_load(getattr(statement, branch, []))


def needs(text: str) -> set[str]:
    """The modules of genctl that the module ``text`` loads."""
    found = set()
    for statement in imports_at_load(ast.parse(text).body):
        if isinstance(statement, ast.Import):
            found |= {alias.name for alias in statement.names}
            continue
        assert statement.level == 0, "imports are absolute"
        for alias in statement.names:
            inner = f"{statement.module}.{alias.name}"
            found.add(inner if inner in MODULES else str(statement.module))
    return found & MODULES.keys()


def cycle(graph: dict[str, set[str]]) -> list[str]:
    """A way that leads back to where it began, if there is one."""
    done: set[str] = set()

    def walk(module: str, way: list[str]) -> list[str]:
        if module in way:
            return [*way[way.index(module) :], module]
        if module in done:
            return []
        for needed in sorted(graph[module]):
            if found := walk(needed, [*way, module]):
                return found
        done.add(module)
        return []

    return next((found for module in graph if (found := walk(module, []))), [])


def test_a_cycle_would_be_found() -> None:
    assert cycle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert cycle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []
    text = "from genctl.config import config\nif TYPE_CHECKING:\n    import genctl.model\n"
    text += "try:\n    import genctl.runs.run\nfinally:\n    pass\n"
    text += "def f():\n    import genctl.common.files\n"
    assert needs(text) == {"genctl.config.config", "genctl.runs.run"}


def test_imports_make_no_cycle() -> None:
    assert cycle({name: needs(path.read_text()) for name, path in MODULES.items()}) == []


def test_packages_export_nothing() -> None:
    for path in PACKAGE.rglob("__init__.py"):
        assert needs(path.read_text()) == set(), path


def test_a_stage_never_imports_a_command() -> None:
    for name, path in MODULES.items():
        if not name.startswith("genctl.cli") and name != "genctl.__main__":
            assert not [needed for needed in needs(path.read_text()) if "cli" in needed], name


def loaded_by(arguments: str, folder: Path) -> set[str]:
    """The modules that are loaded when genctl ends."""
    code = (
        f"import sys; from genctl.cli.app import main; sys.argv = {['genctl', *arguments.split()]}"
        "\ntry: main()"
        "\nfinally: print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=folder, check=False,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, timeout=300,
    )  # fmt: skip
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize(
    "arguments",
    ["--help", "--version", "train --help", "sample --help", "runs", "configs list",
     "configs show tiny", "configs check tiny", "configs schema --json", "no such command"],
)  # fmt: skip
def test_a_light_command_loads_nothing_heavy(arguments: str, tmp_path: Path) -> None:
    assert not loaded_by(arguments, tmp_path) & HEAVY


@pytest.mark.parametrize(
    ("arguments", "spared"),
    [("train --config tiny --set training.images=32", {"torchvision", "sklearn", *SLOW}),
     ("sample --run {model} --n 4", DATA | SLOW),
     ("sample --run {model} --n 4 --condition digits:test[0] --format npz", DATA | SLOW),
     ("encode {picture} --run {model}", DATA | SLOW),
     ("reproduce {picture}", DATA | SLOW)],
)  # fmt: skip
def test_work_loads_only_what_it_needs(arguments: str, spared: set[str], tmp_path: Path) -> None:
    model = save_model(tmp_path / "model.safetensors", "networks.modulated=true")
    picture = tmp_path / "picture.png"
    assert program("sample", "--run", model, "--out", picture, cwd=tmp_path).code == 0
    loaded = loaded_by(arguments.format(model=model, picture=picture), tmp_path)
    assert "torch" in loaded
    assert not loaded & spared
