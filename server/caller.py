"""Somebody who changes a document without being in its room: a REST request, an adapter."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from auth.errors import Forbidden
from crdt.errors import UpdateError
from server.errors import Busy
from server.member import Member

if TYPE_CHECKING:
    from server.live import LiveRoom

_PASSING = ("load-failed", "overloaded", "costly", "internal", "restart")
_GONE = ("deleted", "lineage")


def refusal(reason: str) -> Exception:
    """The error that stands for the word with which a room refuses or ends."""
    if reason in _PASSING:
        return Busy(reason)
    if reason in _GONE:
        return Forbidden(reason)
    return UpdateError(reason)


class Caller(Member):
    """One change and its answer: what a room says to it resolves `commit`."""

    __slots__ = ("_done", "_error", "_reason")

    def __init__(self, account: str, device: str | None) -> None:
        super().__init__(account, can_write=True, greets=False, outbox=None, device=device)
        self._done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._reason = "refused"
        self._error: Exception | None = None

    async def commit(self, live: LiveRoom, kind: int, payload: object, timeout_s: float) -> None:
        """Give the room a change; returns after its commit.

        Raises UpdateError (refused), Busy (not committed in time, or the room is not to be had:
        try again), Forbidden (the document is gone), or what the change itself raised.
        """
        live.await_commit(self, on=True)
        live.put(self, kind, payload, b"")
        try:
            async with asyncio.timeout(timeout_s):
                ok = await self._done
        except TimeoutError:
            raise Busy("the store does not answer") from None
        finally:
            live.await_commit(self, on=False)
        if not ok:
            raise self._refusal()

    def watching(self, change: Callable[[Any], None]) -> Callable[[object], None]:
        """The same change; what it raises is kept for `commit` to raise."""

        def watched(document: object) -> None:
            try:
                change(document)
            except Exception as error:
                self._error = error
                raise

        return watched

    def _refusal(self) -> Exception:
        if self._error is not None:
            return self._error
        return refusal(self._reason)

    def acknowledged(self, body: bytes, *, ok: bool) -> None:
        """Committed, or refused."""
        del body
        if not self._done.done():
            self._done.set_result(ok)

    def refused(self, reason: str) -> None:
        """Remember why."""
        self._reason = reason

    def dismissed(self, reason: str) -> None:
        """The room ended before the commit."""
        self._reason = reason
        if not self._done.done():
            self._done.set_result(False)
