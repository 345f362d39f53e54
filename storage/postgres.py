"""The embedded PostgreSQL: started as our child, watched, restarted when it dies, stopped with us.

`Embedded` is what `server.app` uses when no database URL is given. The child listens on a socket in
a private folder and never on TCP, runs as an ordinary user even when we are root, and is told by
the kernel to shut down when we are killed (Linux). When it dies while we live it is started again,
with a growing pause, so that nobody has to restart the server; meanwhile `failing` says why.
"""

import asyncio
import contextlib
import ctypes
import fcntl
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO
from urllib.parse import quote

from storage import cluster as places
from storage import remains
from storage.cluster import EmbeddedError

__all__ = ["Embedded", "EmbeddedError"]

_log = logging.getLogger(__name__)

_OPTIONS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_connections": "50",
    "shared_buffers": "64MB",
    "max_wal_size": "512MB",
    "wal_level": "replica",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "log_checkpoints": "off",
    "idle_in_transaction_session_timeout": "60s",
    "cluster_name": "plait",
}
_READY = b"ready to accept connections"
_PAUSE_S_MAX = 5.0
_STEADY_S = 10.0
"""A child that lived this long did start well: the pause before the next start is short again."""
_WORDS = ((signal.SIGINT, 20), (signal.SIGQUIT, 10), (signal.SIGKILL, 5))
"""How PostgreSQL is told to stop, and for how long; it kills its children 5 s after SIGQUIT."""
_LOG_BYTES_MAX = 1 << 20
_PR_SET_PDEATHSIG = 1


