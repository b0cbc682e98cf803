"""Every case of docs/reliability.md has tests, and the page names the files they are in."""

import ast
import re
from collections import defaultdict
from pathlib import Path

from tests.conftest import REPOSITORY

PAGE = REPOSITORY / "docs" / "reliability.md"
TESTS = Path(__file__).parent


def documented(page: str) -> dict[str, set[str]]:
    """The files of tests that the page names for each case, from its rows `| A1 | ... |`."""
    rows = re.findall(r"^\| ([A-Z]\d+) (\|.*\|)$", page, re.MULTILINE)
    assert len(rows) == len({case for case, _ in rows}), "a case is listed twice"
    return {case: set(re.findall(r"`(test_\w+\.py)`", row)) for case, row in rows}


def marked(folder: Path) -> dict[str, set[str]]:
    """The files with tests that are marked with ``pytest.mark.fault(case)``, for each case."""
    found = defaultdict(set)
    for path in folder.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for case in filter(None, map(case_of, node.decorator_list)):
                    found[case].add(path.name)
    return dict(found)


def case_of(decorator: ast.expr) -> str:
    """``A1`` for the decorator ``@pytest.mark.fault("A1")``; empty for any other."""
    match decorator:
        case ast.Call(func=function, args=[ast.Constant(value=str(case))]):
            return case if ast.unparse(function) == "pytest.mark.fault" else ""
    return ""


def test_the_page_lists_each_case_with_the_files_of_its_tests() -> None:
    cases = documented(PAGE.read_text())
    assert len(cases) == 42
    assert cases == marked(TESTS)


def test_marks_and_rows_are_found(tmp_path: Path) -> None:
    (tmp_path / "test_x.py").write_text(
        '@pytest.mark.slow\n@pytest.mark.fault("A1")\ndef test_one(): ...\n'
        '@pytest.mark.other("B1")\ndef test_two(): ...\n@pytest.mark.fault("C1")\ndef f(): ...\n'
    )
    assert marked(tmp_path) == {"A1": {"test_x.py"}}
    page = "| case | promise | tests |\n|---|---|---|\n| A1 | It works. | `test_x.py`: once. |\n"
    assert documented(page + "| A2 | Untested. | |\n") == {"A1": {"test_x.py"}, "A2": set()}
