"""`scripts/soak` in short: what people who came and went had taken is given back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from scripts._soak.cli import judged, plot
from scripts._soak.served import Sample
from tests.conftest import FULL

pytestmark = pytest.mark.xdist_group("processes")

ROOT = Path(__file__).parents[2]


def test_after_churn_everything_is_back(tmp_path: Path) -> None:
    """Memory, tasks, documents, sessions, connections and file handles, after many visits."""
    samples = tmp_path / "samples.json"
    seconds, idle = (600, 1000) if FULL else (3, 100)
    options = ["--seconds", str(seconds), "--idle", str(idle), "--json", str(samples)]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "scripts._soak.cli", *options],
        cwd=ROOT, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert samples.exists(), done.stderr
    found = json.loads(samples.read_text())

    assert done.returncode == 0, done.stdout + done.stderr
    assert max(sample["rooms"] for sample in found) > 5
    assert max(sample["connections"] for sample in found) > idle
    assert "memory_mb" in done.stdout


def test_a_leak_is_named() -> None:
    """A task too many is one, and so is memory beyond what allocators keep."""
    base = Sample(0, 100.0, 30, 20, 0, 0, 0)
    end = Sample(9, 200.0, 30, 30, 1, 0, 0)
    over = {name for name, (_, after, most) in judged(base, end).items() if after > most}

    assert over == {"memory_mb", "tasks", "rooms"}
    assert plot([0, 1, 2, 1]) == " ▄█▄"
