"""scripts/compile: what it makes does what the sources do, for every test of the engine.

The short form compiles the wire protocols and what looks for overlaps; the long form
(`scripts/test --full`) compiles everything, and runs the simulation against it.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts._compile import NO_COMPILER, missing
from server.operating import compiled

ROOT = compiled.ROOT
IS_FULL = bool(os.environ.get("PLAIT_TEST_FULL"))
FEW = ("crdt.overlaps", "crdt.wire.frames", "crdt.wire.hocuspocus", "crdt.wire.lib0", "crdt.wire.y")
FEW_TESTS = ("tests/crdt/test_overlaps.py", "tests/crdt/test_wire.py")
TESTS = (
    "tests/crdt",
    "tests/simulation",
    "tests/server/adapters/heaps/routes/test_sync.py",
    "tests/server/realtime",
    "tests/server/test_batches.py",
    "tests/server/test_reading.py",
    "tests/server/test_recalling.py",
    "tests/server/test_websocket.py",
    "tests/server/test_outbox.py",
)

pytestmark = pytest.mark.xdist_group("processes")


def _run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A program of ours, with all that it says in `stdout`."""
    return subprocess.run(
        [sys.executable, "-P", *command],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        check=False,
    )


def test_what_is_compiled_passes_the_tests_of_the_engine(tmp_path: Path) -> None:
    """A machine that cannot compile says so; on all others the build and its tests must succeed."""
    build = tmp_path / "build"
    few = [] if IS_FULL else [f"--module={module}" for module in FEW]
    level = "3" if IS_FULL else "0"

    made = _run("scripts/_compile.py", f"--folder={build}", f"--optimize={level}", *few)

    if missing():
        assert (made.returncode, build.exists()) == (NO_COMPILER, False), made.stdout
        assert "Plait serves without" in made.stdout
        return
    assert made.returncode == 0, made.stdout
    assert _run("scripts/_compile.py", f"--folder={build}", "--status").stdout == "compiled\n"
    tests = TESTS if IS_FULL else FEW_TESTS
    tested = _run(
        *("-m", "pytest", "-q", "-p", "tests.compiled_engine", *tests),
        PLAIT_TEST_COMPILED=str(build),
    )
    assert tested.returncode == 0, tested.stdout


def test_a_machine_without_a_compiler_is_told_what_it_lacks(tmp_path: Path) -> None:
    """Nothing is changed, and the sentence names a remedy."""
    build = tmp_path / "build"

    made = _run("scripts/_compile.py", f"--folder={build}", CC="no-such-compiler")

    assert (made.returncode, build.exists()) == (NO_COMPILER, False)
    assert made.stdout == (
        "scripts/compile: there is no C compiler (no-such-compiler; Debian: apt install gcc); "
        "Plait serves without\n"
    )
