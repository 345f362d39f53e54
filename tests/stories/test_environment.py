"""The first start on a machine that has only Python and a shell: the environment from its lock.

The short form installs an empty lock, which takes every step but the download; the long form
(`scripts/test --full`) installs the lock that serves.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "scripts" / "_environment.py"
LOCK = "serve" if os.environ.get("PLAIT_TEST_FULL") else "empty"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what a first start needs of the project."""
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    (tmp_path / "requirements" / "empty.lock").write_text("# nothing\n")
    for package in ("crdt", "auth", "storage", "server"):
        shutil.copytree(ROOT / package, tmp_path / package)
    return tmp_path


def _start(project: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys._base_executable, PROGRAM, project, project / ".venv", LOCK],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _is_whole(project: Path) -> bool:
    done = subprocess.run([project / ".venv/bin/python", "-c", "import sys"], check=False)
    lock = (project / "requirements" / f"{LOCK}.lock").read_text()
    return done.returncode == 0 and (project / f".venv/.plait-{LOCK}.lock").read_text() == lock


def test_first_starts_that_are_killed_or_meet_make_one_whole_environment(project: Path) -> None:
    """One killed in the middle leaves no mark; of two after it one makes it, the other waits."""
    killed = _start(project)
    deadline = time.monotonic() + 60
    while not (project / ".venv").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    killed.kill()
    killed.communicate()
    assert not (project / f".venv/.plait-{LOCK}.lock").exists()
    starts = [_start(project) for _ in range(2)]

    said = [start.communicate(timeout=300) for start in starts]

    assert [start.returncode for start in starts] == [0, 0], said
    assert [out for out, _ in said] == ["", ""]
    assert sum("making the environment" in err for _, err in said) == 1
    assert _is_whole(project)


def test_a_python_that_is_too_old_is_refused_with_a_sentence(tmp_path: Path) -> None:
    """Without Python 3.11 or newer the start says so and how to name one."""
    old = tmp_path / "old-python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    environ = {**os.environ, "PLAIT_PYTHON": str(old), "PLAIT_VENV": str(tmp_path / "none")}

    done = subprocess.run(
        [ROOT / "scripts" / "serve"], env=environ, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"plait: no Python 3.11 or newer found under {old}; set PLAIT_PYTHON to one\n"
    )


def test_a_python_that_cannot_make_environments_is_told_what_is_missing(tmp_path: Path) -> None:
    """Debian's Python without python3-venv gets the name of the package, not a traceback."""
    bare = tmp_path / "bare-python"
    bare.write_text(
        f'#!/bin/sh\ncase "$*" in *-m*) exit 1;; esac\nexec {sys._base_executable} "$@"\n'
    )
    bare.chmod(0o755)
    program = "import runpy, sys; sys.executable = sys.argv.pop(1); sys.argv[0] = sys.argv[1];"
    program += "sys.argv.pop(1); runpy.run_path(sys.argv[0], run_name='__main__')"
    command = [sys.executable, "-c", program, bare, PROGRAM, ROOT, tmp_path / "venv", "serve"]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "apt install python3-venv" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """Where no environment can be made, the other place to make it is named."""
    (tmp_path / "file").write_text("")
    command = [sys.executable, PROGRAM, ROOT, tmp_path / "file" / "venv", "serve"]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "set PLAIT_VENV" in done.stderr
