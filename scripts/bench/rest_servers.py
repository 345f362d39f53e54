"""The servers of `rest.py`: Plait and the bare handlers, both on one core, on one PostgreSQL."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from scripts.bench.servers import free_port

ROOT = Path(__file__).resolve().parents[2]
READY = "Plait is ready at "


@contextmanager
def serving(core: int, *more: str) -> Iterator[tuple[str, int]]:
    """A server on one core, with a database of its own: its address and process."""
    with tempfile.TemporaryDirectory(prefix="plait-rest-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL runs as another user where we are root.
        data = Path(folder) / "data"
        process = subprocess.Popen(
            ["scripts/serve", "--port", "0", "--data", str(data), "--log-level", "warning", *more],
            cwd=ROOT, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        os.sched_setaffinity(process.pid, {core})  # Before it has threads or children.
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith(READY):
                    yield line.removeprefix(READY).split()[0], process.pid
                    return
            raise SystemExit("the server did not start")
        finally:
            process.terminate()
            process.wait(30)


def database_of(postmaster: int) -> str:
    """The URL of an embedded PostgreSQL, from its command line."""
    words = Path(f"/proc/{postmaster}/cmdline").read_text().split("\0")
    folder = next(w.partition("=")[2] for w in words if w.startswith("unix_socket_directories="))
    return f"postgresql://plait@/postgres?host={folder}"


@contextmanager
def bare(core: int, dsn: str) -> Iterator[tuple[str, int]]:
    """The bare handlers on the same core and database: their address and process."""
    port = free_port()
    command = [
        sys.executable,
        str(ROOT / "scripts/bench/peers/bare_sync_server.py"),
        str(port),
        dsn,
    ]
    process = subprocess.Popen(["taskset", "-c", str(core), *command])
    try:
        for _ in range(100):
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 0.5).close()
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        process.wait(30)
