"""pip installs exactly the packages of the lock, or nothing."""

import base64
import hashlib
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.conftest import REPOSITORY

LOCK = REPOSITORY / "scripts" / "requirements.lock"
CONSTRAINTS = REPOSITORY / "scripts" / "constraints.txt"
MINIMUM = {"torch": "2.10", "pillow": "12.3", "safetensors": "0.5", "pyyaml": "6"}
"""The first versions without known vulnerabilities: CVE-2026-24747, CVE-2026-40192 and others."""


def locked() -> dict[str, tuple[Requirement, list[str]]]:
    """Each requirement of the lock with its digests, by name."""
    found: dict[str, tuple[Requirement, list[str]]] = {}
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
    """The requirements to run and test genctl, without the optional `onnx`."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    groups = [project["dependencies"], extras["test"], extras["check"], extras["plot"]]
    return (Requirement(text) for group in groups for text in group)


@pytest.mark.fault("H1")
def test_the_lock_pins_every_package_with_digests() -> None:
    assert len(locked()) > 40
    for requirement, digests in locked().values():
        assert version(requirement)
        assert digests
        assert all(re.fullmatch("sha256:[0-9a-f]{64}", digest) for digest in digests)


@pytest.mark.fault("H1")
def test_the_lock_agrees_with_the_constraints_and_with_pyproject() -> None:
    lock = {name: version(requirement) for name, (requirement, _) in locked().items()}
    pinned = {}
    for line in CONSTRAINTS.read_text().splitlines():
        if line and not line.startswith("#"):
            requirement = Requirement(line)
            pinned[canonicalize_name(requirement.name)] = version(requirement)
    assert {name: lock.get(name) for name in pinned} == pinned
    for requirement in own_requirements():
        assert requirement.specifier.contains(lock[canonicalize_name(requirement.name)])
    for name, floor in MINIMUM.items():
        assert lock[name] >= Version(floor)


@pytest.mark.fault("H1")
def test_the_lock_has_every_package_that_is_needed_here() -> None:
    """With digests for some packages, pip refuses to install any other."""
    lock = locked()
    for name in lock:
        try:
            needed = metadata.distribution(name).requires or []
        except metadata.PackageNotFoundError:
            continue  # for another system
        for text in needed:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                assert canonicalize_name(requirement.name) in lock, f"{name} needs {text}"


def wheel(folder: Path) -> tuple[Path, str]:
    """A tiny package and its digest."""
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
    """Install one line of a lock as the README does, but from this folder alone."""
    (folder / "requirements.lock").write_text(line + "\n")
    return subprocess.run(
        [sys.executable, "-m", "pip", "install", "--isolated", "--no-index", "--find-links", folder,
         "--require-hashes", "--no-cache-dir", "--disable-pip-version-check",
         "--target", folder / "target", "-r", folder / "requirements.lock"],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


@pytest.mark.fault("H1")
def test_a_package_with_another_digest_is_refused(tmp_path: Path) -> None:
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
def test_packages_of_the_lock_can_be_downloaded(tmp_path: Path) -> None:
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
