"""A large file up and down by curl, broken off and resumed; the server's memory stays flat."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.live import LiveServer
from tests.server.adapters.heaps.device import new_id
from tests.server.person import Person
from tests.stories.crowd import tell

MIB = 1 << 20
FULL = bool(os.environ.get("PLAIT_TEST_FULL"))
SIZE = (1024 if FULL else 64) * MIB
CHUNK = min(SIZE // 8, 64 * MIB)
CHUNKS = SIZE // CHUNK
GROWTH_BYTES_MAX = 48 * MIB
"""What the server may grow by, whatever the size of the file."""

pytestmark = pytest.mark.xdist_group("processes")


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that does not compress."""
    path = tmp_path_factory.mktemp("big") / "big.bin"
    piece = os.urandom(MIB)
    with path.open("wb") as file:
        for number in range(SIZE // MIB):
            file.write(number.to_bytes(8) + piece[8:])
    return path


class Site:
    """A server and somebody who uses it by curl."""

    def __init__(self, server: LiveServer, person: Person) -> None:
        self.server = server
        self.person = person
        self.block = new_id()

    def curl(self, *options: str, **more: Any) -> subprocess.Popen[bytes]:
        """Start curl with the token; what it says goes to stdout."""
        bearer = f"Authorization: Bearer {self.person.access}"
        return subprocess.Popen(
            ["curl", "-sS", "-H", bearer, *options], stdout=subprocess.PIPE, **more
        )

    def said(self, *options: str, **more: Any) -> Any:
        """The JSON that it answers with."""
        process = self.curl(*options, **more)
        out, _ = process.communicate(timeout=300)
        assert process.returncode == 0, out
        return json.loads(out)

    def url(self, step: str, rest: str = "") -> str:
        """A step of an upload."""
        return f"{self.server.url}/api/upload/{step}/{self.person.workspace}/{self.block}{rest}"

    def memory(self) -> dict[str, int]:
        """Resident bytes now and at their highest."""
        lines = Path(f"/proc/{self.server.pid}/status").read_text().splitlines()
        values = dict(line.split(":", 1) for line in lines)
        return {name: int(values[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM")}


@pytest.fixture
async def site(tmp_path: Path, database: str) -> AsyncIterator[Site]:
    """A server process, and somebody logged in."""
    server = LiveServer(tmp_path, database_url=database).start()
    person = Person()
    async with aiohttp.ClientSession(server.url) as session:
        web: Any = session
        await person.log_in(web)
    yield Site(server, person)
    server.stop()


def hash_of(path: Path) -> str:
    """SHA-256 of a file."""
    sha = sha256()
    with path.open("rb") as file:
        while piece := file.read(MIB):
            sha.update(piece)
    return sha.hexdigest()


async def test_up_by_a_form_and_down_with_a_pause(site: Site, big: Path, tmp_path: Path) -> None:
    """By curl -F, then a download that is killed and continued by -C -; the hash is the same."""
    digest = hash_of(big)
    before = site.memory()
    started = time.monotonic()
    answer = await asyncio.to_thread(
        site.said, "-F", f"hash={digest}", "-F", f"file=@{big}", site.url("file")
    )
    up_s = time.monotonic() - started
    assert answer["status"] == "complete", answer
    out, url = tmp_path / "out.bin", f"{site.server.url}/api/stream/{site.block}/big.bin"
    await _break_off(site, url, out)
    part = out.stat().st_size
    started = time.monotonic()
    rest = site.curl("-C", "-", "-o", str(out), url)
    await asyncio.to_thread(rest.communicate)
    down_s = time.monotonic() - started
    after = site.memory()

    assert rest.returncode == 0
    assert 0 < part < SIZE
    assert hash_of(out) == digest
    grown = after["VmHWM"] - before["VmRSS"]
    tell(
        f"{SIZE // MIB} MiB up in {up_s:.1f} s, down from {part // MIB} MiB on in {down_s:.1f} s; "
        f"the server grew by {grown / MIB:.1f} MiB at its highest"
    )
    assert grown < GROWTH_BYTES_MAX


async def test_up_in_chunks_with_a_pause(site: Site, big: Path) -> None:
    """A curl that is killed inside a chunk leaves nothing of it; the others are not sent again."""
    digest = hash_of(big)
    before = site.memory()
    begin = json.dumps({"hash": digest, "file_size": SIZE, "chunk_size": CHUNK, "name": "big"})
    begun = await asyncio.to_thread(site.said, "-d", begin, site.url("init"))
    assert begun["total_chunks"] == CHUNKS, begun
    for index in (5, 0, 7):
        await asyncio.to_thread(_send, site, big, digest, index)
    slow = site.curl("--limit-rate", "2M", "-T", "-", site.url("chunk", f"/{digest}/1"),
                     stdin=subprocess.PIPE)  # fmt: skip
    assert slow.stdin is not None
    slow.stdin.write(b"x" * (MIB // 4))
    slow.stdin.flush()
    await asyncio.sleep(0.3)
    slow.kill()
    slow.communicate()
    status = await asyncio.to_thread(site.said, site.url("status", f"/{digest}"))
    assert status["uploaded"] == [0, 5, 7]
    for index in set(range(CHUNKS)) - set(status["uploaded"]):
        await asyncio.to_thread(_send, site, big, digest, index)
    done = await asyncio.to_thread(site.said, "-X", "POST", site.url("complete", f"/{digest}"))
    grown = site.memory()["VmHWM"] - before["VmRSS"]

    assert done["status"] == "complete", done
    tell(f"{SIZE // MIB} MiB in {CHUNKS} chunks: the server grew by {grown / MIB:.1f} MiB at most")
    assert grown < GROWTH_BYTES_MAX


def _send(site: Site, big: Path, digest: str, index: int) -> None:
    """Send one chunk as a stream."""
    with big.open("rb") as file:
        file.seek(index * CHUNK)
        process = site.curl(
            "-T", "-", site.url("chunk", f"/{digest}/{index}"), stdin=subprocess.PIPE
        )
        assert process.stdin is not None
        for _ in range(CHUNK // MIB):
            process.stdin.write(file.read(MIB))
        out, _ = process.communicate(timeout=300)
    assert json.loads(out)["size"] == CHUNK


async def _break_off(site: Site, url: str, out: Path) -> None:
    """Begin a download and kill it when a third of it is here."""
    first = site.curl("--limit-rate", f"{SIZE // 4}", "-o", str(out), url)
    async with asyncio.timeout(120):
        while not out.exists() or out.stat().st_size < SIZE // 3:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    first.kill()
    first.communicate()
