"""Pages that say what is covered are held to it: a named test that did not pass fails the run.

That a named test is there is seen by the house test, in any run. That it ran, under its own name
and to its end, can only be told when all others have.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parent.parent
PAGES = ("tests/COMPLAINTS.md", "tests/FAULTS.md", "auth/README.md")
_CHOOSING = ("keyword", "markexpr", "deselect", "ignore", "collectonly", "lf", "stepwise")
"""Options of pytest that leave tests out."""
_FUNCTION = re.compile(r"tests/[\w/]+\.py::\w+")


def named(text: str) -> set[str]:
    """The tests that a page names."""
    return set(_FUNCTION.findall(text))


def absent(wanted: Iterable[str], passed: set[str]) -> list[str]:
    """Those of the named tests of which no case passed; cases are known by what is in brackets."""
    present = {case.partition("[")[0] for case in passed}
    return sorted(set(wanted) - present)


class RollCall:
    """Hears of every test, in the process that hears of all."""

    def __init__(self, config: pytest.Config) -> None:
        chosen = any(getattr(config.option, name, None) for name in _CHOOSING)
        self._is_whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS and not chosen
        self._passed: set[str] = set()
        self._absent: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember what passed."""
        if report.when == "call" and report.passed:
            self._passed.add(report.nodeid)

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """A run in which all went well and something was left out did not go well."""
        if self._is_whole and exitstatus == pytest.ExitCode.OK:
            pages = [(HOME / page).read_text("utf-8") for page in PAGES]
            self._absent = absent(set().union(*map(named, pages)), self._passed)
            if self._absent:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say which."""
        if self._absent:
            terminalreporter.section("named by a page, and did not pass", red=True)
            for name in self._absent:
                terminalreporter.line(name)
