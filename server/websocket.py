"""WebSocket frames (RFC 6455) after the handshake: parse what a client sends, encode what we send.

Why not aiohttp's own reader: taking the transport over after aiohttp's handshake costs half of
`async for` per message, lets frames of one turn leave in one write, bounds what a connection holds
before it is known who it is, and frees aiohttp's request objects while the socket is idle.
Compression is never negotiated, so every reserved bit is an error.
"""

from __future__ import annotations

import asyncio
from typing import cast

from crdt.extending import mypyc_attr

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10

PROTOCOL_ERROR, UNSUPPORTED, TOO_BIG = 1002, 1003, 1009

_CLOSE_WAIT_S = 3.0
"""How long a peer may take to answer our close frame before the socket is cut."""


def encode(payload: bytes) -> bytes:
    """One whole binary frame from server to client (not masked)."""
    size = len(payload)
    if size < 126:
        return b"\x82" + size.to_bytes(1, "big") + payload
    if size < 65536:
        return b"\x82\x7e" + size.to_bytes(2, "big") + payload
    return b"\x82\x7f" + size.to_bytes(8, "big") + payload


def encode_close(code: int, reason: str) -> bytes:
    """A close frame; the reason is cut to the 123 bytes that a control frame leaves for it."""
    body = code.to_bytes(2, "big") + reason.encode()[:123]
    return b"\x88" + len(body).to_bytes(1, "big") + body


def unmask(data: bytes, at: int, end: int, mask: bytes) -> bytes:
    """The payload between `at` and `end`, unmasked: one wide exclusive or, no loop."""
    size = end - at
    wide = (mask * ((size + 3) >> 2))[:size]
    whole = int.from_bytes(data[at:end], "little") ^ int.from_bytes(wide, "little")
    return whole.to_bytes(size, "little")


def _valid_close(body: bytes) -> bool:
    if not body:
        return True
    if len(body) == 1:
        return False
    code = int.from_bytes(body[:2], "big")
    if not (1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999):
        return False
    try:
        body[2:].decode()
    except UnicodeDecodeError:
        return False
    return True


