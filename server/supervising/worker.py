"""One server process under a supervisor: its start, its line, its end."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence

log = logging.getLogger("plait.supervisor")

READY = b"Plait is ready at "
_PR_SET_PDEATHSIG = 1


class Worker:
    """A process that is started with the arguments of this one and some settings of its own."""

    def __init__(
        self, number: int, arguments: Sequence[str], environment: Mapping[str, str]
    ) -> None:
        self.number = number
        self.starts = 0
        self._arguments = list(arguments)
        self._environment = dict(environment)
        self._process: asyncio.subprocess.Process | None = None
        self.ready = asyncio.Event()
        """It accepts connections."""
        self.has_served = False
        """It was ready once."""

    @property
    def pid(self) -> int | None:
        """Its process, while it runs."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def run(self) -> int:
        """Start it and wait for its end; its exit code."""
        self.starts += 1
        self.ready.clear()
        process = self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "server", *self._arguments,
            env={**os.environ, **self._environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is the supervisor's, which stops all in order.
            preexec_fn=_end_with_parent(),
        )  # fmt: skip
        assert process.stdout is not None
        async for line in process.stdout:
            if line.startswith(READY):
                self.ready.set()
                self.has_served = True
        return await process.wait()

    def tell(self, word: signal.Signals) -> None:
        """Send it a signal, if it runs."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(word)


def _end_with_parent() -> Callable[[], None] | None:
    """What the child does before it becomes a server: ask for SIGTERM when its parent ends."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return ask
