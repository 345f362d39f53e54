"""Y-Sweet's socket: y-websocket's messages, and message 102, by which a client asks what is stored.

Protocol: @y-sweet/client 0.9.1. A client counts its changes and sends the number with 102; the same
number coming back says that all it sent before is stored. It reconnects after 3 s of silence.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from crdt import wire
from server import websocket
from server.realtime.y import YConnection, YMember

if TYPE_CHECKING:
    from auth.principal import Principal
    from server.live import LiveRoom
    from server.member import Member
    from storage.documents import DocumentRecord

_VERSION, _STEP2 = b"\x66", b"\x00\x01"
"""How a Y-Sweet version frame begins, and a step 2."""
_LOOK_S, _LOOKS = 1.5, 2
"""How often it is seen that a Y-Sweet client did not answer our step 1 until we do not wait."""
_SOOTHE_S = 1.0
"""How often a client is told something while its costly update is looked at."""


class YSweetMember(YMember):
    """A Y-Sweet session: acknowledged by version, not by echo.

    A client that comes back says its version before it sends what it wrote meanwhile, which is in
    its answer to our step 1. Until that answer is stored its versions are not.
    """

    __slots__ = ("committed", "early", "patience")

    def __init__(self, connection: YConnection, principal: Principal, *, can_write: bool) -> None:
        super().__init__(connection, principal, can_write=can_write)
        self.committed = wire.version(b"\x00")
        """The newest version frame whose preceding frames are all stored."""
        self.early: bytes | None = b""
        """The newest version from before the client's step 2; None once that is stored."""
        self.patience = _LOOKS

    def acknowledged(self, body: bytes, *, ok: bool) -> None:
        """Everything sent before this version frame is stored: say so.

        Where it is not, the newest version that was is said again: the client goes on showing
        unsaved changes, and does not reconnect for want of an answer.
        """
        if body.startswith(_STEP2) and ok:
            self.complete()
        elif body[:1] == _VERSION:
            if ok and self.early is not None:
                self.early = body
                return
            self.say(body if ok else self.committed)

    def complete(self) -> None:
        """Nothing of what the client had when it came is missing any more."""
        early, self.early = self.early, None
        if early:
            self.say(early)

    def say(self, version: bytes) -> None:
        """Answer with the newest version that is stored."""
        self.committed = version
        connection = self.connection
        connection.realtime.turns.answer(connection.outbox, websocket.encode(version))


class YSweetConnection(YConnection):
    """A Y-Sweet socket."""

    __slots__ = ("_timer",)

    dialect = "y-sweet"
    member: YSweetMember

    def make_member(self, principal: Principal, *, can_write: bool) -> YMember:
        """Acknowledge by version."""
        return YSweetMember(self, principal, can_write=can_write)

    def enter(self, record: DocumentRecord) -> None:
        """Join the room."""
        super().enter(record)
        self._look_later()

    def _look_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(_LOOK_S, self._look)

    def _look(self) -> None:
        """A client that was asked and is silent has nothing: not every one answers our step 1."""
        member = self.member
        if member.early is None or member.incomplete or self.live is None:
            return
        is_asked = self.live.is_live and member.asked and not (self.stalled or self.is_receiving)
        member.patience = member.patience - 1 if is_asked else _LOOKS
        if member.patience > 0:
            self._look_later()
        else:
            member.complete()

    def left(self) -> None:
        """Leave the room."""
        self._timer.cancel()
        super().left()

    def version(self, live: LiveRoom, body: bytes) -> None:
        """Answer at once with what is stored, and again when this version is.

        A Y-Sweet client reconnects after 3 s without a frame, so a store that is slow must not
        make us silent; an older version is a valid answer.
        """
        member = self.member
        if live.room.uncommitted or live.dirty or not live.is_live or member.early is not None:
            self.realtime.turns.queue(self.outbox, websocket.encode(member.committed))
        live.put(member, wire.VERSION, None, body)

    def inspect(self, member: Member, kind: int, data: bytes, body: bytes) -> None:
        """Nothing is read while a costly update is looked at, so its client hears from us first."""
        super().inspect(member, kind, data, body)
        self._soothe()

    def _soothe(self) -> None:
        if self.stalled and not self.closing:
            self.realtime.turns.queue(self.outbox, websocket.encode(self.member.committed))
            asyncio.get_running_loop().call_later(_SOOTHE_S, self._soothe)
