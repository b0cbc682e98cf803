"""The rooms of the package: imports between them go one way, and light commands stay light."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, run_genctl
from tests.support.models import save_model

PACKAGE = REPOSITORY / "genctl"
HEAVY = {"torch", "torchvision", "sklearn", "numpy", "PIL", "tensorboard"}
DATA = {"torchvision", "sklearn", "scipy", "tensorboard"}
SLOW = {"torch._dynamo", "torch._inductor", "sympy"}  # torch's compiler, as slow as torch itself

ROOMS = (
    "common",
    "data",
    "networks",
    "conditions",
    "model",
    "objectives",
    "config",
    "runs",
    "inference",
    "evaluation",
    "training",
    "benchmark",
    "export",
    "reports",
    "sweeps",
    "api",
    "cli",
)
"""The rooms in the order of imports: a room may import from those before it."""


def module_name(path: Path) -> str:
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imported(text: str) -> set[str]:
    """The modules of genctl that ``text`` imports anywhere, for type checkers too."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in MODULES else str(node.module))
    return found & MODULES.keys()


def room(module: str) -> str:
    """``common`` for ``genctl.common.files``; empty for ``genctl`` itself."""
    return module.partition(".")[2].partition(".")[0]


def upward(module: str, imports: set[str]) -> set[str]:
    """The imports that lead to a later room."""
    if room(module) not in ROOMS:
        return set()
    rank = ROOMS.index(room(module))
    return {name for name in imports if room(name) in ROOMS and ROOMS.index(room(name)) > rank}


def find_cycle(graph: dict[str, set[str]]) -> list[str]:
    """A path that leads back to where it began, if there is one."""
    done: set[str] = set()

    def walk(module: str, path: list[str]) -> list[str]:
        if module in path:
            return [*path[path.index(module) :], module]
        if module in done:
            return []
        for needed in sorted(graph[module]):
            if found := walk(needed, [*path, module]):
                return found
        done.add(module)
        return []

    return next((found for module in graph if (found := walk(module, []))), [])


def test_violations_would_be_found() -> None:
    assert find_cycle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert find_cycle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []
    text = "from genctl.config import config\nif TYPE_CHECKING:\n    import genctl.model\n"
    text += "def f():\n    from genctl.common.files import atomic_write\n"
    imports = {"genctl.config.config", "genctl.model", "genctl.common.files"}
    assert imported(text) == imports
    assert upward("genctl.data.base", imports) == {"genctl.config.config", "genctl.model"}
    assert upward("genctl.cli.train", imports) == set()


def test_only_rooms_lie_at_the_top() -> None:
    names = {entry.name for entry in PACKAGE.iterdir()} - {"__pycache__"}
    files = {"__init__.py", "__main__.py", "model.py", "api.py", "py.typed"}
    assert names == files | (set(ROOMS) - {"model", "api"})


@pytest.mark.parametrize("module", MODULES)
def test_imports_between_rooms_go_one_way(module: str) -> None:
    assert upward(module, imported(MODULES[module].read_text())) == set()


def test_imports_make_no_cycle() -> None:
    graph = {name: imported(path.read_text()) for name, path in MODULES.items()}
    graph["genctl"] = set()  # it imports nothing until a name of the Python API is used
    assert find_cycle(graph) == []


def test_packages_export_nothing() -> None:
    for path in set(PACKAGE.rglob("__init__.py")) - {PACKAGE / "__init__.py"}:
        assert imported(path.read_text()) == set(), path


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
     "configs show tiny", "configs check tiny", "configs schema --json", "finish nothing",
     "sweep --config tiny --dry-run",     "no such command"],
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
    model = save_model(tmp_path / "model.safetensors", "networks.conditional_batchnorm=true")
    picture = tmp_path / "picture.png"
    assert run_genctl("sample", "--run", model, "--out", picture, cwd=tmp_path).code == 0
    loaded = loaded_by(arguments.format(model=model, picture=picture), tmp_path)
    assert "torch" in loaded
    assert not loaded & spared
