"""Small raw clients of the three dialects, for tests that look at every frame.

They answer what a provider must answer and do nothing else by themselves: no reconnecting, no
keep-alive, no batching. What came is kept in order, so that a test can say what must not have come.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp
from pycrdt import Doc, Map, Text

from crdt import wire
from tests.patience import PATIENCE_S, until

Heard = tuple[int, Any]
"""Kind of a message (`wire.STEP1`, …) and its payload."""


class Replica:
    """A document as one client has it."""

    def __init__(self, client_id: int | None = None) -> None:
        self.doc: Doc[Any] = Doc(client_id=client_id)
        self._text = self.doc.get("text", type=Text)
        self._map = self.doc.get("map", type=Map)

    @property
    def text(self) -> str:
        """The text now."""
        return str(self._text)

    def edit(self, change: Callable[[], object]) -> bytes:
        """Make a change; the update that tells of it."""
        before = self.doc.get_state()
        change()
        return self.doc.get_update(before)

    def insert(self, text: str, at: int | None = None) -> bytes:
        """Type at a place (in UTF-8 bytes), or at the end; the update."""
        place = len(self._text) if at is None else at
        return self.edit(lambda: self._text.insert(place, text))

    def delete(self, start: int, end: int) -> bytes:
        """Delete a range of the text; the update."""

        def change() -> None:
            del self._text[start:end]

        return self.edit(change)

    def put(self, key: str, value: Any) -> bytes:
        """Set a key of the map; the update."""
        return self.edit(lambda: self._map.update({key: value}))

    def apply(self, update: bytes) -> None:
        """Take in what somebody else changed."""
        self.doc.apply_update(update)

    @property
    def vector(self) -> bytes:
        """The state vector."""
        return self.doc.get_state()

    def missing(self, vector: bytes) -> bytes:
        """What a replica at `vector` lacks."""
        return self.doc.get_update(vector)


def text_of(update: bytes) -> str:
    """The text of a document that is given as one update."""
    replica = Replica()
    replica.apply(update)
    return replica.text


becomes = until
"""Its name in older tests."""


class Closed(ConnectionError):
    """The connection ended while something was expected of it."""


class Socket:
    """One WebSocket: what came over it in order, and how it ended."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self.frames: list[bytes] = []
        self.code: int | None = None
        """The close code, once it is closed."""
        self.failure: Exception | None = None
        """What went wrong over a frame in the client itself."""
        self._news = asyncio.Event()
        self.reading = asyncio.create_task(self._read())
        """Ends with the connection."""

    async def _read(self) -> None:
        async for message in self._socket:
            if message.type is aiohttp.WSMsgType.BINARY:
                self.frames.append(message.data)
                try:
                    self.on_frame(message.data)
                except Exception as error:  # noqa: BLE001 - whoever waits is told
                    self.failure = error
            self._news.set()
        self.code = self._socket.close_code or 1006
        self._news.set()

    def on_frame(self, frame: bytes) -> None:
        """One binary message; a dialect overrides this."""

    @property
    def protocol(self) -> str | None:
        """The subprotocol that the server chose."""
        return self._socket.protocol

    async def send(self, frame: bytes) -> None:
        """Send one binary message."""
        await self._socket.send_bytes(frame)

    async def until(self, holds: Callable[[], object], within_s: float = PATIENCE_S) -> None:
        """Wait until something is true, looking again after each frame. Raises Closed."""
        try:
            async with asyncio.timeout(within_s):
                while not holds():
                    if self.failure is not None:
                        raise self.failure
                    if self.code is not None:
                        raise Closed(f"closed with {self.code}")
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            heard = [frame[:40].hex() for frame in self.frames[-10:]]
            raise AssertionError(f"not so after {within_s} s: {heard}") from None

    async def closed(self, within_s: float = PATIENCE_S) -> int:
        """Wait for the end; the close code."""
        await self.until(lambda: self.code is not None, within_s)
        assert self.code is not None
        return self.code

    async def close(self) -> None:
        """Say goodbye."""
        await self._socket.close()
        await asyncio.gather(self.reading, return_exceptions=True)
        if self.failure is not None:
            raise self.failure

    def cut(self) -> None:
        """Drop the connection without a word."""
        transport = self._socket._response.connection.transport  # type: ignore[union-attr]
        if transport is not None:
            transport.abort()


