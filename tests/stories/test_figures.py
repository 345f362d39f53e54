"""What `scripts/faults` reads of its tests: three figures of each fault, or it has failed."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from scripts._faults import PAGE, Fault, Figures, faults, figures, table
from tests.stories.outages import Outages

ROOT = Path(__file__).parents[2]


def test_figures_of_several_crowds_are_one(capsys: pytest.CaptureFixture[str]) -> None:
    """As the crowds' watchers tell them: sums, and the longest outage."""
    for counts in ((5, 4, 4), (20, 10, 9)):
        crowd = SimpleNamespace(typed=counts[0], acknowledged=counts[1], survived=counts[2])
        outages = Outages(crowd)  # type: ignore[arg-type]
        outages.longest_s = counts[0] / 10
        outages.tell("something happens")
    found = figures(["passed", *capsys.readouterr().out.splitlines()])

    assert found == Figures(acknowledged=14, typed=25, survived=13, outage_s=2.0)
    assert not found.is_whole
    fault = Fault("T1", "it happens", ())
    assert "| T1 | it happens FAILED | 14 of 25 | 13 of 14 | 2.0 s |" in table(
        {fault: (False, found)}
    )


def test_nothing_told_and_nothing_acknowledged_are_failures() -> None:
    """A crowd that was never confirmed shows nothing."""
    assert figures(["2 passed"]) is None
    assert not Figures(0, 9, 0, 1.0).is_whole
    assert Figures(9, 9, 9, 1.0).is_whole


def test_beside_each_fault_a_crowd_types() -> None:
    """Each row names a test in a module whose crowds are watched."""
    bare = [
        fault.name
        for fault in faults(PAGE.read_text("utf-8"))
        if not any(
            re.search(r"\b(beside|Outages)\(", (ROOT / one.partition("::")[0]).read_text("utf-8"))
            for one in fault.tests
        )
    ]

    assert not bare
