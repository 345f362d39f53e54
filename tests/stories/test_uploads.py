"""Uploads and kill -9: in each phase nothing is half there, and the upload can be gone on with."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp
import pycrdt
import pytest

from tests.clients import Visitor
from tests.live import LiveServer
from tests.patience import PATIENCE_S
from tests.server.adapters.heaps.device import Device
from tests.server.adapters.heaps.sender import CHUNK, Sender
from tests.server.person import Person
from tests.stories.killing import POINTS

FULL = bool(os.environ.get("PLAIT_TEST_FULL"))
BROKEN = (aiohttp.ClientError, ConnectionError)

pytestmark = pytest.mark.xdist_group("processes")


class Uploader(Visitor):
    """Somebody with an account on a server that dies and comes back."""

    def __init__(self, server: LiveServer, person: Person) -> None:
        super().__init__(server.url, person.access)
        self.workspace = person.workspace


@asynccontextmanager
async def visiting(server: LiveServer, person: Person) -> AsyncIterator[Uploader]:
    """A fresh connection of the same person, logged in again."""
    async with aiohttp.ClientSession(server.url) as session:
        web: Any = session
        await person.log_in(web)
    async with Uploader(server, person) as uploader:
        yield uploader


@pytest.fixture
def server(tmp_path: Path, database: str) -> LiveServer:
    """A server that can be told where to die; its database does not die with it."""
    program = str(Path(__file__).parent / "killing.py")
    return LiveServer(
        tmp_path,
        prefix=(sys.executable, program),
        database_url=database,
        login_attempts_per_minute=10_000,
    )


def stored(folder: Path) -> list[str]:
    """The blobs that the store shows, each of which must be what its name says."""
    found = []
    for path in (folder / "data" / "blobs" / "blobs").rglob("*"):
        if path.is_file():
            assert sha256(path.read_bytes()).hexdigest() == path.name
            found.append(path.name)
    return found


async def in_chunks(sender: Sender) -> None:
    """Upload in chunks, only those that are not here."""
    status, begun = await sender.init()
    assert status == 200, begun
    for index in range(begun["total_chunks"]):
        if index not in begun["uploaded"]:
            assert (await sender.put(index))[0] == 200
    status, done = await sender.complete()
    assert status == 200, done


async def in_one_go(sender: Sender) -> None:
    """Upload by a form."""
    status, done = await sender.direct()
    assert status == 200, done


WAYS = {"chunks": in_chunks, "form": in_one_go}
OF_FORMS = {"receiving", "before the rename", "ready, used by nobody", "before the block is told"}
PHASES = {
    "chunks": list(POINTS),
    "form": [
        point
        for point in POINTS
        if point in OF_FORMS
        or (FULL and point not in {"reading the chunks", "set aside", "chunks removed"})
    ],
}
"""Phases that each way has; a form's others, which are the same code, in the long form only."""


@pytest.mark.parametrize("way", WAYS)
async def test_killed_in_each_phase_an_upload_is_whole_or_can_go_on(
    server: LiveServer, way: str
) -> None:
    """Whatever was acknowledged is there; the store shows no wrong bytes; the block is told."""
    person, kill = Person(), server.folder / "kill"
    server.start()
    for number, point in enumerate(PHASES[way]):
        async with visiting(server, person) as uploader:
            sender = Sender(uploader, os.urandom(2 * CHUNK + number))  # type: ignore[arg-type]
            kill.write_text(point)
            with pytest.raises(BROKEN):
                await WAYS[way](sender)
            assert server.process is not None
            assert server.process.wait(PATIENCE_S) == -signal.SIGKILL, point
            kill.unlink()
            stored(server.folder)
        server.start()
        async with visiting(server, person) as uploader:
            sender.guest = uploader  # type: ignore[assignment]
            status, seen = await sender.file()
            assert status == 404 or seen["status"] in {"uploading", "complete"}, point
            if status == 200 and seen["is_uploaded"]:
                assert await sender.read() == sender.data, point
            await WAYS[way](sender)
            assert await sender.read() == sender.data, point
            assert await _told(uploader, sender), point
    found = stored(server.folder)
    server.stop()

    assert len(found) == len(PHASES[way])


async def _told(uploader: Uploader, sender: Sender) -> bool:
    """Whether the block says that its file is here."""
    device = Device(uploader)  # type: ignore[arg-type]
    await device.pull(sender.block)
    files = device.blocks[sender.block].doc.get("files_v0", type=pycrdt.Map)
    return bool(files[f"{sender.hash}:{len(sender.data)}"]["is_uploaded"])


async def test_another_node_goes_on_with_an_upload(tmp_path: Path, database: str) -> None:
    """Begun and half sent to one node, continued and completed at another, read at the first."""
    folder = tmp_path / "shared"
    shared: dict[str, Any] = {
        "database_url": database,
        "data": folder,
        "login_attempts_per_minute": 10_000,
    }
    one = LiveServer(tmp_path / "one", **shared).start()
    two = LiveServer(tmp_path / "two", **shared).start()
    person = Person()
    async with visiting(one, person) as first, visiting(two, person) as second:
        sender = Sender(first, os.urandom(3 * CHUNK))  # type: ignore[arg-type]
        await sender.init()
        await sender.put(1)
        sender.guest = second  # type: ignore[assignment]
        assert (await sender.status())[1]["uploaded"] == [1]
        await in_chunks(sender)
        sender.guest = first  # type: ignore[assignment]
        assert (await sender.complete())[0] == 200
        assert await sender.read() == sender.data
    one.stop()
    two.stop()