class Session:
    """One document as a client has it open: what it has, and what it heard."""

    def __init__(self, replica: Replica | None) -> None:
        self.replica = replica or Replica()
        self.heard: list[Heard] = []
        self.answers = True
        """Answers the server's step 1, as providers do."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def send(self, frame: bytes) -> None:
        """Send one message."""
        raise NotImplementedError

    def on_message(self, kind: int, payload: Any) -> None:
        """Keep what came and answer what must be answered."""
        self.heard.append((kind, payload))
        if kind in (wire.STEP2, wire.UPDATE):
            self.replica.apply(payload)
        elif kind == wire.STEP1 and self.answers:
            answer = wire.step2(self.replica.missing(payload))
            task = asyncio.get_running_loop().create_task(self.send(answer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def payloads(self, kind: int) -> list[Any]:
        """The payloads of all messages of one kind, in order."""
        return [payload for what, payload in self.heard if what == kind]


class YClient(Socket, Session):
    """A y-websocket or Y-Sweet client of one document."""

    def __init__(
        self, socket: aiohttp.ClientWebSocketResponse, replica: Replica | None = None
    ) -> None:
        Session.__init__(self, replica)
        Socket.__init__(self, socket)

    def on_frame(self, frame: bytes) -> None:
        """Each message in it."""
        for kind, payload in wire.decode_y_all(frame):
            self.on_message(kind, payload)

    async def sync(self) -> Self:
        """Ask for the document and wait until it is here; all that was sent before is in it."""
        had = len(self.payloads(wire.STEP2))
        await self.send(wire.step1(self.replica.vector))
        await self.until(lambda: len(self.payloads(wire.STEP2)) > had)
        return self

    async def write(self, text: str) -> bytes:
        """Type at the end and send it; the update."""
        update = self.replica.insert(text)
        await self.send(wire.update(update))
        return update

    async def stored(self, update: bytes) -> None:
        """Wait for the echo that says that this update is stored (y-websocket)."""
        await self.until(lambda: update in self.payloads(wire.UPDATE))


class HocuspocusSocket(Socket):
    """A Hocuspocus socket; `open` adds a document to it."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        super().__init__(socket)
        self.sessions: dict[str, HocuspocusClient] = {}
        self.strangers: list[bytes] = []
        """Frames for addresses that nobody here has open."""

    def on_frame(self, frame: bytes) -> None:
        """Hand a frame to the document that it is for."""
        address, at = wire.read_address(frame)
        session = self.sessions.get(address)
        if session is None:
            self.strangers.append(frame)
        else:
            session.on_message(*wire.decode_hocuspocus_reply(frame, at))

    def session(self, address: str, replica: Replica | None = None) -> HocuspocusClient:
        """A document of this socket; nothing is sent yet."""
        session = self.sessions[address] = HocuspocusClient(self, address, replica)
        return session

    async def open(
        self, address: str, token: str, replica: Replica | None = None
    ) -> HocuspocusClient:
        """Open a document as a provider does, and wait until it is synced."""
        session = self.session(address, replica)
        await session.show(token)
        return await session.sync()