class Embedded:
    """One PostgreSQL for one data folder. `await start()`, use `dsn`, `await stop()`.

    Both belong to the main thread: the kernel's word to the child that its parent is gone is tied
    to the thread that started it.
    """

    def __init__(
        self, data: Path, *, options: Mapping[str, str] | None = None, start_s_max: float = 60.0
    ) -> None:
        self._data = data.resolve()
        self._cluster = self._data / "postgres"
        self._options = {**_OPTIONS, **(options or {})}
        self._start_s_max = start_s_max
        self._lock: IO[str] | None = None
        self._child: _Child | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._sockets = self._data
        self._changed = asyncio.Event()
        self.failing: str | None = "not started"
        """What is wrong at this moment, None while PostgreSQL accepts connections."""
        self.restarts = 0
        """How often PostgreSQL died and was started again."""

    @property
    def dsn(self) -> str:
        """The URL for asyncpg; the same after every restart."""
        host = quote(str(self._sockets), safe="/")
        return f"postgresql://{places.SUPERUSER}@/postgres?host={host}"

    @property
    def pid(self) -> int | None:
        """The process id of the PostgreSQL that runs now, None while none does."""
        child = self._child
        return child.process.pid if child and not child.gone.is_set() else None

    async def changed(self) -> None:
        """Wait until `failing` says something new."""
        await self._changed.wait()

    async def start(self) -> None:
        """Make the cluster if there is none, start PostgreSQL, return when it can be connected to.

        Raises EmbeddedError with a sentence for the operator.
        """
        try:
            self._take_lock()
            self._prepare()
            self._child = self._spawn()
            await self._until_ready(self._child, self._start_s_max)
        except BaseException as error:
            await self.stop()
            if isinstance(error, OSError):
                raise EmbeddedError(f"cannot use {self._data}: {error}") from error
            raise
        self._keeper = asyncio.create_task(self._keep(), name="embedded PostgreSQL")

    async def stop(self) -> None:
        """Shut PostgreSQL down: fast, and if it does not go, harder. Twice does no harm."""
        keeper, self._keeper = self._keeper, None
        if keeper:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
        child, self._child = self._child, None
        if child:
            for word, patience_s in _WORDS:
                family = remains.processes_of(self._cluster)
                # All are continued, because a frozen process hears nothing but SIGKILL.
                remains.tell(family, signal.SIGCONT)
                remains.tell(family if word == signal.SIGKILL else [child.process.pid], word)
                if await child.gone_within(patience_s):
                    break
                _log.error("embedded PostgreSQL ignored %s", word.name)
            with contextlib.suppress(OSError):
                self._sockets.rmdir()  # Empty by now; the next start makes it again.
        self._say("stopped")
        if self._lock:
            self._lock.close()
            self._lock = None

    def _take_lock(self) -> None:
        """Refuse a second server on the same data folder. The lock goes with the process."""
        self._data.mkdir(parents=True, exist_ok=True)
        lock = (self._data / "postgres.lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            lock.close()
            raise EmbeddedError(
                f"another Plait (process {holder}) already serves the data folder {self._data}"
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        self._lock = lock

    def _prepare(self) -> None:
        owner = places.choose_owner(self._cluster)
        version = self._cluster / "PG_VERSION"
        major = int(version.read_text()) if version.exists() else None
        self._binaries = places.find_binaries(owner, major)
        self._owner = owner
        self._sockets = places.socket_folder(self._data, owner)
        if major is None:
            fsync = self._options["fsync"] == "on"
            places.make_cluster(self._cluster, self._binaries, owner, fsync=fsync)

    def _spawn(self) -> "_Child":
        remains.clear_remains(self._cluster, self._sockets)
        options = {**self._options, "unix_socket_directories": str(self._sockets)}
        with places.open_folder(self._cluster, self._owner) as (handle, path):
            command = [str(self._binaries.folder / "postgres"), "-D", path]
            for name, value in options.items():
                command += ["-c", f"{name}={value}"]
            process = subprocess.Popen(  # noqa: S603  our own binary with our own arguments
                command,
                cwd="/",
                env={"LC_ALL": "C", "TZ": "UTC"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=[handle],
                start_new_session=True,  # Ctrl-C in a terminal is ours to handle, in our order.
                preexec_fn=_die_with_parent(),  # noqa: PLW1509  one system call, prepared before
                **self._owner.spawn_arguments(),  # type: ignore[call-overload]
            )
        return _Child(process, self._data / "postgres.log")

    async def _until_ready(self, child: "_Child", seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await child.ready_or_gone.wait()
        except TimeoutError:
            message = f"PostgreSQL was not ready within {seconds:g} s: {child.last_line}"
            raise EmbeddedError(message) from None
        if child.gone.is_set():
            raise EmbeddedError(f"PostgreSQL did not start: {child.last_line}")
        self._say(None)

    async def _keep(self) -> None:
        """Start PostgreSQL again each time it dies, until cancelled by `stop`."""
        pause_s = 0.0
        while True:
            child, since = self._child, time.monotonic()
            assert child is not None
            await child.gone.wait()
            self._say(f"PostgreSQL ended: {child.last_line}")
            if time.monotonic() - since > _STEADY_S:
                pause_s = 0.0
            while self.failing:
                _log.error("embedded %s; starting it in %.1f s", self.failing, pause_s)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2 + 0.1, _PAUSE_S_MAX)
                await self._start_again()

    async def _start_again(self) -> None:
        """One try; `failing` says how it went."""
        try:
            self._child = self._spawn()
            self.restarts += 1
            # However long it recovers: a second one beside it would only be refused.
            await self._until_ready(self._child, None)
        except (EmbeddedError, OSError) as error:
            self._say(f"PostgreSQL cannot start: {error}")

    def _say(self, failing: str | None) -> None:
        self.failing = failing
        self._changed.set()
        self._changed = asyncio.Event()


class _Child:
    """A running PostgreSQL and the thread that reads what it says, until its last process is gone.

    Its standard error ends only when the postmaster and all backends have ended, which is when a
    new one may start; the line that says it is ready is waited for, not polled.
    """

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self.ready_or_gone = asyncio.Event()
        self.gone = asyncio.Event()
        self.last_line = ""
        self._log = log
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._listen, name="postgres-log", daemon=True).start()

    async def gone_within(self, seconds: float) -> bool:
        """Whether it ended in that time."""
        try:
            async with asyncio.timeout(seconds):
                await self.gone.wait()
        except TimeoutError:
            return False
        return True

    def _listen(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                self._keep_line(line)
                if _READY in line:
                    self._post(self.ready_or_gone.set)
        self.process.wait()
        self._post(self.gone.set)
        self._post(self.ready_or_gone.set)

    def _keep_line(self, line: bytes) -> None:
        """Add a line to the log file; two files of bounded size are kept."""
        self.last_line = line.decode(errors="replace").strip()
        try:
            if self._log.exists() and self._log.stat().st_size > _LOG_BYTES_MAX:
                self._log.replace(self._log.with_suffix(".log.1"))
            with self._log.open("ab") as file:
                file.write(line)
        except OSError:
            return  # A full disk must not end the thread that notices when PostgreSQL comes back.

    def _post(self, call: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(call)
        except RuntimeError:
            return  # The loop is closed: nobody waits any more.


def _die_with_parent() -> Callable[[], None] | None:
    """What the child does before it becomes PostgreSQL: ask for SIGINT when its parent ends."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)
        if os.getppid() != parent:  # Killed before the line above: nobody would ever tell us.
            os._exit(1)

    return ask
