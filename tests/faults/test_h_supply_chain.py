"""What genctl is made of is what it says, and it does nothing that nobody asked for."""

import ast
import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from conftest import REPOSITORY, program
from life import SETTINGS, arguments
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from scorecard import proves

LOCK = REPOSITORY / "scripts" / "requirements.lock"
CONSTRAINTS = REPOSITORY / "scripts" / "constraints.txt"
FLOORS = {"torch": "2.10", "pillow": "12.3", "safetensors": "0.5", "pyyaml": "6"}
"""Below these, a file of a stranger could do harm: CVE-2026-24747, CVE-2026-40192 and others."""


# -- H1: the lock ---------------------------------------------------------------------------------


def locked() -> dict[str, tuple[Requirement, list[str]]]:
    """Each requirement of the lock with its digests, by name."""
    found = {}
    for entry in LOCK.read_text().replace("\\\n", " ").splitlines():
        words = re.split(r"\s+--hash=", entry)
        requirement = Requirement(words[0].strip())
        found[canonicalize_name(requirement.name)] = requirement, words[1:]
    return found


def version(requirement: Requirement) -> Version:
    (specifier,) = requirement.specifier
    assert specifier.operator == "=="
    return Version(specifier.version)


def own_requirements() -> Iterator[Requirement]:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    return (Requirement(text) for group in groups for text in group)


@proves("H1", "EN")
def test_the_lock_pins_every_package_with_digests() -> None:
    assert len(locked()) > 40
    for requirement, digests in locked().values():
        assert version(requirement)
        assert digests
        assert all(re.fullmatch("sha256:[0-9a-f]{64}", digest) for digest in digests)


@proves("H1", "EN")
def test_the_lock_agrees_with_the_constraints_and_with_what_genctl_asks_for() -> None:
    lock = {name: version(requirement) for name, (requirement, _) in locked().items()}
    pinned = {}
    for line in CONSTRAINTS.read_text().splitlines():
        if line and not line.startswith("#"):
            requirement = Requirement(line)
            pinned[canonicalize_name(requirement.name)] = version(requirement)
    assert {name: lock.get(name) for name in pinned} == pinned
    for requirement in own_requirements():
        assert requirement.specifier.contains(lock[canonicalize_name(requirement.name)])
    for name, floor in FLOORS.items():
        assert lock[name] >= Version(floor)


@proves("H1", "ER")
def test_the_lock_leaves_no_package_of_this_machine_out() -> None:
    """With digests for some packages, pip refuses to install any other."""
    lock = locked()
    for name in lock:
        try:
            needed = metadata.distribution(name).requires or []
        except metadata.PackageNotFoundError:
            continue  # for another system, or an extra that is not installed here
        for text in needed:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                assert canonicalize_name(requirement.name) in lock, f"{name} needs {text}"


def wheel(folder: Path) -> tuple[Path, str]:
    """A tiny package, and its digest."""
    path = folder / "harmless-1.0-py3-none-any.whl"
    files = {
        "harmless.py": "answer = 42\n",
        "harmless-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: harmless\nVersion: 1.0\n",
        "harmless-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
    }
    record = []
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=")
            record.append(f"{name},sha256={digest.decode()},{len(text)}")
        record.append("harmless-1.0.dist-info/RECORD,,")
        archive.writestr("harmless-1.0.dist-info/RECORD", "\n".join(record) + "\n")
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def install(folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    """Install what one line of a lock says, as the README does, but from this folder alone."""
    (folder / "requirements.lock").write_text(line + "\n")
    return subprocess.run(
        [sys.executable, "-m", "pip", "install", "--isolated", "--no-index", "--find-links", folder,
         "--require-hashes", "--no-cache-dir", "--disable-pip-version-check",
         "--target", folder / "target", "-r", folder / "requirements.lock"],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


@proves("H1", "EMNR")
def test_a_package_that_was_tampered_with_is_refused(tmp_path: Path) -> None:
    path, digest = wheel(tmp_path)
    line = f"harmless==1.0 --hash=sha256:{digest}"
    tampered = line[:-1] + ("0" if line[-1] != "0" else "1")
    for wrong in (tampered, "harmless==1.0"):
        done = install(tmp_path, wrong)
        assert done.returncode == 1
        assert "hash" in done.stderr.lower()
        assert not (tmp_path / "target").exists()
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"answer = 42", b"answer = 41"))
    assert "DO NOT MATCH THE HASHES" in install(tmp_path, line).stderr
    assert not (tmp_path / "target").exists()
    path.write_bytes(whole)
    done = install(tmp_path, line)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "target" / "harmless.py").exists()


@pytest.mark.slow
def test_lines_of_the_lock_can_be_downloaded_where_there_is_a_network(tmp_path: Path) -> None:
    chosen = [entry for entry in LOCK.read_text().replace("\\\n", " ").splitlines()
              if entry.startswith(("iniconfig", "pluggy", "mdurl"))]  # fmt: skip
    (tmp_path / "some.lock").write_text("\n".join(chosen) + "\n")
    done = subprocess.run(
        [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "--dest",
         tmp_path / "found", "-r", tmp_path / "some.lock"],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    if done.returncode and "HASHES" not in done.stderr:
        pytest.skip("no package index can be reached")
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "found").iterdir())) == 3


