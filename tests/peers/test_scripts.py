"""scripts/load and scripts/replay against a live server: every scenario, small, each dialect."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live import ROOT
from tests.peers.home import Home

SMALL = [
    "--clients",
    "6",
    "--documents",
    "3",
    "--seconds",
    "0.3",
    "--warm",
    "0.1",
    "--edits",
    "3000",
]
LOST = ("lost_deliveries", "doubled_deliveries", "disconnected", "failed", "refusals")
# Two authors, at once, in the middle of what the first one wrote; code points, not bytes or units.
CONCURRENT = {
    "kind": "concurrent",
    "numAgents": 2,
    "endContent": "né\N{GRINNING FACE}!? fin",
    "txns": [
        {"parents": [], "agent": 0, "patches": [[0, 0, "né\N{GRINNING FACE} end"]]},
        {"parents": [0], "agent": 0, "patches": [[3, 0, "!"]]},
        {"parents": [0], "agent": 1, "patches": [[3, 0, "?"]]},
        {"parents": [1, 2], "agent": 1, "patches": [[6, 3, "fin"]]},
    ],
}
SEQUENTIAL = {
    "startContent": "\N{GRINNING FACE}",
    "endContent": "é\N{GRINNING FACE}b",
    "txns": [
        {"patches": [[1, 0, "a"]]},
        {"patches": [[0, 0, "é"], [2, 1, ""]]},
        {"patches": [[2, 0, "b"]]},
    ],
}


SCENARIOS = {
    dialect: ["fan-out", "rooms", "awareness", "storm", "idle", "join"][: None if is_whole else 2]
    for dialect, is_whole in (("y-websocket", False), ("hocuspocus", True), ("ysweet", False))
}


def start(module: str, home: Home, *arguments: str) -> subprocess.Popen[str]:
    """One of the programs, as its wrapper starts it."""
    place = ["--url", home.url, "--token", home.token, "--pid", str(home.server.pid), "--json"]
    return subprocess.Popen(
        [sys.executable, "-P", "-m", f"scripts._load.{module}", *arguments, *place],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def end(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    """What it said when it ended."""
    with process:
        out, err = process.communicate(timeout=300)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def run(module: str, home: Home, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One of the programs, from start to end."""
    return end(start(module, home, *arguments))


@pytest.fixture(scope="module", autouse=True)
def loads(home: Home) -> Iterator[dict[str, subprocess.Popen[str]]]:
    """The load of each dialect, all at once: they are idle for most of their time."""
    started = {
        dialect: start("cli", home, *names, *SMALL, "--dialect", dialect)
        for dialect, names in SCENARIOS.items()
    }
    yield started
    for process in started.values():
        if process.returncode is None:
            process.kill()
            end(process)


@pytest.mark.parametrize(
    ("trace", "dialect"),
    [
        pytest.param(SEQUENTIAL, "hocuspocus", id="sequential-hocuspocus"),
        pytest.param(CONCURRENT, "y-websocket", id="concurrent-y-websocket"),
        pytest.param(CONCURRENT, "ysweet", id="concurrent-ysweet"),
    ],
)
def test_a_history_ends_in_its_text_at_every_client(
    home: Home, tmp_path: Path, dialect: str, trace: dict[str, Any]
) -> None:
    """Positions are code points, turns change hands, two authors meet in the middle of a word."""
    path = tmp_path / "trace.json"
    path.write_text(json.dumps(trace))

    done = run("replay_cli", home, str(path), "--turn", "1", "--clients", "3", "--dialect", dialect)

    assert done.returncode == 0, done.stderr + done.stdout
    result = json.loads(done.stdout)
    assert result["differing"] == []
    assert result["updates"] == len(trace["txns"]) + bool(trace.get("startContent"))


def test_a_history_with_another_end_is_reported(home: Home, tmp_path: Path) -> None:
    """A text that differs is named and makes the program fail."""
    path = tmp_path / "trace.json"
    path.write_text(json.dumps({**CONCURRENT, "endContent": "something else"}))

    done = run("replay_cli", home, str(path), "--clients", "2")

    assert done.returncode == 1
    assert json.loads(done.stdout)["differing"] == ["client 0", "client 1", "newcomer"]


def test_a_file_that_is_no_history_is_refused(home: Home, tmp_path: Path) -> None:
    """One sentence, no traceback."""
    path = tmp_path / "trace.json"
    path.write_text("[]")

    done = run("replay_cli", home, str(path))

    assert done.returncode != 0
    assert "is no editing trace" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("dialect", SCENARIOS)
def test_every_scenario_loses_nothing(
    loads: dict[str, subprocess.Popen[str]], dialect: str
) -> None:
    """Each dialect delivers, counts CPU, and loses or doubles no update."""
    done = end(loads[dialect])

    assert done.returncode == 0, done.stderr
    outcomes: dict[str, Any] = json.loads(done.stdout)
    assert list(outcomes) == SCENARIOS[dialect]
    for name, outcome in outcomes.items():
        assert not any(outcome["totals"].get(key) for key in LOST), (name, outcome)
    assert outcomes["fan-out"]["saturated"]["deliveries_per_s"] > 0
    assert outcomes["rooms"]["saturated"]["us_per_update"] > 0
    assert outcomes.get("join", {"totals": {"text_differs": 0}})["totals"]["text_differs"] == 0
    if dialect != "y-websocket":
        assert outcomes["rooms"]["totals"]["acknowledgements"] > 0
