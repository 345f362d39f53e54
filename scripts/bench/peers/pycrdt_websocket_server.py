"""pycrdt-websocket on aiohttp and uvloop. PORT; DATABASE is an SQLite file, none for memory."""

import asyncio
import contextlib
import os

import uvloop
from aiohttp import WSMsgType, web
from pycrdt.store import SQLiteYStore, YDocNotFound
from pycrdt.websocket import WebsocketServer, YRoom, exception_logger

SERVER = web.AppKey("server", WebsocketServer)


class Channel:
    """An aiohttp WebSocket in the form pycrdt-websocket asks for."""

    def __init__(self, socket: web.WebSocketResponse, path: str) -> None:
        self.socket, self.path = socket, path

    def __aiter__(self) -> "Channel":
        return self

    async def __anext__(self) -> bytes:
        message = await self.socket.receive()
        if message.type is not WSMsgType.BINARY:
            raise StopAsyncIteration
        data: bytes = message.data
        return data

    async def send(self, message: bytes) -> None:
        """Send one message."""
        await self.socket.send_bytes(message)

    async def recv(self) -> bytes:
        """Receive one message."""
        return await anext(self)


class Store(SQLiteYStore):
    """All documents in one file, as its documentation says."""

    db_path = os.environ.get("DATABASE", "")


class Rooms(WebsocketServer):
    """Rooms that are read from the store before anybody is let in, and write each update to it."""

    async def get_room(self, name: str) -> YRoom:
        """The room of that name."""
        if not Store.db_path or name in self.rooms:
            room = await super().get_room(name)
            await room.ready_event.wait()
            return room
        store = Store(name)
        room = self.rooms[name] = YRoom(
            ready=False, ystore=store, exception_handler=exception_logger, log=self.log
        )
        await self.start_room(room)
        await store.started.wait()
        with contextlib.suppress(YDocNotFound):  # Where it is a new one.
            await store.apply_updates(room.ydoc)
        room.ready = True
        return room


async def serve(request: web.Request) -> web.WebSocketResponse:
    """One client of the room that the path names."""
    socket = web.WebSocketResponse(compress=False, max_msg_size=0)
    await socket.prepare(request)
    await request.app[SERVER].serve(Channel(socket, request.path))
    return socket


async def main() -> None:
    """Serve until killed."""
    async with Rooms(exception_handler=exception_logger) as server:
        app = web.Application()
        app[SERVER] = server
        app.router.add_get("/{room:.+}", serve)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", int(os.environ["PORT"]), backlog=4096).start()
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
