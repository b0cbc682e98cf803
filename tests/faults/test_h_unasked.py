"""Nothing in a file is executed, and the network is used only for missing data sets."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, run_genctl
from tests.support.processes import SETTINGS, train_arguments

OURS = sorted(path for part in ("genctl", "scripts") for path in (REPOSITORY / part).rglob("*.py"))
BANNED_NAMES = {"eval", "exec", "pickle", "cPickle", "dill", "joblib", "marshal", "shelve",
                "extractall", "unsafe_load", "full_load", "system", "popen"}  # fmt: skip
BANNED_ARGUMENTS = {("weights_only", False), ("shell", True), ("allow_pickle", True)}


def dangers(text: str) -> list[str]:
    """The calls and imports in the module ``text`` that run or unpack foreign data."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {alias.name for alias in node.names} | {getattr(node, "module", None)}
            found += sorted({str(name).split(".")[0] for name in names} & BANNED_NAMES)
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            is_method = isinstance(node.func, ast.Attribute)
            harmless = called.endswith(".eval")  # torch's Module.eval() runs no text
            if called.rpartition(".")[2] in BANNED_NAMES and not (is_method and harmless):
                found.append(called)
            safe_load = any(ast.unparse(word) == "weights_only=True" for word in node.keywords)
            if called in ("yaml.load", "yaml.load_all") or (
                called == "torch.load" and not safe_load
            ):
                found.append(called)
            for argument in node.keywords:
                if isinstance(argument.value, ast.Constant) and (
                    (argument.arg, argument.value.value) in BANNED_ARGUMENTS
                ):
                    found.append(f"{argument.arg}={argument.value.value!r}")
    return found


@pytest.mark.fault("H2")
@pytest.mark.parametrize(
    "text",
    ["import pickle", "from pickle import loads", "yaml.load(x)", "eval(x)", "builtins.exec(x)",
     "torch.load(x)", "torch.load(x, weights_only=False)", "np.load(x, allow_pickle=True)",
     "z.extractall()", "subprocess.run(x, shell=True)", "os.system(x)"],
)  # fmt: skip
def test_dangers_are_found(text: str) -> None:
    assert dangers(text)


@pytest.mark.fault("H2")
@pytest.mark.parametrize("path", OURS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_nothing_runs_or_unpacks_foreign_data(path: Path) -> None:
    assert dangers(path.read_text()) == []


# -- no network without need -----------------------------------------------------------------------

BAN = """
import os, sys

def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        with open(os.environ["STRAY"], "a") as file:
            file.write(f"{event} {arguments}\\n")
        raise OSError("there is no network here")

sys.addaudithook(refuse)
"""


@pytest.fixture
def offline(tmp_path: Path) -> dict[str, str]:
    """An environment without network, and a home folder without write permission."""
    (tmp_path / "ban").mkdir()
    (tmp_path / "ban" / "sitecustomize.py").write_text(BAN)
    return {
        "PYTHONPATH": os.pathsep.join([str(tmp_path / "ban"), str(REPOSITORY)]),
        "STRAY": str(tmp_path / "stray"),
        "HOME": "/dev/null/home",
        "XDG_CACHE_HOME": "/dev/null/cache",
        "XDG_DATA_HOME": "/dev/null/data",
    }


def test_a_stray_connection_is_recorded(offline: dict[str, str], tmp_path: Path) -> None:
    code = "import urllib.request as r; r.urlopen('http://127.0.0.1:9/')"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | offline, check=False, capture_output=True
    )
    assert done.returncode == 1
    assert "socket." in (tmp_path / "stray").read_text()


@pytest.mark.fault("H2")
def test_train_sample_and_encode_need_neither_network_nor_home(
    offline: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    lines = [
        train_arguments("--quiet", settings=(*SETTINGS, "training.images=64")),
        ["sample", "--n", "2", "--out", "a.png", "--quiet"],
        ["encode", "digits:test[0:9]", "--out", "codes.npz", "--quiet"],
        ["runs", "--quiet"],
        ["reproduce", "a.png", "--quiet"],
    ]
    for line in lines:
        done = run_genctl(*line, cwd=folder, **offline)
        assert (done.code, done.err) == (0, ""), line
    assert not (tmp_path / "stray").exists()
    assert {path.name for path in folder.iterdir()} == {
        "runs", "a.png", "a.again.png", "codes.npz",
    }  # fmt: skip


@pytest.mark.fault("H2")
def test_commands_that_need_a_home_or_a_network_report_it(
    offline: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    line = train_arguments("--quiet", settings=(*SETTINGS, "training.images=64"))
    assert run_genctl(*line, cwd=folder, **offline).code == 0
    judged = run_genctl("evaluate", cwd=folder, **offline, GENCTL_CACHE="")
    assert judged.code == 73
    assert "set GENCTL_CACHE" in judged.err
    downloaded = run_genctl("train", "--config", "fashion_cgan", "--quiet", cwd=folder, **offline,
                         GENCTL_DATA="data")  # fmt: skip
    assert downloaded.code == 69
    assert "digits_cgan" in downloaded.err


@pytest.mark.skipif(not shutil.which("unshare"), reason="Linux can take the network away")
def test_training_works_without_any_network(offline: dict[str, str], tmp_path: Path) -> None:
    if subprocess.run(["unshare", "-rn", "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine does not allow it")
    line = train_arguments("--quiet", settings=(*SETTINGS, "training.images=64"))
    done = subprocess.run(
        ["unshare", "-rn", sys.executable, "-m", "genctl", *line], cwd=tmp_path, check=False,
        capture_output=True, text=True, env=os.environ | offline, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
