"""The floor of the bench: hands y-websocket's updates and cursors on, and knows of no document.

What arrives in one turn of the loop leaves in one write per reader; nothing is checked, decoded,
stored or acknowledged. What a server of documents costs above this is its own work.
"""

import asyncio
import os

import uvloop
from aiohttp import WSMsgType, web

STEP1, STEP2_EMPTY = b"\x00\x00\x01\x00", b"\x00\x01\x02\x00\x00"


class Room:
    """Who is in one document, and what arrived for it in this turn."""

    def __init__(self) -> None:
        self.readers: dict[web.WebSocketResponse, asyncio.Transport] = {}
        self.arrived: list[tuple[web.WebSocketResponse, bytes]] = []

    def put(self, author: web.WebSocketResponse, message: bytes) -> None:
        """Something for all the others."""
        if not self.arrived:
            asyncio.get_running_loop().call_soon(self.hand_on)
        self.arrived.append((author, message))

    def hand_on(self) -> None:
        """One write for each reader."""
        arrived, self.arrived = self.arrived, []
        frames = [(author, frame(message)) for author, message in arrived]
        authors = {author for author, _ in frames}
        everything = b"".join(data for _, data in frames)
        for reader, transport in self.readers.items():
            own = reader in authors
            data = (
                b"".join(d for author, d in frames if author is not reader) if own else everything
            )
            if data:
                transport.write(data)


def frame(message: bytes) -> bytes:
    """A binary WebSocket message of a server."""
    size = len(message)
    if size < 126:
        return bytes((0x82, size)) + message
    return b"\x82\x7e" + size.to_bytes(2, "big") + message


async def join(request: web.Request) -> web.WebSocketResponse:
    """One reader, from its handshake to its end."""
    room = request.app[ROOMS].setdefault(request.path, Room())
    socket = web.WebSocketResponse(compress=False)
    await socket.prepare(request)
    assert request.transport is not None
    await socket.send_bytes(STEP1)
    room.readers[socket] = request.transport
    try:
        async for message in socket:
            if message.type is not WSMsgType.BINARY:
                continue
            if message.data[:2] == b"\0\0":
                await socket.send_bytes(STEP2_EMPTY)
            else:
                room.put(socket, message.data)
    finally:
        del room.readers[socket]
    return socket


ROOMS: web.AppKey[dict[str, Room]] = web.AppKey("rooms", dict)


def main() -> None:
    """Serve on PORT."""
    app = web.Application()
    app[ROOMS] = {}
    app.router.add_get("/{room:.+}", join)
    uvloop.install()
    web.run_app(app, host="127.0.0.1", port=int(os.environ["PORT"]), print=None, access_log=None)


if __name__ == "__main__":
    main()