# -- H2: nothing runs that came in a file ---------------------------------------------------------

OURS = sorted(path for part in ("genctl", "scripts") for path in (REPOSITORY / part).rglob("*.py"))
BANNED_NAMES = {"eval", "exec", "pickle", "cPickle", "dill", "joblib", "marshal", "shelve",
                "extractall", "unsafe_load", "full_load", "system", "popen"}  # fmt: skip
BANNED_ARGUMENTS = {("weights_only", False), ("shell", True), ("allow_pickle", True)}


def dangers(text: str) -> list[str]:
    """What runs or unpacks foreign data in the module ``text``."""
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
                    found.append(f"{argument.arg}={argument.value.value}")
    return found


@proves("H2", "M")
@pytest.mark.parametrize(
    "text",
    ["import pickle", "from pickle import loads", "yaml.load(x)", "eval(x)", "builtins.exec(x)",
     "torch.load(x)", "torch.load(x, weights_only=False)", "np.load(x, allow_pickle=True)",
     "z.extractall()", "subprocess.run(x, shell=True)", "os.system(x)"],
)  # fmt: skip
def test_a_danger_would_be_found(text: str) -> None:
    assert dangers(text)


@proves("H2", "EMN")
@pytest.mark.parametrize("path", OURS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_nothing_runs_or_unpacks_foreign_data(path: Path) -> None:
    assert dangers(path.read_text()) == []


# -- H2: nothing is asked for on the network ------------------------------------------------------

BAN = """
import os, sys

def hear(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        with open(os.environ["STRAY"], "a") as file:
            file.write(f"{event} {arguments}\\n")
        raise OSError("there is no network here")

sys.addaudithook(hear)
"""


@pytest.fixture
def nowhere(tmp_path: Path) -> dict[str, str]:
    """An environment without network, with a home that nothing can be written to."""
    (tmp_path / "ban").mkdir()
    (tmp_path / "ban" / "sitecustomize.py").write_text(BAN)
    return {
        "PYTHONPATH": os.pathsep.join([str(tmp_path / "ban"), str(REPOSITORY)]),
        "STRAY": str(tmp_path / "stray"),
        "HOME": "/dev/null/home",
        "XDG_CACHE_HOME": "/dev/null/cache",
        "XDG_DATA_HOME": "/dev/null/data",
    }


def test_a_stray_connection_would_be_heard(nowhere: dict[str, str], tmp_path: Path) -> None:
    code = "import urllib.request as r; r.urlopen('http://127.0.0.1:9/')"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | nowhere, check=False, capture_output=True
    )
    assert done.returncode == 1
    assert "socket." in (tmp_path / "stray").read_text()


@proves("H2", "ENR")
def test_train_sample_and_encode_need_neither_network_nor_home(
    nowhere: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    lines = [
        arguments("--quiet", settings=(*SETTINGS, "training.images=64")),
        ["sample", "--n", "2", "--out", "a.png", "--quiet"],
        ["encode", "digits:test[0:9]", "--out", "codes.npz", "--quiet"],
        ["runs", "--quiet"],
        ["reproduce", "a.png", "--quiet"],
    ]
    for line in lines:
        done = program(*line, cwd=folder, **nowhere)
        assert (done.code, done.err) == (0, ""), line
    assert not (tmp_path / "stray").exists()
    assert {path.name for path in folder.iterdir()} == {
        "runs", "a.png", "a.again.png", "codes.npz",
    }  # fmt: skip


@proves("H2", "EMN")
def test_what_does_need_a_home_or_a_network_says_so(
    nowhere: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    line = arguments("--quiet", settings=(*SETTINGS, "training.images=64"))
    assert program(*line, cwd=folder, **nowhere).code == 0
    judged = program("evaluate", cwd=folder, **nowhere, GENCTL_CACHE="")
    assert judged.code == 73
    assert "set GENCTL_CACHE" in judged.err
    downloaded = program("train", "--config", "fashion_cgan", "--quiet", cwd=folder, **nowhere,
                         GENCTL_DATA="data")  # fmt: skip
    assert downloaded.code == 69
    assert "digits_cgan" in downloaded.err


@pytest.mark.skipif(not shutil.which("unshare"), reason="Linux can take the network away")
def test_sample_works_where_the_system_has_no_network_at_all(
    nowhere: dict[str, str], tmp_path: Path
) -> None:
    if subprocess.run(["unshare", "-rn", "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody leave the network")
    line = arguments("--quiet", settings=(*SETTINGS, "training.images=64"))
    done = subprocess.run(
        ["unshare", "-rn", sys.executable, "-m", "genctl", *line], cwd=tmp_path, check=False,
        capture_output=True, text=True, env=os.environ | nowhere, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
