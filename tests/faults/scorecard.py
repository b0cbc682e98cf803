"""The scorecard of faults: which case a test belongs to, and what all of them together are worth.

A case is a fault that a run, a file or a command may meet. It is worth four points:

    E  the exit code is the one that scripts rely on
    M  the message is one line that names the thing, the reason and the way out
    N  nothing is lost: what was valid before is byte for byte the same, no litter is left
    R  the next ordinary command works without any cleaning up, with the result it would have had

A test in this folder says which points it is a proof of:

    @proves("A3", "NR")
    def test_killed_at_every_call_it_is_the_same_run(...): ...

A point is given when at least one test claims it and every test that claims it has passed; a test
that was skipped has not. A point whose fault cannot happen in genctl is claimed by the test that
shows that it cannot, with the reason in its docstring. Names of files are unique in all of tests/.

`scripts/faults` runs the folder, slow tests included, with this file as a plugin of pytest, which
then prints the table. It fails if a test fails or if a gate, without which there is no release, is
short of four points.
"""

from collections.abc import Iterable

import pytest

POINTS = "EMNR"

CASES = {
    "A1": "killed at random moments",
    "A2": "killed six times in one run",
    "A3": "killed before and after each call of the save path",
    "A4": "killed before, between and after checkpoints",
    "A5": "a checkpoint that forgets a part of the state is noticed",
    "A6": "killed without leaving processes behind",
    "A7": "resumed in another environment",
    "B1": "asked to stop in each phase",
    "B2": "SIGINT once and twice, SIGHUP",
    "B3": "checkpoints on demand",
    "B4": "nobody reads the output",
    "C1": "the disk is full",
    "C2": "the folder may not be written to",
    "C3": "the old checkpoint stays until the new one is there",
    "C4": "two processes in one run",
    "C5": "a target that holds something else",
    "C6": "umask, links and devices",
    "D1": "pickles and other programs in disguise",
    "D2": "files cut short or grown",
    "D3": "one flipped bit",
    "D4": "thousands of mutated files",
    "D5": "files that claim to be huge",
    "D6": "weights that do not fit or are not numbers",
    "D7": "files of other versions",
    "D8": "the newest checkpoint is damaged",
    "D9": "hostile metadata",
    "E1": "invalid settings",
    "E2": "traps of YAML",
    "E3": "duplicate keys",
    "E4": "YAML bombs and tags",
    "E5": "resumed with other settings",
    "F1": "pictures that are none",
    "F2": "pictures that unpack to gigabytes",
    "F3": "a damaged data cache",
    "F4": "downloads that fail",
    "G1": "training diverges",
    "G2": "the same seed gives the same bits",
    "G3": "memory runs out",
    "H1": "packages that were tampered with",
    "H2": "unsafe calls and stray connections",
}

GATES = {"A1", "A2", "A3", "A5", "B1", "C1", "C3", "D1", "D2", "D3", "E4", "F3", "G1", "H1"}


def proves(case: str, points: str) -> pytest.MarkDecorator:
    """Mark a test as a proof of ``points`` of ``case``."""
    if case not in CASES or not points or set(points) - set(POINTS):
        raise ValueError(f"no such case or points: {case} {points}")
    return pytest.mark.proves(case, points)


class Scorecard:
    """Which points were claimed, and which of them turned out to be wrong."""

    def __init__(self) -> None:
        self.claimed: set[tuple[str, str]] = set()
        self.refuted: set[tuple[str, str]] = set()

    def claim(self, case: str, points: str, passed: bool) -> None:
        """Count one test."""
        named = {(case, point) for point in points}
        self.claimed |= named
        if not passed:
            self.refuted |= named

    def points(self, case: str) -> str:
        """The points that ``case`` has earned."""
        earned = self.claimed - self.refuted
        return "".join(point for point in POINTS if (case, point) in earned)

    def total(self) -> int:
        """All points that were earned."""
        return sum(len(self.points(case)) for case in CASES)

    def short_gates(self) -> list[str]:
        """The gates that have not earned everything."""
        return [case for case in CASES if case in GATES and self.points(case) != POINTS]

    def lines(self) -> Iterable[str]:
        """The table."""
        for case, title in CASES.items():
            points = self.points(case)
            letters = "".join(point if point in points else "-" for point in POINTS)
            gate = "gate" if case in GATES else "    "
            yield f"{case}  {len(points)}  {letters}  {gate}  {title}"
        yield f"total {self.total()} of {len(POINTS) * len(CASES)}"
        short = self.short_gates()
        yield f"gates short of 4: {', '.join(short)}" if short else "every gate has 4"


# -- the plugin -----------------------------------------------------------------------------------

card = Scorecard()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Send the claims along with the reports, which may come from another process."""
    for item in items:
        for mark in item.iter_markers("proves"):
            item.user_properties.append(("proves", list(mark.args)))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count a test, and whatever goes wrong around it."""
    if report.when == "call" or not report.passed:
        for name, value in report.user_properties:
            if name == "proves":
                case, points = value  # type: ignore[misc]
                card.claim(case, points, passed=report.passed)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the scorecard."""
    terminalreporter.section("scorecard")
    for line in card.lines():
        terminalreporter.line(line)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail where a gate is short, even if no test did."""
    if not hasattr(session.config, "workerinput") and exitstatus == 0 and card.short_gates():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
