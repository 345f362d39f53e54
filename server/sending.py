"""The bytes of a file on their way out: by the kernel where it can be, else a piece at a time.

uvloop has no sendfile of its own, and copying through Python costs three times the processor time;
so the kernel is asked here, on a second descriptor of the same socket, which either loop can watch.
A reader that takes nothing for long is cut off: it comes back with a Range.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Self

from aiohttp import web

from storage.errors import StoreUnavailable, UnknownBlob

STEP_BYTES = 256 * 1024
"""Sent in one call: other connections wait no longer than this takes."""
_DRAIN_S = 0.005


def can_sendfile(request: web.BaseRequest) -> bool:
    """Whether the kernel can write to this connection: it cannot where we encrypt."""
    transport = request.transport
    return (
        hasattr(os, "sendfile")
        and transport is not None
        and transport.get_extra_info("sslcontext") is None
    )


class Pieces:
    """Bytes of a stream: opened by `async with`, which raises what the first piece raises."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces
        self._first = b""

    async def __aenter__(self) -> Self:
        self._first = await anext(self._pieces, b"")
        return self

    async def __aexit__(self, *_: object) -> None:
        close = getattr(self._pieces, "aclose", None)
        if close is not None:
            await close()

    async def send(
        self, request: web.Request, response: web.StreamResponse, stuck_s: float
    ) -> None:
        """Write all of it. Raises TimeoutError where the reader takes nothing for `stuck_s`."""
        del request
        piece: bytes | None = self._first
        while piece:
            async with asyncio.timeout(stuck_s):
                await response.write(piece)
            piece = await anext(self._pieces, None)


class Kernel:
    """Bytes of a file: opened by `async with`, which raises UnknownBlob where there is none."""

    def __init__(self, path: Path, start: int, end: int) -> None:
        self._path = path
        self._start = start
        self._end = end
        self._file = -1

    async def __aenter__(self) -> Self:
        try:
            self._file = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            raise UnknownBlob(self._path.name) from None
        except OSError as error:
            raise StoreUnavailable(str(error)) from error
        return self

    async def __aexit__(self, *_: object) -> None:
        os.close(self._file)

    async def send(
        self, request: web.Request, response: web.StreamResponse, stuck_s: float
    ) -> None:
        """Send all of it behind the headers. Raises ConnectionResetError and TimeoutError."""
        del response
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the connection is gone")
        async with asyncio.timeout(stuck_s):
            await _drain(transport)
        socket = os.dup(transport.get_extra_info("socket").fileno())
        try:
            await _send(socket, self._file, self._start, self._end, stuck_s)
        finally:
            os.close(socket)


async def _drain(transport: asyncio.WriteTransport) -> None:
    """Wait until the headers have left: the kernel must not overtake them."""
    tries = 0
    while transport.get_write_buffer_size():
        if transport.is_closing():
            raise ConnectionResetError("the connection is closing")
        tries += 1
        await asyncio.sleep(0 if tries < 10 else _DRAIN_S)


async def _send(socket: int, file: int, start: int, end: int, stuck_s: float) -> None:
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file, start, end - start, os.POSIX_FADV_SEQUENTIAL)
    at = start
    while at < end:
        try:
            sent = os.sendfile(socket, file, at, min(STEP_BYTES, end - at))
        except BlockingIOError:
            async with asyncio.timeout(stuck_s):
                await _writable(socket)
            continue
        except OSError as error:
            raise ConnectionResetError(*error.args) from error
        if sent == 0:
            raise ConnectionResetError("the file is shorter than it was")
        at += sent
        await asyncio.sleep(0)


async def _writable(socket: int) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_writer(socket, wake)
    try:
        await ready
    finally:
        loop.remove_writer(socket)
