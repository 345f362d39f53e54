"""Drives real providers from Python: one Node process per provider, any number of clients in it."""

import asyncio
import itertools
import json
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.peers.home import Home

HERE = Path(__file__).resolve().parent
Y_WEBSOCKET = ("y-websocket-1", "y-websocket-2", "y-websocket")
"""Versions 1.5.4, 2.1.0 and 3.1.0."""
Y_WEBSOCKET_NEXT = "y-websocket-4"
"""@y/websocket 4.0.0-3, a pre-release with its own Yjs 14."""
HOCUSPOCUS = ("hocuspocus-2", "hocuspocus-3", "hocuspocus")
"""Versions 2.15.3, 3.4.4 and 4.8.0."""
Y_SWEET = "y-sweet"
"""Version 0.9.1."""
NODE_PROVIDERS = (*Y_WEBSOCKET, Y_WEBSOCKET_NEXT, *HOCUSPOCUS, Y_SWEET)
WAIT_S_MAX = 60.0
LOOK_EVERY_S = 0.02
State = dict[str, Any]


class PeerError(RuntimeError):
    """A command that the Node process could not carry out."""


class Peer:
    """One Node process with one version of one provider."""

    def __init__(self, provider: str) -> None:
        self.provider = provider
        self.events: list[State] = []
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[State]] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    async def start(self) -> "Peer":
        """Start Node."""
        node = shutil.which("node")
        assert node, "Node is missing: scripts/test installs it"
        script = ["peer_next.mjs"] if self.provider == Y_WEBSOCKET_NEXT else ["peer.mjs"]
        self._process = await asyncio.create_subprocess_exec(
            node, *script, self.provider, cwd=HERE,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 26,
        )  # fmt: skip
        self._reading = asyncio.create_task(self._read())
        return self

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            try:
                message = json.loads(line)
            except ValueError:
                continue  # a provider that writes to the console
            if "id" in message:
                answer = self._answers.pop(message["id"])
                if not answer.done():  # Whoever asked was stopped meanwhile.
                    answer.set_result(message)
            else:
                self.events.append(message)
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(PeerError(f"{self.provider} ended"))

    async def ask(self, do: str, client: str, **arguments: Any) -> State:
        """Have one command carried out. Raises PeerError with Node's words."""
        assert self._process is not None
        assert self._process.stdin is not None
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        command = {"id": number, "do": do, "client": client, **arguments}
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        async with asyncio.timeout(WAIT_S_MAX):
            message = await answer
        if "error" in message:
            raise PeerError(message["error"])
        return message

    async def open(self, home: Home, name: str, **options: Any) -> "Client":
        """A client of one document."""
        client = Client(self, f"c{next(self._numbers)}")
        where = {"url": home.ws, "name": name, "token": home.token}
        await self.ask("open", client.name, **where, **options)
        return client

    async def kill(self) -> None:
        """End without goodbyes, as when a laptop is shut."""
        assert self._process
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        if self._reading:
            await self._reading


class Client:
    """One client of one document in a Node process."""

    def __init__(self, peer: Peer, name: str) -> None:
        self.peer, self.name = peer, name

    def __repr__(self) -> str:
        return f"{self.peer.provider}/{self.name}"

    async def do(self, what: str, **arguments: Any) -> State:
        """Any command: insert, remove, format, set, unset, awareness, connect, drop, ..."""
        return await self.peer.ask(what, self.name, **arguments)

    async def insert(self, index: int, text: str, **attributes: Any) -> None:
        """Type; `index` counts UTF-16 units, as Yjs does."""
        await self.do("insert", index=index, text=text, attributes=attributes or None)

    async def state(self) -> State:
        """Text, map, synced, unsynced, awareness, events: how things are now."""
        return await self.do("state")

    async def until(self, holds: Callable[[State], bool], *, within_s: float = WAIT_S_MAX) -> State:
        """Wait for a state; the failure shows the last one seen."""
        end = asyncio.get_running_loop().time() + within_s
        while not holds(state := await self.state()):
            if asyncio.get_running_loop().time() > end:
                raise AssertionError(f"{self} is still like this after {within_s} s: {state}")
            await asyncio.sleep(LOOK_EVERY_S)
        return state

    async def synced(self) -> State:
        """Wait until the provider says it is synced and nothing of its own is unconfirmed."""
        return await self.until(lambda state: state["synced"] and state["unsynced"] == 0)

    def heard(self, event: str) -> list[Any]:
        """The details of all events of a name so far."""
        mine = (e for e in self.peer.events if e["client"] == self.name)
        return [e["detail"] for e in mine if e["event"] == event]


async def everyone(peer: Callable[[str], Awaitable[Peer]], home: Home, name: str) -> list[Client]:
    """One client of each provider in one document, all synced."""
    peers = await asyncio.gather(*(peer(provider) for provider in NODE_PROVIDERS))
    clients = [await one.open(home, name) for one in peers]
    await asyncio.gather(*(client.synced() for client in clients))
    return clients
