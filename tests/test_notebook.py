"""The examples of docs/python.md and docs/notebook.ipynb run."""

import re
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest

from genctl.data.pictures import png
from tests.conftest import REPOSITORY

PAGE = REPOSITORY / "docs" / "python.md"
NOTEBOOK = REPOSITORY / "docs" / "notebook.ipynb"


def read_notebook() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]


def test_the_examples_of_the_page_run(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    sample, train = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    shutil.copytree(tiny_run, tmp_path / "runs" / "c240")
    (tmp_path / "img.png").write_bytes(png(torch.zeros(1, 16, 16, dtype=torch.uint8)))
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(sample, names)
    assert names["images"].shape == (64, 16, 16, 1)
    assert names["codes"].shape == (64, 16)
    assert names["between"].shape == (10, 16, 16, 1)
    assert (tmp_path / "grid.png").exists()
    # The other trains for minutes: here tiny instead, which is complete already.
    line = re.sub(r'"mnist_cgan", .*, name', '"tiny", name', train.splitlines()[0])
    exec(line, names)
    assert names["result"].images == 6400
    for word in re.findall(r"result\.(\w+)", train):
        assert hasattr(names["result"], word)


def test_the_notebook_is_committed_without_outputs() -> None:
    notebook = read_notebook()
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert cell.cell_type != "code" or (cell.outputs, cell.execution_count) == ([], None)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nbclient import NotebookClient

    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    notebook = read_notebook()
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 3
    assert "the model has no such class" in outputs[-1]["text"]
    accuracy = next(o["data"]["text/plain"] for o in outputs if "1797" in str(o.get("data")))
    assert float(accuracy.split(",")[-1].strip(" )")) > 0.8
