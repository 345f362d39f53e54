"""Documents of one Hocuspocus socket that are not let in yet, and what came for them meanwhile."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from auth.errors import AuthError
from crdt.errors import BadName
from crdt.ids import DocumentName
from server.errors import Busy, TooManyRequests

if TYPE_CHECKING:
    from server.entrance import Entry
    from server.realtime.register import Realtime


def known(realtime: Realtime, address: str, workspace: str | None, token: str) -> Entry | None:
    """Who may enter the document of this address, if that asks nobody anything; else None.

    When a server comes back, all come back with tokens and documents that were seen a moment ago.
    """
    if realtime.draining:
        return None
    try:
        name = DocumentName.parse(address.split("\0", 1)[0], workspace)
        entry = realtime.entrance.peek(name, token)
        if entry is not None:
            realtime.documents.guard.admit(entry.principal)
            realtime.documents.room(entry.record)
    except (AuthError, BadName, Busy, TooManyRequests):
        return None  # Whoever asks on is told why.
    return entry


class Waiting:
    """A document whose token is being checked (or has not come), and its frames, in order."""

    __slots__ = ("frames", "since", "task")

    def __init__(self, since: float) -> None:
        self.frames: list[tuple[int, bytes]] = []
        self.since = since
        self.task: asyncio.Task[None] | None = None
        """What checks the token."""


class Lobby:
    """Who waits, by address, and how much is kept for all of them."""

    __slots__ = ("_waiting", "bytes", "frames")

    def __init__(self) -> None:
        self._waiting: dict[bytes, Waiting] = {}
        self.bytes = 0
        self.frames = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def get(self, prefix: bytes) -> Waiting | None:
        """The document of this address, if it waits."""
        return self._waiting.get(prefix)

    def add(self, prefix: bytes, now: float) -> Waiting:
        """A document came that is not let in."""
        waiting = self._waiting[prefix] = Waiting(now)
        return waiting

    def keep(self, waiting: Waiting, kind: int, body: bytes) -> None:
        """Put a frame behind those that wait for the document."""
        waiting.frames.append((kind, body))
        self.bytes += len(body)
        self.frames += 1

    def forget(self, prefix: bytes) -> None:
        """The document is let in, refused or gone."""
        waiting = self._waiting.pop(prefix, None)
        if waiting is not None:
            self.frames -= len(waiting.frames)
            self.bytes -= sum(len(body) for _, body in waiting.frames)
            if not self._waiting:
                self._waiting = {}  # One that was filled once takes 170 bytes more.

    def is_overdue(self, now: float, deadline_s: float) -> bool:
        """Whether a token should have come and been checked by now."""
        return any(now - waiting.since > deadline_s for waiting in self._waiting.values())

    def close(self) -> None:
        """The socket is gone."""
        for waiting in self._waiting.values():
            if waiting.task is not None:
                waiting.task.cancel()
        self._waiting = {}
        self.bytes = self.frames = 0