@mypyc_attr(allow_interpreted_subclasses=True)
class WebSocketProtocol:
    """The server's end of one open WebSocket: turns bytes into `message` calls, within bounds.

    An `asyncio.Protocol` by what it has and not by descent, so that it can be compiled.

    A subclass implements `message`, `text`, `lost`, `writable` and `blocked_now`.
    """

    __slots__ = (
        *("_chunks", "_close_timer", "_fragments", "_fragments_size", "_have", "_need", "closing"),
        *("frame_bytes_max", "frames", "received_at", "stalled", "transport"),
    )

    def __init__(self, transport: asyncio.Transport, frame_bytes_max: int, now: float) -> None:
        self.transport = transport
        self.frame_bytes_max = frame_bytes_max
        self.closing = False
        self.frames = 0
        """Frames of any kind received, since whoever keeps a budget set it back."""
        self.stalled = False
        """No further message is handled, because the last one is still being looked at."""
        self.received_at = now
        """Loop time at which the peer was last heard."""
        self._chunks: list[bytes] | None = None
        self._have = 0
        self._need = 0
        self._fragments: list[bytes] | None = None
        self._fragments_size = 0
        self._close_timer: asyncio.TimerHandle | None = None

    # -- for subclasses ---------------------------------------------------------------

    def message(self, payload: bytes) -> None:
        """One whole binary message arrived."""
        raise NotImplementedError

    def text(self, payload: bytes) -> None:
        """One whole text message arrived; no dialect of ours has any."""
        del payload
        self.close(UNSUPPORTED, "binary frames only")

    def lost(self) -> None:
        """The connection is gone; called once."""
        raise NotImplementedError

    def spend(self, size: int) -> None:
        """So many bytes came, and `frames` since the last time: for those who keep a budget."""

    def clock(self) -> float:
        """Loop time."""
        raise NotImplementedError

    # -- asyncio ----------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:  # noqa: C901 - a call per frame costs
        """Parse every whole frame; keep the rest without copying it again and again."""
        self.received_at = self.clock()
        if self._have or self.stalled:
            self._chunks = chunks = self._chunks or []
            chunks.append(data)
            self._have += len(data)
            if self._have < self._need or self.stalled:
                return
            data = b"".join(chunks)
            self._chunks = None
            self._have = 0
        at, end = 0, len(data)
        self.spend(end)
        while end - at >= 6 and not self.closing and not self.stalled:
            size = data[at + 1] & 127
            body = at + 6
            if size > 125:
                body = at + (8 if size == 126 else 14)
                if body > end:
                    break
                size = int.from_bytes(data[at + 2 : body - 4], "big")
            stop = body + size
            head = data[at]
            if stop > end:
                if self._acceptable(head, data[at + 1], size):
                    self._keep(data[at:], stop - at)
                return
            if head == 0x82 and data[at + 1] & 128 and size <= self.frame_bytes_max:
                payload = unmask(data, body, stop, data[body - 4 : body])
                self.frames += 1
                if self._fragments is None:
                    self.message(payload)
                else:
                    self.close(PROTOCOL_ERROR, "a message inside a message")
            elif self._acceptable(head, data[at + 1], size):
                self._frame(head, unmask(data, body, stop, data[body - 4 : body]))
            at = stop
        if at < end and not self.closing:
            self._keep_tail(data[at:])

    def _keep_tail(self, rest: bytes) -> None:
        """Keep what is no whole frame head yet, or waits because the connection is stalled."""
        if self.stalled:
            self._keep(rest, 0)
        elif len(rest) == 1 or self._acceptable(rest[0], rest[1], rest[1] & 127):
            self._keep(rest, 6)

    @property
    def is_receiving(self) -> bool:
        """The beginning of a message is here, its end is not."""
        return bool(self._have or self._fragments)

    def go_on(self) -> None:
        """Handle what arrived while the connection was `stalled`."""
        self.stalled = False
        if self._have and not self.closing:
            self._need = 0
            self.data_received(b"")

    def _keep(self, rest: bytes, need: int) -> None:
        self._chunks = [rest]
        self._have = len(rest)
        self._need = need

    def _acceptable(self, head: int, second: int, size: int) -> bool:
        """Close with the right code unless this frame may be read on."""
        opcode = head & 15
        if head & 0x70 or opcode not in (0, TEXT, BINARY, CLOSE, PING, PONG):
            self.close(PROTOCOL_ERROR, "unknown frame")
        elif not second & 128:
            self.close(PROTOCOL_ERROR, "client frames are masked")
        elif opcode >= CLOSE and (size > 125 or not head & 128):
            self.close(PROTOCOL_ERROR, "bad control frame")
        elif size + self._fragments_size > self.frame_bytes_max:
            self.close(TOO_BIG, "message too big")
        else:
            return True
        return False

    def _frame(self, head: int, payload: bytes) -> None:
        """Everything but a whole unfragmented binary message."""
        opcode = head & 15
        self.frames += 1
        if opcode == CLOSE:
            self._peer_closes(payload)
        elif opcode == PING:
            self._write(b"\x8a" + len(payload).to_bytes(1, "big") + payload)
        elif opcode == PONG:
            pass
        elif (opcode == 0) != (self._fragments is not None):
            self.close(PROTOCOL_ERROR, "fragments out of order")
        elif opcode == TEXT:
            self.text(payload)
        else:
            self._fragment(opcode, payload, final=bool(head & 128))

    def _fragment(self, opcode: int, payload: bytes, *, final: bool) -> None:
        if opcode == BINARY:
            self._fragments = []
        assert self._fragments is not None
        self._fragments.append(payload)
        self._fragments_size += len(payload) + 16
        if final:
            whole = b"".join(self._fragments)
            self._fragments, self._fragments_size = None, 0
            self.message(whole)

    def _peer_closes(self, body: bytes) -> None:
        if not _valid_close(body):
            self.close(PROTOCOL_ERROR, "bad close frame")
            return
        if not self.closing:
            self.closing = True
            self._write(b"\x88" + len(body).to_bytes(1, "big") + body)
        self.transport.close()

    def _write(self, data: bytes) -> None:
        """Write past the outbox; uvloop raises for a transport that is closed already."""
        if not self.transport.is_closing():
            self.transport.write(data)

    def ping(self) -> None:
        """Ask the peer for a sign of life that costs it nothing."""
        if not self.closing:
            self._write(b"\x89\x00")

    def close(self, code: int, reason: str) -> None:
        """Say why, then cut the socket; whatever still arrives is ignored."""
        if self.closing:
            return
        self.closing = True
        self._write(encode_close(code, reason))
        loop = asyncio.get_running_loop()
        self._close_timer = loop.call_later(_CLOSE_WAIT_S, self.transport.abort)
        self.transport.close()

    def eof_received(self) -> None:
        """Told by the event loop, which then closes the transport."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Told by the event loop."""
        del exc
        self.closing = True
        if self._close_timer is not None:
            self._close_timer.cancel()
            self._close_timer = None
        self._chunks = None
        self.lost()


class Tail:
    """Takes what a client sent right behind its handshake, before we owned the transport."""

    def __init__(self) -> None:
        self.data = b""

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Keep it; aiohttp calls this with what it had read."""
        self.data += data
        return False, b""

    def feed_eof(self) -> None:
        """Nothing to do: the transport tells us itself."""


def as_protocol(connection: WebSocketProtocol) -> asyncio.Protocol:
    """A connection as the event loop takes it."""
    return cast("asyncio.Protocol", connection)


def as_transport(transport: asyncio.BaseTransport | None) -> asyncio.Transport:
    """Narrow the type that aiohttp declares."""
    return cast("asyncio.Transport", transport)
