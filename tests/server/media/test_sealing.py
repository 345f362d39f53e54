"""What a sealed process can still do: tried in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S

_SCRIPT = """
import os, socket, subprocess, sys, tempfile
from server.media import sealing
opened = os.open(sys.argv[1], os.O_RDONLY)
sealing.limit(memory_bytes=512 << 20, written_bytes=1 << 20)
assert sealing.seal()
def attempt(what):
    try:
        what()
    except (OSError, MemoryError) as error:
        return type(error).__name__
    return "done"
made = {
    "read": lambda: open("/etc/passwd"),
    "list": lambda: os.listdir("/"),
    "write": lambda: open(sys.argv[2], "w"),
    "remove": lambda: os.unlink(sys.argv[1]),
    "socket": lambda: socket.socket(),
    "unix": lambda: socket.socketpair(),
    "run": lambda: os.execv("/bin/true", ["true"]),
    "kill": lambda: os.kill(os.getppid(), 0),
    "memory": lambda: bytearray(1 << 30),
    "given": lambda: os.pread(opened, 10, 0),
}
print(attempt(made[sys.argv[3]]))
"""


_ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}


@pytest.mark.parametrize(
    ("what", "outcome"),
    [
        ("read", "PermissionError"),
        ("list", "PermissionError"),
        ("write", "PermissionError"),
        ("remove", "PermissionError"),
        ("socket", "PermissionError"),
        ("unix", "PermissionError"),
        ("run", "PermissionError"),
        ("kill", "PermissionError"),
        ("memory", "MemoryError"),
        ("given", "done"),
    ],
)
def test_a_sealed_process_has_only_what_it_was_given(
    tmp_path: object, what: str, outcome: str
) -> None:
    """No file, no socket, no program, no other process, a bounded memory; its own file it reads."""
    words = [sys.executable, "-P", "-c", _SCRIPT, __file__, f"{tmp_path}/new", what]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=_ENVIRONMENT)

    assert (done.stdout.strip(), done.stderr) == (outcome, "")


def test_a_process_that_works_for_too_long_is_ended() -> None:
    """By the kernel, however busy it is."""
    script = "from server.media import sealing\nsealing.limit_time(0)\nwhile True: pass"
    words = [sys.executable, "-P", "-c", script]
    done = subprocess.run(
        words, check=False, timeout=PATIENCE_S, env=_ENVIRONMENT, capture_output=True
    )

    assert (done.returncode, done.stderr) == (-24, b"")
