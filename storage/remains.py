"""What a server that was killed leaves of its PostgreSQL: processes, a process id, a socket.

`storage.postgres` clears it before each start and uses the same words to stop its own.
"""

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from storage.cluster import SOCKET_NAME, EmbeddedError


def processes_of(cluster: Path) -> list[int]:
    """The processes of PostgreSQL that work in a cluster's folder, its orphans included.

    Without `/proc` none is found; PostgreSQL's own checks then have the last word.
    """
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "comm").read_text() == "postgres\n" and _works_in(process, cluster):
                found.append(int(process.name))
        except OSError:
            continue  # Gone meanwhile, or not ours to ask.
    return found


def _works_in(process: Path, cluster: Path) -> bool:
    return (process / "cwd").samefile(cluster)


def tell(pids: Iterable[int], word: signal.Signals) -> None:
    """Send a signal to each; one that is gone already is no error."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, word)


def clear_remains(cluster: Path, sockets: Path, *, wait_s: float = 30.0) -> None:
    """Make way after a predecessor that was killed. The caller holds the lock on the data folder.

    Its PostgreSQL may still be shutting down: that is waited for, and after two thirds of the time
    ended; the log of what was committed is replayed either way. Its `postmaster.pid` may name a
    process id that somebody else has by now, as after every restart of a container, and PostgreSQL
    would then refuse to start. Such a file gets our own id: a parent's id does not stop PostgreSQL,
    and the file's other line, by which it finds orphans that still use its memory, is kept.
    """
    start = time.monotonic()
    while orphans := processes_of(cluster):
        waited_s = time.monotonic() - start
        if waited_s > wait_s:
            raise EmbeddedError(f"processes {orphans} still serve {cluster}")
        tell(orphans, signal.SIGCONT)  # A frozen one cannot notice that its parent is gone.
        if waited_s > wait_s * 2 / 3:
            tell(orphans, signal.SIGKILL)
        time.sleep(0.01)
    pid_file = cluster / "postmaster.pid"
    with suppress(FileNotFoundError):
        lines = pid_file.read_text().splitlines(keepends=True)
        pid_file.write_text("".join([f"{os.getpid()}\n", *lines[1:]]))
    for name in (SOCKET_NAME, f"{SOCKET_NAME}.lock"):
        (sockets / name).unlink(missing_ok=True)
