"""The server's side of the helpers that decode files.

A helper has one file at a time. It is killed when it takes too long, and whatever becomes of it,
that one file is refused and nobody else's: the next one gets a fresh helper. How many files wait is
bounded; what is over the bound is told to come back.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from server.errors import Busy
from server.media.work import Answer, Job, Limits, Refused

log = logging.getLogger("plait.media")

_HOME = Path(__file__).parents[2]
_REQUEST = struct.Struct("<I")
_ANSWER = struct.Struct("<II")
_HEAD_BYTES_MAX = 1 << 20
_START_S = 30.0
_JOBS_MAX = 200
"""Files after which a helper makes room for a fresh one, whatever its libraries have leaked."""


class Workshop:
    """Helpers, started when they are first needed."""

    def __init__(
        self,
        *,
        processes: int,
        waiting_max: int,
        memory_bytes: int,
        timeout_s: float,
        limits: Limits,
    ) -> None:
        self.limits = limits
        self._memory_bytes = memory_bytes
        self._timeout_s = timeout_s
        self._waiting_max = waiting_max
        self._waiting = 0
        self._idle: list[Helper] = []
        self._busy: set[Helper] = set()
        self._free = asyncio.Semaphore(processes)
        self._threads = ThreadPoolExecutor(processes, "media")
        self._closed = False
        self.jobs = 0
        """Files that were worked on."""
        self.is_sealed = False
        """Whether the latest helper has no files and no network."""
        self.deaths = 0
        """Helpers that died over a file, or had to be killed."""

    async def do(self, job: Job, file: int) -> tuple[Answer, bytes]:
        """Have a job done on an open file, which stays the caller's.

        Raises Refused, or Busy when too many wait already.
        """
        if self._waiting >= self._waiting_max:
            raise Busy("too many pictures are being made")
        self._waiting += 1
        try:
            async with self._free:
                # The helper's copy of the file: a caller that is cancelled may close its own.
                work = asyncio.get_running_loop().run_in_executor(
                    self._threads, self._do, job, os.dup(file)
                )
                # A thread cannot be cancelled: its place is taken until it is done.
                answer, data = await _to_the_end(work)
        finally:
            self._waiting -= 1
        if answer.refused is not None:
            raise Refused(answer.refused, answer.reason)
        return answer, data

    def pids(self, *, busy: bool = False) -> list[int]:
        """The processes of the helpers, or of those that have a file."""
        helpers = [*self._busy] if busy else [*self._busy, *self._idle]
        return [helper.pid for helper in helpers]

    def close(self) -> None:
        """End all helpers."""
        self._closed = True
        for helper in [*self._idle, *self._busy]:
            helper.kill()
        self._threads.shutdown(wait=True, cancel_futures=True)
        for helper in self._idle:
            helper.kill()

    def _do(self, job: Job, file: int) -> tuple[Answer, bytes]:
        """In a thread: one helper, one file."""
        try:
            helper = self._idle.pop() if self._idle else Helper(self._memory_bytes, self.limits)
        except OSError as error:
            os.close(file)
            raise Busy(f"no helper could be started ({error})") from None
        self.is_sealed = helper.sealed
        self._busy.add(helper)
        self.jobs += 1
        try:
            found = helper.do(job, file, self._timeout_s)
        except (OSError, EOFError, msgspec.DecodeError) as error:
            self.deaths += 1
            log.warning("a helper ended over a file: %s", error)
            helper.kill()
            return Answer(refused="too_large", reason="it takes too long or too much memory"), b""
        finally:
            os.close(file)
            self._busy.discard(helper)
        if helper.jobs >= _JOBS_MAX or self._closed:
            helper.kill()
        else:
            self._idle.append(helper)
        return found


async def _to_the_end(work: asyncio.Future[tuple[Answer, bytes]]) -> tuple[Answer, bytes]:
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise


class Helper:
    """One helper process and the line to it."""

    def __init__(self, memory_bytes: int, limits: Limits) -> None:
        ours, theirs = socket.socketpair()
        self._line = ours
        words = (str(theirs.fileno()), str(memory_bytes), str(limits.output_bytes_max))
        try:
            self._process = subprocess.Popen(  # noqa: S603 (our own interpreter and module)
                [*_SMALL_STACK, sys.executable, "-P", "-m", "server.media.child", *words],
                cwd=_HOME,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        self.pid = self._process.pid
        self.jobs = 0
        try:
            answer, _ = self._answer(time.monotonic() + _START_S)
        except (OSError, EOFError, msgspec.DecodeError) as error:
            self.kill()
            raise OSError(f"it ended at its start: {error}") from None
        self.sealed = answer.reason == "sealed"
        """Whether files and network are closed to it."""

    def do(self, job: Job, file: int, timeout_s: float) -> tuple[Answer, bytes]:
        """Have a job done. Raises OSError (TimeoutError) or EOFError: kill it then."""
        self.jobs += 1
        end = time.monotonic() + timeout_s
        body = msgspec.json.encode(job)
        self._line.settimeout(timeout_s)
        socket.send_fds(self._line, [_REQUEST.pack(len(body))], [file])
        self._line.sendall(body)
        return self._answer(end)

    def kill(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.wait()
        self._line.close()

    def _answer(self, end: float) -> tuple[Answer, bytes]:
        head_bytes, data_bytes = _ANSWER.unpack(self._read(_ANSWER.size, end))
        if head_bytes > _HEAD_BYTES_MAX:
            raise EOFError("an answer out of bounds")
        head = self._read(head_bytes, end)
        return msgspec.json.decode(head, type=Answer), self._read(data_bytes, end)

    def _read(self, size: int, end: float) -> bytes:
        parts: list[bytes] = []
        while size:
            rest = end - time.monotonic()
            if rest <= 0:
                raise TimeoutError("no answer in time")
            self._line.settimeout(rest)
            part = self._line.recv(min(size, 1 << 20))
            if not part:
                raise EOFError(f"it ended with {self._process.poll()}")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


_SMALL_STACK = ("/bin/sh", "-c", 'ulimit -S -s 8192; exec "$@"', "helper")
"""Threads of libraries get the stack limit for a stack. The server raises its own to a gigabyte:
two such threads would take all the memory that a helper may have."""


def _environment() -> dict[str, str]:
    """What a helper needs to find its modules and fonts; no secret of the server."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "FONTCONFIG_FILE", "VIRTUAL_ENV")
    found = {name: os.environ[name] for name in kept if name in os.environ}
    paths = [str(_HOME), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return found | {
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
