"""y-websocket: one document per socket, named by the URL, authenticated at once.

Protocol: y-protocols (sync, awareness, auth). An author gets its own update back after the commit:
that is how `@y/websocket` 4 learns that it is durable, offline edits too; older clients ignore it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from crdt import structure, wire
from crdt.errors import WireError
from crdt.extending import mypyc_attr
from server import websocket
from server.member import Member
from server.realtime.codes import MALFORMED, close_code
from server.realtime.connection import Connection

if TYPE_CHECKING:
    from auth.principal import Principal
    from server.live import LiveRoom
    from server.realtime.register import Realtime
    from storage.documents import DocumentRecord

HOCUSPOCUS_HERE = "a Hocuspocus frame: connect to /ws without a document"
_NOTHING_NEW = wire.step2(b"\x00\x00")
_EMPTY_AWARENESS = websocket.encode(wire.awareness(b"\x00"))


def _greets_hocuspocus(frame: bytes) -> bool:
    """Whether this is the first message of a Hocuspocus provider: its token, or step 1."""
    try:
        _, at = wire.read_address(frame)
        kind, _ = wire.decode_hocuspocus(frame, at)
    except WireError:
        return False
    return kind in (wire.AUTH_TOKEN, wire.STEP1)


@mypyc_attr(allow_interpreted_subclasses=True)
class YMember(Member):
    """The only session of a y-websocket connection."""

    __slots__ = ("connection", "told_read_only")

    def __init__(self, connection: YConnection, principal: Principal, *, can_write: bool) -> None:
        super().__init__(
            principal.account,
            can_write=can_write,
            greets=True,
            outbox=connection.outbox,
            device=principal.device,
        )
        self.connection = connection
        self.told_read_only = False

    def acknowledged(self, body: bytes, *, ok: bool) -> None:
        """Send an update back to its author: it is stored. So is what came as a step 2, if any."""
        if not ok or body[0]:
            return
        if body[1] == 1:
            if body == _NOTHING_NEW:
                return
            body = b"\x00\x02" + body[2:]
        elif body[1] != 2:
            return
        connection = self.connection
        connection.realtime.turns.answer(connection.outbox, websocket.encode(body))

    def refused(self, reason: str) -> None:
        """Tell why; anything but writing without the right ends the connection."""
        connection = self.connection
        if reason == "read-only":
            if not self.told_read_only:
                self.told_read_only = True
                frame = websocket.encode(wire.denied_y(reason))
                connection.realtime.turns.queue(connection.outbox, frame)
        else:
            connection.close(close_code(reason), reason)

    def dismissed(self, reason: str) -> None:
        """The room is over."""
        self.connection.close(close_code(reason), reason)

    def hold(self, cause: object, *, on: bool) -> None:
        """Stop or go on reading from the socket."""
        self.connection.hold(cause, on=on)


@mypyc_attr(allow_interpreted_subclasses=True)
class YConnection(Connection):
    """A y-websocket socket."""

    __slots__ = ("_rest", "live", "member", "principal")

    dialect = "y-websocket"

    def __init__(
        self,
        realtime: Realtime,
        transport: asyncio.Transport,
        remote: str,
        principal: Principal,
        *,
        can_write: bool,
    ) -> None:
        super().__init__(realtime, transport, remote)
        self.principal = principal
        self.member = self.make_member(principal, can_write=can_write)
        self.live: LiveRoom | None = None
        self._rest: deque[tuple[int, bytes]] | None = None
        """Messages of a frame that holds several, behind one that is looked at. None while there
        is no such frame: an empty deque takes 700 bytes, of every connection."""

    def make_member(self, principal: Principal, *, can_write: bool) -> YMember:
        """The session, in this dialect's way of acknowledging."""
        return YMember(self, principal, can_write=can_write)

    def enter(self, record: DocumentRecord) -> None:
        """Join the room; what the client sends waits there until it is loaded."""
        self.opened(authenticated=True)
        self.live = self.realtime.documents.join(self.member, record, self.principal)

    def message(self, payload: bytes) -> None:
        """One frame: straight into the room's inbox."""
        realtime = self.realtime
        metrics = realtime.metrics
        metrics.frames_in += 1
        metrics.bytes_in += len(payload)
        live = self.live
        if live is None:
            return
        try:
            kind, data = wire.decode_y(payload, realtime.bounds)
        except WireError as error:
            self._several(payload, error)
            return
        if kind == wire.UPDATE or kind == wire.STEP2:  # noqa: PLR1714 - the hot path
            if len(data) > structure.MIDDLING_BYTES and structure.is_costly(data):
                self.inspect(self.member, kind, data, payload)
                return
            live.put(self.member, kind, data, payload)
        else:
            self._handle(kind, data, payload)

    def _several(self, payload: bytes, error: WireError) -> None:
        """A frame with several messages is legal for newer clients; anything else is an error."""
        realtime = self.realtime
        if _greets_hocuspocus(payload):  # First: a short name's length is a message number here.
            self.close(MALFORMED, HOCUSPOCUS_HERE)
            return
        if error.reason == "trailing":
            try:
                self._rest = deque(wire.decode_y_all(payload, realtime.bounds))
            except WireError as inner:
                error = inner
            else:
                self._take_rest()
                return
        realtime.metrics.refuse(error.reason)
        self.close(MALFORMED, f"malformed frame: {error.reason}")

    def _take_rest(self) -> None:
        """Handle the messages of one frame, up to one that has to be looked at first."""
        while self._rest and not self.stalled and not self.closing and self.live is not None:
            kind, data = self._rest.popleft()
            self._handle(kind, data, self._body(kind, data))

    def go_on(self) -> None:
        """Handle what came behind the message that was looked at: in its frame, then later."""
        self.stalled = False
        self._take_rest()
        if not self.stalled:
            super().go_on()

    @staticmethod
    def _body(kind: int, data: bytes) -> bytes:
        encoders = {
            wire.STEP1: wire.step1,
            wire.STEP2: wire.step2,
            wire.UPDATE: wire.update,
            wire.VERSION: wire.version,
        }
        encoder = encoders.get(kind)
        return encoder(data) if encoder is not None else b""

    def _handle(self, kind: int, data: bytes, body: bytes) -> None:
        live = self.live
        assert live is not None
        if kind == wire.AWARENESS:
            self.showed_presence()
        if kind in (wire.UPDATE, wire.STEP2) and structure.is_costly(data):
            self.inspect(self.member, kind, data, body)
        elif kind in (wire.STEP1, wire.STEP2, wire.UPDATE, wire.AWARENESS, wire.QUERY_AWARENESS):
            live.put(self.member, kind, data, body)
        elif kind == wire.VERSION:
            self.version(live, body)
        elif kind == wire.AUTH_DENIED:
            self.close(MALFORMED, "only a server denies")
        elif _greets_hocuspocus(data):
            self.close(MALFORMED, HOCUSPOCUS_HERE)
        # Any other message is one of a newer protocol: ignored, as y-websocket does.

    def version(self, live: LiveRoom, body: bytes) -> None:
        """Y-Sweet's question; on a y-websocket path it is just an unknown message."""

    def left(self) -> None:
        """Leave the room."""
        live, self.live = self.live, None
        if live is not None:
            self.realtime.documents.leave(self.member)

    def members(self) -> list[Member]:
        """The one session."""
        return [self.member] if self.live is not None else []

    def keepalive_frame(self) -> bytes | None:
        """An empty awareness frame: y-websocket drops a server that is silent for 30 s."""
        return _EMPTY_AWARENESS
