"""The client end of one WebSocket, as thin as asyncio allows.

A load client must cost less than the server it measures. Frames therefore go to `on_chunk` as
they came off the socket, several at once: clients of one document mostly receive the same bytes,
so that the meaning of a chunk can be looked up instead of parsed. Outgoing frames are masked with
one fixed key whose four bytes are equal: masking is then one `bytes.translate`, and a masked
prefix and a masked payload may be joined in any order. The peer sees an ordinary masked frame.
"""

import asyncio
import base64
import hashlib
import os
import ssl
from collections.abc import Mapping
from typing import cast
from urllib.parse import urlsplit

MASK_BYTE = 0x5A
MASK_TABLE = bytes(byte ^ MASK_BYTE for byte in range(256))
MASK_KEY = bytes((MASK_BYTE,)) * 4
BINARY, CLOSE, PING, PONG = 0x82, 0x88, 0x89, 0x8A
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Refused(ConnectionError):
    """The server answered the upgrade with something other than 101."""

    def __init__(self, status: str) -> None:
        super().__init__(f"the server refused the WebSocket: {status}")
        self.status = status


def masked(payload: bytes) -> bytes:
    """A payload as it goes over the wire inside a client's frame."""
    return payload.translate(MASK_TABLE)


def header(size: int, opcode: int = BINARY) -> bytes:
    """What precedes a masked payload of `size` bytes."""
    if size < 126:
        return bytes((opcode, 0x80 | size)) + MASK_KEY
    if size < 65536:
        return bytes((opcode, 0xFE)) + size.to_bytes(2, "big") + MASK_KEY
    return bytes((opcode, 0xFF)) + size.to_bytes(8, "big") + MASK_KEY


def retrieved(future: asyncio.Future[None]) -> None:
    """Nobody may be waiting for this future any more: that is no error worth a log line."""
    if not future.cancelled():
        future.exception()


class Socket(asyncio.Protocol):
    """One WebSocket to a server. Subclasses say what chunks and closing mean to them."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport | None = None
        self.opened: asyncio.Future[None] = loop.create_future()
        self.opened.add_done_callback(retrieved)
        self.gone: asyncio.Future[None] = loop.create_future()
        self.close_code: int | None = None
        self.received_bytes = 0
        self._key = base64.b64encode(os.urandom(16))
        self._upgrade = b""
        self._upgraded = False
        self._rest = bytearray()
        self._wanted = 2

    # What subclasses fill in.

    def on_open(self) -> None:
        """The upgrade succeeded."""

    def on_chunk(self, data: bytes) -> bool:  # noqa: ARG002 - for subclasses
        """Whole frames as they came; True means handled, False asks for `on_frame` one by one."""
        return False

    def on_frame(self, payload: bytes) -> None:
        """One binary message."""

    def on_close(self) -> None:
        """The connection is gone."""

    # Opening and closing.

    async def open(
        self, url: str, *, headers: Mapping[str, str] | None = None, timeout_s: float = 60
    ) -> None:
        """Connect and upgrade. Raises Refused, OSError or TimeoutError."""
        parts = urlsplit(url)
        secure = parts.scheme in {"wss", "https"}
        port = parts.port or (443 if secure else 80)
        lines = {
            "Host": parts.netloc.rpartition("@")[2],
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": self._key.decode(),
            "Sec-WebSocket-Version": "13",
            **(headers or {}),
        }
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        request = f"GET {target} HTTP/1.1\r\n"
        request += "".join(f"{name}: {value}\r\n" for name, value in lines.items()) + "\r\n"
        self._upgrade = request.encode()
        async with asyncio.timeout(timeout_s):
            context = ssl.create_default_context() if secure else None
            await asyncio.get_running_loop().create_connection(
                lambda: self, parts.hostname or "127.0.0.1", port, ssl=context
            )
            await self.opened

    def send(self, payload: bytes) -> None:
        """Send one binary message."""
        assert self.transport is not None
        self.transport.write(header(len(payload)) + payload.translate(MASK_TABLE))

    def close(self) -> None:
        """Say goodbye; `gone` resolves once the server has hung up."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(header(2, CLOSE) + masked(b"\x03\xe8"))

    def abort(self) -> None:
        """Drop the connection without a word."""
        if self.transport is not None:
            self.transport.abort()

    # asyncio.Protocol.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """TCP is up: ask for the upgrade."""
        # uvloop's transports are asyncio's by behaviour, not by class.
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(self._upgrade)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's name
        """Wake everyone who waits for this connection."""
        if not self.opened.done():
            self.opened.set_exception(Refused("closed during the upgrade"))
        if not self.gone.done():
            self.gone.set_result(None)
        self.on_close()

    def data_received(self, data: bytes) -> None:
        """Cut what came into frames."""
        self.received_bytes += len(data)
        if self._rest:
            self._rest += data
            if len(self._rest) < self._wanted:
                return
            data = bytes(self._rest)
            self._rest.clear()
        if not self._upgraded:
            after = self._read_answer(data)
            if not after:
                return
            data = after
        if not self.on_chunk(data):
            self._read_frames(data)

    def _read_answer(self, data: bytes) -> bytes:
        head, separator, after = data.partition(b"\r\n\r\n")
        if not separator:
            self._keep(data, len(data) + 1)
            return b""
        status, _, fields = head.partition(b"\r\n")
        accept = base64.b64encode(hashlib.sha1(self._key + GUID).digest())  # noqa: S324 - RFC 6455
        if b" 101 " not in status + b" " or accept not in fields:
            self.opened.set_exception(Refused(status.decode("latin-1")))
            self.abort()
            return b""
        self._upgraded = True
        self.opened.set_result(None)
        self.on_open()
        return after

    def _keep(self, data: bytes, wanted: int) -> None:
        self._rest += data
        self._wanted = wanted

    def _read_frames(self, data: bytes) -> None:
        at, end = 0, len(data)
        while end - at >= 2:
            size, start = data[at + 1], at + 2
            if size == 126:
                size, start = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
            elif size == 127:
                size, start = int.from_bytes(data[at + 2 : at + 10], "big"), at + 10
            stop = start + size
            if stop > end or start > end:
                self._keep(data[at:], max(stop, start) - at)
                return
            self._one(data[at], data[start:stop])
            at = stop
        if at < end:
            self._keep(data[at:], 2)

    def _one(self, first: int, payload: bytes) -> None:
        if first == BINARY:
            self.on_frame(payload)
        elif first == PING:
            assert self.transport is not None
            self.transport.write(header(len(payload), PONG) + masked(payload))
        elif first == CLOSE:
            self.close_code = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else 1005
            assert self.transport is not None
            self.transport.write(header(len(payload), CLOSE) + masked(payload))
            self.transport.close()
        elif first not in {PONG, 0x81}:
            raise ValueError(f"frame starting with {first:#x}: fragments are not expected")
