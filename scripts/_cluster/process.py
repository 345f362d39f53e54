"""A process that says when it is ready, and that can be paused, killed and started again."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

READY_S_MAX = 60.0
END_S_MAX = 30.0
LINES_KEPT = 400


class NotReady(Exception):
    """A process did not become ready; the message is what it said."""


class Process:
    """One program. What it says is kept, the newest lines only."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        ready: str,
        folder: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.command = list(command)
        self.folder = folder
        self.environment = dict(environment or {})
        self.starts = 0
        self._ready = ready
        self._said: deque[str] = deque(maxlen=LINES_KEPT)
        self._process: subprocess.Popen[str] | None = None

    @property
    def said(self) -> str:
        """The newest of what it said."""
        return "".join(self._said)

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it and wait until it says that it is ready. Raises NotReady."""
        self.folder.mkdir(parents=True, exist_ok=True)
        ready = threading.Event()
        process = self._process = subprocess.Popen(
            self.command,
            cwd=self.folder,
            env={**_bare(os.environ), **self.environment},
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for whoever started it, who stops it in order.
        )
        self.starts += 1
        assert process.stdout is not None
        threading.Thread(target=self._listen, args=(process.stdout, ready), daemon=True).start()
        if not ready.wait(READY_S_MAX) or process.poll() is not None:
            self.kill()
            raise NotReady(f"{self.name} did not become ready:\n{self.said}")

    def _listen(self, lines: IO[str], ready: threading.Event) -> None:
        with lines:
            for line in lines:
                self._said.append(line)
                if self._ready in line:
                    self.heard(line)
                    ready.set()
        ready.set()

    def heard(self, line: str) -> None:
        """The line that says that it is ready."""

    def tell(self, word: signal.Signals) -> None:
        """Send a signal, if it runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(word)

    def pause(self) -> None:
        """Let it stand still."""
        self.tell(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self.tell(signal.SIGCONT)

    def kill(self) -> None:
        """End it with no chance to say or save anything."""
        self.end(signal.SIGKILL)

    def stop(self) -> int:
        """Ask it to end; its exit code."""
        return self.end(signal.SIGTERM)

    def end(self, word: signal.Signals) -> int:
        """Send a signal and wait for the end; one that does not end is killed."""
        if self._process is None:
            return 0
        with contextlib.suppress(ProcessLookupError):
            self.tell(word)
            self.tell(signal.SIGCONT)
        try:
            return self._process.wait(END_S_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _bare(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without settings of a server that its owner may run."""
    return {name: value for name, value in environment.items() if not name.startswith("PLAIT_")}
