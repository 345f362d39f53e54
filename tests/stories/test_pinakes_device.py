"""Two folders that follow one library: what people do with files, and what goes wrong."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from nacl.encoding import Base64Encoder
from nacl.signing import SigningKey

from scripts._device.rounds import Busy
from scripts._device.server import Refused
from scripts._pinakes.index import Index
from tests.inside import fresh_database
from tests.live import ROOT, LiveServer
from tests.stories.shelf import Died, Shelf
from tests.stories.tunnel import Tunnel

pytestmark = [
    pytest.mark.xdist_group("processes"),
    pytest.mark.asyncio(loop_scope="module"),
]

MIB = 1 << 20
NOTE = b"# Plan\n\nfirst line\n\nlast line\n"
BIG = bytes(range(256)) * 4096 * 9
"""Nine MiB: three chunks."""


class Story:
    """A server that can be killed, and its database."""

    def __init__(self, live: LiveServer, database: str) -> None:
        self.live, self.database = live, database

    async def value(self, text: str) -> object:
        """What the database says, or what only time would do to it."""
        connection = await asyncpg.connect(self.database)
        try:
            return await connection.fetchval(text)
        finally:
            await connection.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def story(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Story]:
    """One server for all of them."""
    async with fresh_database(postgres) as database:
        live = LiveServer(
            tmp_path_factory.mktemp("server"),
            database_url=database,
            shutdown_grace_s=0.2,
            login_attempts_per_minute=100_000,
        )
        await asyncio.to_thread(live.start)
        yield Story(live, database)
        live.kill()


@pytest.fixture
def pair(story: Story, tmp_path: Path) -> tuple[Shelf, Shelf]:
    """Two folders of one account."""
    key = SigningKey.generate()
    p, q = (Shelf(tmp_path / name, story.live.url, key, name) for name in ("p", "q"))
    return p, q


def rounds(*shelves: Shelf) -> None:
    """Sync one after the other until all have heard of all."""
    for _ in range(2):
        for shelf in shelves:
            shelf.sync()


async def test_files_are_added_edited_moved_and_deleted(pair: tuple[Shelf, Shelf]) -> None:
    """On either side, in folders too; times are kept, empty folders go, moves fetch nothing."""
    p, q = pair
    for path, data in (("a.bin", b"\xff1"), ("deep/er/b.md", NOTE), ("c", b""), ("d e ü.bin", BIG)):
        p.write(path, data)
    os.utime(p.path / "a.bin", (1_700_000_000.5, 1_700_000_000.5))
    rounds(p, q)
    first = q.read()
    q.write("a.bin", b"\xff2")
    q.move("deep/er/b.md", "b.md")
    q.move("d e ü.bin", "moved/big.bin")
    q.delete("c")
    time = (q.path / "moved/big.bin").stat().st_mtime
    q.sync()
    p.sync()

    assert first == {"a.bin": b"\xff1", "deep/er/b.md": NOTE, "c": b"", "d e ü.bin": BIG}
    assert p.read() == {"a.bin": b"\xff2", "b.md": NOTE, "moved/big.bin": BIG}
    assert not (p.path / "deep").exists()
    assert (p.path / "moved/big.bin").stat().st_mtime == time
    assert p.moved_bytes < 100
    assert p.sync().lines == q.sync().lines == []


async def test_what_both_changed_is_kept_twice_or_merged(pair: tuple[Shelf, Shelf]) -> None:
    """A picture has two versions then, a text has both edits; nobody is asked anything."""
    p, q = pair
    p.write("a.bin", b"\xff1")
    p.write("note.md", NOTE)
    rounds(p, q)
    p.write("a.bin", b"\xff of p")
    p.write("note.md", NOTE.replace(b"first", b"FIRST"))
    q.write("a.bin", b"\xff of q")
    q.write("note.md", NOTE.replace(b"last", b"LAST"))
    p.sync()
    problems = q.sync().problems
    rounds(p, q)
    files = p.read()

    assert files == q.read()
    assert files.pop("note.md") == NOTE.replace(b"first", b"FIRST").replace(b"last", b"LAST")
    assert files.pop("a.bin") == b"\xff of p"
    ((beside, data),) = files.items()
    assert beside.startswith("a (conflict q ")
    assert data == b"\xff of q"
    assert len(problems) == 1


@pytest.mark.parametrize(
    ("resolution", "wins"), [("server_wins", b"\xff of p"), ("client_wins", b"\xff of q")]
)
async def test_a_device_decides_as_it_was_told(
    pair: tuple[Shelf, Shelf], resolution: str, wins: bytes
) -> None:
    """One version stands on both sides, and there is no other file."""
    p, q = pair
    p.write("a.bin", b"\xff1")
    rounds(p, q)
    p.write("a.bin", b"\xff of p")
    q.write("a.bin", b"\xff of q")
    p.sync()
    q.sync(resolution)
    rounds(p, q)

    assert p.read() == q.read() == {"a.bin": wins}


async def test_a_deletion_loses_against_an_edit(pair: tuple[Shelf, Shelf]) -> None:
    """Whichever comes first."""
    p, q = pair
    for path in ("a.bin", "b.bin", "c.md", "d.md"):
        p.write(path, NOTE)
    rounds(p, q)
    for path in ("a.bin", "c.md"):
        p.delete(path)
        q.write(path, NOTE + b"q\n")
    for path in ("b.bin", "d.md"):
        p.write(path, NOTE + b"p\n")
        q.delete(path)
    rounds(p, q)

    edited = {path: NOTE + who for path, who in zip("abcd", (b"q\n", b"p\n") * 2, strict=True)}
    assert p.read() == q.read()
    assert {path[0]: data for path, data in p.read().items()} == edited


async def test_an_upload_goes_on_where_the_device_died(
    story: Story, pair: tuple[Shelf, Shelf]
) -> None:
    """Chunks that are there are not sent again, nor bytes that are here."""
    p, q = pair
    p.write("big.bin", BIG)
    p.dies_after = 4 * MIB
    with pytest.raises(Died):
        p.sync()
    q.sync()
    untold = q.read()
    p.dies_after = None
    here = await story.value("SELECT count(*) FROM upload_chunks")
    p.sync()
    q.dies_after = 5 * MIB
    with pytest.raises(Died):
        q.sync()
    (part,) = (q.path / ".pinakes" / "incoming").iterdir()
    had = part.stat().st_size
    q.dies_after = None
    q.sync()

    assert (untold, here) == ({}, 2)
    assert 4 * MIB <= had < len(BIG)
    assert q.read() == {"big.bin": BIG}


async def test_an_upload_goes_on_after_the_server_was_killed(
    story: Story, pair: tuple[Shelf, Shelf]
) -> None:
    """What it acknowledged is there; a device tries again by itself."""
    p, q = pair
    p.write("big.bin", BIG)
    p.dies_after = 8 * MIB
    with pytest.raises(Died):
        p.sync()
    story.live.kill()
    p.dies_after = None
    away = await asyncio.to_thread(p.try_sync)
    await asyncio.to_thread(story.live.start)
    await asyncio.to_thread(p.sync)
    await asyncio.to_thread(q.sync)

    assert not away
    assert q.read() == {"big.bin": BIG}


async def test_answers_that_are_lost_do_no_harm(story: Story, pair: tuple[Shelf, Shelf]) -> None:
    """Every third one: what was done is not done again, and nothing is missing in the end."""
    p, q = pair
    async with Tunnel(story.live.port, 7) as tunnel:
        p.url = q.url = tunnel.url
        tunnel.lossy = 0.3
        for turn in range(4):
            p.write(f"{turn}.bin", b"\xff" + bytes([turn]))
            p.write("log.md", p.read().get("log.md", b"") + f"p{turn}\n".encode())
            q.write("log.md", q.read().get("log.md", b"") + f"q{turn}\n".encode())
            await asyncio.to_thread(p.try_sync)
            await asyncio.to_thread(q.try_sync)
        lost, tunnel.lossy = tunnel.lost, 0.0
        for shelf in (p, q, p, q):
            await asyncio.to_thread(shelf.sync)
    words = q.read()["log.md"].split()

    assert lost > 0
    assert p.read() == q.read()
    assert sorted(words) == sorted(f"{who}{turn}".encode() for who in "pq" for turn in range(4))
    assert {f"{turn}.bin" for turn in range(4)} <= q.read().keys()


@pytest.mark.parametrize("is_forgotten", [False, True], ids=["remembered", "forgotten"])
async def test_a_device_that_was_gone_for_a_month(
    story: Story, pair: tuple[Shelf, Shelf], is_forgotten: bool
) -> None:
    """It hears of everything; what was deleted meanwhile goes, what it wrote meanwhile stays.

    Also where it was gone for so long that nobody remembers the deletions.
    """
    p, q = pair
    for number in range(6):
        p.write(f"{number}.bin", b"\xff" + bytes([number]))
    p.write("note.md", NOTE)
    rounds(p, q)
    away = "4 months" if is_forgotten else "1 month"
    q.write("mine.bin", b"\xff mine")
    q.write("note.md", NOTE + b"of q, offline\n")
    q.write("4.bin", b"\xff of q")
    for number in range(4):
        p.delete(f"{number}.bin")
    p.delete("4.bin")
    p.move("5.bin", "five.bin")
    p.write("note.md", b"at the top\n" + NOTE)
    p.sync()
    await story.value(
        f"UPDATE pinakes_devices SET last_seen_at = now() - interval '{away}', "
        f"created_at = now() - interval '{away}' WHERE id = '{q.device}'"
    )
    p.write("new.bin", b"\xff new")
    p.sync()
    p.sync()
    floor = await story.value(
        f"SELECT floor FROM pinakes_libraries JOIN pinakes_devices USING (account) "
        f"WHERE id = '{q.device}'"
    )
    told = q.sync()
    rounds(p, q)

    assert p.read() == q.read()
    assert p.read() == {
        "4.bin": b"\xff of q",
        "five.bin": b"\xff\x05",
        "mine.bin": b"\xff mine",
        "new.bin": b"\xff new",
        "note.md": b"at the top\n" + NOTE + b"of q, offline\n",
    }
    assert any("deleted" in line for line in told.lines)
    assert bool(floor) == is_forgotten


async def test_the_program_does_a_round(story: Story, tmp_path: Path) -> None:
    """Folder in, folder out; it says what it did, and what went wrong in one sentence."""
    key = tmp_path / "key"
    key.write_bytes(SigningKey.generate().encode(Base64Encoder))

    def run(name: str, *more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-P", "-m", "scripts._pinakes.cli", str(tmp_path / name)]
        command += ["--url", story.live.url, "--key", str(key), *more]
        return subprocess.run(
            command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    first = await asyncio.to_thread(run, "one", "--name", "desk")
    (tmp_path / "one" / "a.bin").write_bytes(b"\xff1")
    sent = await asyncio.to_thread(run, "one")
    came = await asyncio.to_thread(run, "two", "--name", "lap")
    nowhere = ("--url", "http://127.0.0.1:9", "--tries", "2", "--quiet")
    away = await asyncio.to_thread(run, "two", *nowhere)
    wrong = await asyncio.to_thread(run, "two", "--conflicts", "toss-a-coin")

    assert (first.returncode, sent.returncode, came.returncode) == (0, 0, 0), first.stderr
    assert (sent.stdout, came.stdout) == ("a.bin: created here\n", "a.bin: created elsewhere\n")
    assert (tmp_path / "two" / "a.bin").read_bytes() == b"\xff1"
    assert (away.returncode, wrong.returncode) == (2, 2)
    assert "cannot be reached" in away.stderr


async def test_a_folder_is_kept_by_one_process(pair: tuple[Shelf, Shelf]) -> None:
    """A second one is told so."""
    p, _ = pair
    index = Index(p.path)
    with pytest.raises(Busy):
        p.sync()
    index.close()
    p.sync()


async def test_a_device_that_was_deleted_is_told(story: Story, pair: tuple[Shelf, Shelf]) -> None:
    """It syncs no more, and its files stay as they are."""
    p, _ = pair
    p.write("a.bin", b"\xff1")
    p.sync()
    await story.value(f"DELETE FROM pinakes_devices WHERE id = '{p.device}'")
    with pytest.raises(Refused, match="device_token_invalid"):
        p.sync()

    assert p.read() == {"a.bin": b"\xff1"}
