"""From a request to a WebSocket of ours: room, checks, handshake, taking the transport over."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
from typing import TYPE_CHECKING

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter

from server.errors import Busy, TooManyRequests
from server.websocket import Tail, as_protocol, as_transport

if TYPE_CHECKING:
    from aiohttp.web_request import BaseRequest

    from server.realtime.connection import Connection
    from server.realtime.register import Realtime

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Taken(web.StreamResponse):
    """What the handler returns once the transport is ours: writes nothing any more."""

    def __init__(self) -> None:
        super().__init__(status=101)
        self._keep_alive = False

    @property
    def prepared(self) -> bool:
        """Always: the head has been written."""
        return True

    async def prepare(self, request: BaseRequest) -> AbstractStreamWriter | None:
        """Nothing to prepare."""
        del request
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing to end."""


def admit(realtime: Realtime, remote: str) -> None:
    """Refuse a handshake while the server is full, draining, or one address has too many."""
    if realtime.draining:
        raise Busy("the server is restarting")
    over = realtime.handshake_fits(remote)
    if over is not None:
        realtime.metrics.refuse("handshakes-full")
        raise Busy("too many connections at once", 1) if over == "all" else TooManyRequests(1)
    has_room(realtime, remote)


def has_room(realtime: Realtime, remote: str) -> None:
    """Asked twice: many may have come while this one's token was looked at."""
    settings = realtime.settings
    if len(realtime.connections) >= settings.connections_max:
        realtime.metrics.refuse("connections-full")
        raise Busy("too many connections")
    if realtime.pending_of(remote) >= settings.connections_per_address_max:
        realtime.metrics.refuse("address-full")
        raise TooManyRequests(10)


def is_full(realtime: Realtime, remote: str) -> bool:
    """Whether `admit` would refuse anybody now; nothing is counted."""
    settings = realtime.settings
    return (
        realtime.draining
        or len(realtime.connections) >= settings.connections_max
        or realtime.pending_of(remote) >= settings.connections_per_address_max
    )


def accept_key(request: web.Request) -> bytes:
    """The answer to the client's key. Raises 400 (or 426) for what is no WebSocket handshake."""
    headers = request.headers
    upgrade = headers.get("Upgrade", "").lower()
    connection = [part.strip().lower() for part in headers.get("Connection", "").split(",")]
    is_old = request.version < HttpVersion11
    if is_old or "websocket" not in upgrade or "upgrade" not in connection:
        raise web.HTTPUpgradeRequired(
            text="this address speaks WebSocket", headers={"Upgrade": "websocket"}
        )
    if headers.get("Sec-WebSocket-Version", "") != "13":
        raise web.HTTPUpgradeRequired(
            text="WebSocket version 13 is needed", headers={"Sec-WebSocket-Version": "13"}
        )
    key = headers.get("Sec-WebSocket-Key", "")
    try:
        good = len(base64.b64decode(key, validate=True)) == 16
    except (binascii.Error, ValueError):  # The second for letters that are not ASCII.
        good = False
    if not good:
        raise web.HTTPBadRequest(text="bad Sec-WebSocket-Key")
    return accepted(key)


def accepted(key: str) -> bytes:
    """What a handshake with this key is answered with."""
    return base64.b64encode(hashlib.sha1(key.encode() + _GUID).digest())  # noqa: S324 - RFC 6455


def take_over(
    request: web.Request, key: bytes, subprotocol: str | None, connection: Connection
) -> Taken:
    """Answer the handshake and make `connection` the transport's protocol.

    aiohttp's own protocol object is told that its connection is gone, so that an idle socket costs
    no request, no task and no parser.
    """
    former = request.protocol
    tail = Tail()
    former.set_parser(tail)  # type: ignore[arg-type]
    answer(connection, key, subprotocol)
    # First, or it would close the transport on its way out.
    former.transport = None
    former.connection_lost(None)
    go_on(connection, tail.data)
    return Taken()


def answer(connection: Connection, key: bytes, subprotocol: str | None = None) -> None:
    """Write the handshake's answer, and let the transport speak to `connection` from now on."""
    head = (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + key + b"\r\n"
    )
    if subprotocol is not None:
        head += b"Sec-WebSocket-Protocol: " + subprotocol.encode("latin-1", "replace") + b"\r\n"
    # Leaves with the first frames of the room, in one write.
    connection.realtime.turns.queue(connection.outbox, head + b"\r\n")
    transport = connection.transport
    transport.set_protocol(as_protocol(connection))
    settings = connection.realtime.settings
    transport.set_write_buffer_limits(high=settings.outbox_bytes_max // 4)


def go_on(connection: Connection, behind: bytes) -> None:
    """Hand over what the client sent right behind its handshake."""
    if not connection.transport.is_reading():
        connection.transport.resume_reading()
    if behind:
        # What answers these bytes at once must not overtake the handshake's own answer.
        connection.outbox.flush(connection.clock())
        connection.data_received(behind)


def transport_of(request: web.Request) -> asyncio.Transport:
    """The request's transport. Raises ConnectionResetError when it is already gone."""
    transport = request.transport
    if transport is None or transport.is_closing():
        raise ConnectionResetError("the client is gone")
    return as_transport(transport)
