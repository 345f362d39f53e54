"""pycrdt's own provider as one more peer, with the face of `peer.Client`."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp
from pycrdt import Doc, Map, Provider, Text

from tests.peers.home import Home
from tests.peers.peer import LOOK_EVERY_S, WAIT_S_MAX, State


class _Channel:
    """An aiohttp client socket in the form pycrdt asks for."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, path: str) -> None:
        self._socket, self.path = socket, path

    def __aiter__(self) -> "_Channel":
        return self

    async def __anext__(self) -> bytes:
        message = await self._socket.receive()
        if message.type is not aiohttp.WSMsgType.BINARY:
            raise StopAsyncIteration
        data: bytes = message.data
        return data

    async def recv(self) -> bytes:
        return await anext(self)

    async def send(self, message: bytes) -> None:
        await self._socket.send_bytes(message)


class PycrdtClient:
    """`async with PycrdtClient(home, name) as client`; indices count UTF-8 bytes."""

    def __init__(self, home: Home, name: str) -> None:
        self.document: Doc = Doc()
        self.text = self.document.get("text", type=Text)
        self.map = self.document.get("map", type=Map)
        self._url = f"{home.ws}/ws/{quote(name, safe='/')}?token={home.token}"
        self._session = aiohttp.ClientSession()

    async def __aenter__(self) -> Self:
        self._socket = await self._session.ws_connect(self._url)
        self._provider = Provider(self.document, _Channel(self._socket, self._url))
        self._running = asyncio.create_task(self._provider.start())
        async with asyncio.timeout(WAIT_S_MAX):
            await self._provider.synced.wait()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._provider.stop()
        await asyncio.gather(self._running, return_exceptions=True)
        await self._socket.close()
        await self._session.close()

    async def insert(self, index: int, text: str) -> None:
        """Type."""
        self.text.insert(index, text)

    async def state(self) -> State:
        """Text and map now."""
        delta = [
            {"insert": text, **({"attributes": attributes} if attributes else {})}
            for text, attributes in self.text.diff()
        ]
        synced = self._provider.synced.is_set()
        return {"text": str(self.text), "delta": delta, "map": plain(self.map.to_py()),
                "synced": synced, "unsynced": 0}  # fmt: skip

    async def until(self, holds: Callable[[State], bool], *, within_s: float = WAIT_S_MAX) -> State:
        """Wait for a state; the failure shows the last one seen."""
        end = asyncio.get_running_loop().time() + within_s
        while not holds(state := await self.state()):
            if asyncio.get_running_loop().time() > end:
                raise AssertionError(f"pycrdt is still like this after {within_s} s: {state}")
            await asyncio.sleep(LOOK_EVERY_S)
        return state


def plain(value: Any) -> Any:
    """Numbers as JSON has them: Yjs sends 1 where pycrdt reads 1.0."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value
