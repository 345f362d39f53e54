"""A proxy before PostgreSQL's socket that loses what a test says, when a test says."""

import asyncio
import contextlib
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, urlsplit

SOCKET = ".s.PGSQL.5432"


class WireCutter:
    """Stands between a flusher and PostgreSQL; `dsn` leads through it."""

    def __init__(self, dsn: str, folder: Path) -> None:
        host = parse_qs(urlsplit(dsn).query)["host"][0]
        self._target = f"{host}/{SOCKET}"
        self._folder = folder
        self.dsn = dsn.replace(host, str(folder))
        self.straight = dsn
        """The way around it."""
        self.requests = asyncio.Event()
        """Cleared: what the client sends is held back, and delivered after it is set again."""
        self.answers = asyncio.Event()
        """Cleared: what the server answers is held back."""
        self.held = asyncio.Event()
        """Something is being held back now."""
        self.open = True
        """False: new connections are refused."""
        self.connections = 0
        self._links: set[Link] = set()
        self.requests.set()
        self.answers.set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_unix_server(self._serve, self._folder / SOCKET)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        tasks = [task for link in self._links for task in link.tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def cut(self) -> None:
        """Break every connection at once, towards both ends."""
        for link in self._links:
            link.client.transport.abort()
            link.server.transport.abort()

    def leave(self) -> None:
        """Break every connection towards the client only: the server does not notice."""
        for link in self._links:
            link.client.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if not self.open:
            writer.transport.abort()
            return
        server_reader, server = await asyncio.open_unix_connection(self._target)
        link = Link(writer, server)
        link.tasks = [
            asyncio.create_task(self._pump(reader, server, self.requests, "client")),
            asyncio.create_task(self._pump(server_reader, writer, self.answers, "server")),
        ]
        self._links.add(link)

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        gate: asyncio.Event,
        side: str,
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                if not gate.is_set():
                    self.held.set()
                    await gate.wait()
                writer.write(data)
                await writer.drain()
        if side == "server":
            writer.transport.abort()


class Link:
    """Both ends of one connection."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client, self.server = client, server
        self.tasks: list[asyncio.Task[None]] = []