class HocuspocusClient(Session):
    """One document on a Hocuspocus socket."""

    def __init__(
        self, socket: HocuspocusSocket, address: str, replica: Replica | None = None
    ) -> None:
        super().__init__(replica)
        self.socket = socket
        self.address = address
        self.prefix = wire.address_prefix(address)

    @property
    def statuses(self) -> list[bool]:
        """Every SyncStatus so far."""
        return self.payloads(wire.SYNC_STATUS)

    @property
    def scopes(self) -> list[str]:
        """Every scope that was granted so far."""
        return self.payloads(wire.AUTHENTICATED)

    @property
    def denials(self) -> list[str]:
        """Every reason of a denial so far."""
        return self.payloads(wire.AUTH_DENIED)

    async def send(self, message: bytes) -> None:
        """Send one message under this document's address."""
        await self.socket.send(self.prefix + message)

    async def until(self, holds: Callable[[], object], within_s: float = PATIENCE_S) -> None:
        """Wait until something is true."""
        await self.socket.until(holds, within_s)

    async def show(self, token: str, version: str | None = "4.8.0") -> None:
        """Show a token."""
        await self.send(wire.auth_token(token, version))

    async def sync(self) -> Self:
        """Ask for the document and wait until it is here; all that was sent before is in it."""
        had = len(self.payloads(wire.STEP2))
        await self.send(wire.step1(self.replica.vector))
        await self.until(lambda: len(self.payloads(wire.STEP2)) > had or self.denials)
        assert not self.denials, self.denials
        return self

    async def denied(self) -> str:
        """Wait for a denial; its reason."""
        await self.until(lambda: self.denials)
        return self.denials[-1]

    async def write(self, text: str) -> bytes:
        """Type at the end and send it; the update."""
        update = self.replica.insert(text)
        await self.send(wire.update(update))
        return update

    async def settled(self, count: int) -> list[bool]:
        """Wait for `count` statuses in all; what they are."""
        await self.until(lambda: len(self.statuses) >= count)
        return self.statuses


class Visitor:
    """Somebody with a token who opens connections to one server; all of them end with it."""

    def __init__(self, url: str, token: str = "") -> None:
        self.url = url
        self.token = token
        # Unless it is told otherwise a connector opens 100, and the next one waits for ever.
        self.http = aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=0))
        self._open: list[Socket] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.gather(*(socket.close() for socket in self._open))
        await self.http.close()

    @property
    def bearer(self) -> dict[str, str]:
        """The header that shows the token."""
        return {"Authorization": f"Bearer {self.token}"}

    async def _connect(self, path: str, **options: Any) -> aiohttp.ClientWebSocketResponse:
        return await self.http.ws_connect(path, max_msg_size=0, **options)

    async def y(
        self,
        name: str,
        *,
        token: str | None = None,
        replica: Replica | None = None,
        path: str = "/ws/",
        kind: type[YClient] | None = None,
        **options: Any,
    ) -> YClient:
        """A y-websocket connection to a document, not synced yet."""
        token = self.token if token is None else token
        query = f"?token={token}" if token else ""
        socket = await self._connect(f"{path}{quote(name, safe='/')}{query}", **options)
        client = (kind or YClient)(socket, replica)
        self._open.append(client)
        return client

    async def sweet(
        self, name: str, token: str | None = None, replica: Replica | None = None
    ) -> YClient:
        """A Y-Sweet connection to a document that is there."""
        return await self.y(name, token=token, replica=replica, path=f"/d/{name}/ws/")

    async def hocuspocus(self, path: str = "/ws", **options: Any) -> HocuspocusSocket:
        """A Hocuspocus socket without a document."""
        socket = HocuspocusSocket(await self._connect(path, **options))
        self._open.append(socket)
        return socket

    async def open(
        self, name: str, replica: Replica | None = None, token: str | None = None
    ) -> HocuspocusClient:
        """A Hocuspocus socket with one document, synced."""
        socket = await self.hocuspocus()
        return await socket.open(name, self.token if token is None else token, replica)

    async def get(self, path: str, *, token: str | None = None) -> tuple[int, bytes]:
        """Status and body of a GET."""
        headers = {"Authorization": f"Bearer {self.token if token is None else token}"}
        async with self.http.get(path, headers=headers) as answer:
            return answer.status, await answer.read()

    async def post(
        self, path: str, *, token: str | None = None, **body: Any
    ) -> tuple[int, Any, dict[str, str]]:
        """Status, body (as JSON where it is) and headers of a POST."""
        headers = {"Authorization": f"Bearer {self.token if token is None else token}"}
        async with self.http.post(path, headers=headers, **body) as answer:
            is_json = answer.content_type == "application/json"
            data = await answer.json() if is_json else await answer.read()
            return answer.status, data, dict(answer.headers)

    async def stored_text(self, name: str) -> str:
        """The text of a document as REST reads it."""
        status, body = await self.get(f"/d/{name}/as-update")
        assert status == 200, body
        return text_of(body)
