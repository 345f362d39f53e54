"""A folder of notes that follows a workspace: offline, with others, through crashes."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from nacl.signing import SigningKey

from crdt.rewriting import meaning
from scripts._load.login import login
from scripts._token import own_key
from tests.clients import Visitor
from tests.inside import fresh_database
from tests.live import ROOT, LiveServer
from tests.stories.notebook import Editor, Folder, Marks
from tests.stories.tunnel import Tunnel

IS_FULL = bool(os.environ.get("PLAIT_TEST_FULL"))
SEEDS = 40 if IS_FULL else 2
DAYS = 300 if IS_FULL else 60
ROUNDS = 30 if IS_FULL else 8

pytestmark = [
    pytest.mark.xdist_group("processes"),
    pytest.mark.asyncio(loop_scope="module"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(
    postgres: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[LiveServer]:
    """A server that can be killed."""
    async with fresh_database(postgres) as database:
        async for live in _serve(tmp_path_factory.mktemp("server"), database):
            yield live


async def _serve(folder: Path, database: str) -> AsyncIterator[LiveServer]:
    live = LiveServer(
        folder,
        database_url=database,
        shutdown_grace_s=0.2,
        login_attempts_per_minute=100_000,
    )
    await asyncio.to_thread(live.start)
    yield live
    live.kill()


class Story:
    """Two folders of one account and an editor of it, and everything that they wrote."""

    def __init__(self, server: LiveServer, tunnel: Tunnel, folder: Path, seed: int) -> None:
        self.server, self.tunnel = server, tunnel
        self.chance = random.Random(seed)
        self.marks = Marks()
        self.key = SigningKey.generate()
        self.folders = [Folder(folder / name, tunnel.url, self.key, name) for name in ("p", "q")]
        self.editor: Editor | None = None
        self._visitor: Visitor | None = None
        self._block = ""

    async def open(self) -> None:
        """Write a first note, and open it in an editor."""
        first = self.folders[0]
        (first.path / "Shared.md").write_text("a *first* line\n\n- one item\n- two\n\nthe end\n")
        assert await asyncio.to_thread(first.sync) == []
        (path,) = (first.path / ".plait" / "notes").glob("*.json")
        self._block = path.stem
        await self.visit()

    async def visit(self) -> None:
        """Open the editor, again with what it had."""
        replica = self.editor.client.replica if self.editor else None
        await self.leave()
        access = await asyncio.to_thread(login, self.server.url, self.key)
        self._visitor = Visitor(self.server.url, access.access_token)
        self.editor = await Editor.open(self._visitor, self._block, replica)

    async def leave(self) -> None:
        """Close the editor."""
        if self._visitor is not None:
            await self._visitor.__aexit__(None, None, None)

    async def round(self) -> None:
        """Everybody writes, some sync, and now and then the server dies."""
        chance = self.chance
        assert self.editor is not None
        for _ in range(chance.randint(1, 12)):
            chance.choice(self.folders).edit(self.marks, chance)
        if chance.random() < 0.8:
            await self.editor.edit(self.marks, chance)
        self.tunnel.lossy = chance.choice([0, 0, 0.4])
        self.tunnel.open = chance.random() < 0.8
        if chance.random() < 0.25:
            await asyncio.to_thread(self.server.kill)
            await asyncio.to_thread(self.server.start)
            await self.visit()
        for folder in chance.sample(self.folders, chance.randint(0, 2)):
            await asyncio.to_thread(folder.try_sync)

    async def settle(self) -> None:
        """A good connection, until nobody has anything to tell."""
        self.tunnel.lossy, self.tunnel.open = 0.0, True
        assert self.editor is not None
        await self.editor.client.sync()
        for _ in range(3):
            for folder in self.folders:
                assert await asyncio.to_thread(folder.sync) == []
        await self.editor.client.sync()


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_two_folders_and_an_editor_converge_on_whatever_they_write(
    server: LiveServer, tmp_path: Path, seed: int
) -> None:
    """Offline for rounds, with lost answers and a server that dies: each word is there once."""
    async with Tunnel(server.port, seed) as tunnel:
        story = Story(server, tunnel, tmp_path, seed)
        await story.open()
        for _ in range(ROUNDS):
            await story.round()
        await story.settle()
        one, two = story.folders
        assert story.editor is not None
        shown = meaning(story.editor.text)
        await story.leave()

    assert one.says() == two.says()
    assert shown in one.says().values()
    assert story.marks.complaints(one.notes()) == []
    assert story.marks.complaints(two.notes()) == []
    assert len(story.marks.there) > ROUNDS


async def test_weeks_offline_are_hundreds_of_edits_in_a_few_requests(
    server: LiveServer, tmp_path: Path
) -> None:
    """And the other device has them all after one round."""
    key, chance, marks = SigningKey.generate(), random.Random(5), Marks()
    mine, other = (Folder(tmp_path / n, server.url, key, n) for n in ("mine", "other"))
    for number in range(DAYS):
        (mine.path / f"Day {number}.md").write_text(f"{marks.new('mine')} was day {number}\n")
    for _ in range(3 * DAYS):
        mine.edit(marks, chance)
    assert await asyncio.to_thread(mine.sync) == []
    assert await asyncio.to_thread(other.sync) == []

    assert other.says() == mine.says()
    assert marks.complaints(other.notes()) == []


async def test_deleting_restoring_and_renaming_files_reach_the_other_folder(
    server: LiveServer, tmp_path: Path
) -> None:
    """A file that goes is a block in the trash; one that comes back is the same block."""
    key = SigningKey.generate()
    mine, other = (Folder(tmp_path / n, server.url, key, n) for n in ("mine", "other"))

    def both() -> None:
        assert mine.sync() == other.sync() == []

    (mine.path / "Milk.md").write_text("two bottles\n")
    (mine.path / "Bread.md").write_text("one loaf, of *rye*\n")
    await asyncio.to_thread(both)
    (mine.path / "Milk.md").rename(mine.path / "Oat milk.md")
    (mine.path / "Bread.md").unlink()
    (other.path / "Milk.md").write_text("three bottles\n")
    await asyncio.to_thread(other.sync)
    await asyncio.to_thread(both)
    await asyncio.to_thread(both)
    assert mine.notes() == other.notes() == {"Oat milk.md": "three bottles"}

    (other.path / "Bread.md").write_text("one loaf, of *rye*\n")
    await asyncio.to_thread(other.sync)
    await asyncio.to_thread(both)

    assert mine.notes() == other.notes()
    assert mine.notes()["Bread.md"] == "one loaf, of *rye*"
    assert len(list((mine.path / ".plait" / "notes").glob("*.json"))) == 2


async def test_a_file_that_is_renamed_and_rewritten_is_the_same_note(
    server: LiveServer, tmp_path: Path
) -> None:
    """What the other folder wrote in it meanwhile is not trashed with the old name."""
    key = SigningKey.generate()
    mine, other = (Folder(tmp_path / n, server.url, key, n) for n in ("mine", "other"))
    (mine.path / "Milk.md").write_text("two bottles\n\nof milk\n")
    for folder in (mine, other):
        assert await asyncio.to_thread(folder.sync) == []
    (mine.path / "Milk.md").rename(mine.path / "List.md")
    (mine.path / "List.md").write_text("for the party on Friday\n\nten loaves\n\nof milk\n")
    (other.path / "Milk.md").write_text("two bottles\n\nof milk, of oats\n")
    for folder in (other, mine, other):
        assert await asyncio.to_thread(folder.sync) == []

    assert mine.notes() == other.notes()
    assert mine.notes() == {"List.md": "for the party on Friday\n\nten loaves\n\nof milk, of oats"}


async def test_an_edit_of_a_file_that_is_behind_takes_nothing_away(
    server: LiveServer, tmp_path: Path
) -> None:
    """What others wrote was on the shelf and not in the file when its owner saved it."""
    key = SigningKey.generate()
    mine, other = (Folder(tmp_path / n, server.url, key, n) for n in ("mine", "other"))
    (mine.path / "Plan.md").write_text("one two three\n\nlast\n")
    await asyncio.to_thread(mine.sync)
    await asyncio.to_thread(other.sync)
    (other.path / "Plan.md").write_text("one two three four\n\nmore\n\nlast\n")
    await asyncio.to_thread(other.sync)
    await asyncio.to_thread(mine.sync, dies_before_writing=True)
    assert mine.notes()["Plan.md"] == "one two three\n\nlast"

    (mine.path / "Plan.md").write_text("zero one two three\n\nlast of all\n")
    await asyncio.to_thread(mine.sync)
    await asyncio.to_thread(other.sync)

    assert (
        mine.notes()
        == other.notes()
        == {"Plan.md": "zero one two three four\n\nmore\n\nlast of all"}
    )


async def test_two_new_files_of_one_name_are_two_notes(server: LiveServer, tmp_path: Path) -> None:
    """Neither is lost, and the number behind the name is no part of the title."""
    key = SigningKey.generate()
    mine, other = (Folder(tmp_path / n, server.url, key, n) for n in ("mine", "other"))
    (mine.path / "Plan.md").write_text("mine\n")
    (other.path / "Plan.md").write_text("other\n")
    for _ in range(3):
        await asyncio.to_thread(mine.sync)
        await asyncio.to_thread(other.sync)

    for folder in (mine, other):
        assert sorted(folder.notes()) == ["Plan (2).md", "Plan.md"]
        assert sorted(folder.notes().values()) == ["mine", "other"]


def device(folder: Path, url: str, key: Path, *more: str) -> list[str]:
    """The command line of the program, without what finds its environment."""
    return [
        sys.executable, "-P", "-m", "scripts._device.cli",
        str(folder), "--url", url, "--key", str(key), *more,
    ]  # fmt: skip


async def test_the_program_says_what_it_did_and_what_is_wrong(
    server: LiveServer, tmp_path: Path
) -> None:
    """With a key file; offline it keeps the edits and says so; a lost folder trashes nothing."""
    key, folder = tmp_path / "key", tmp_path / "notes"
    folder.mkdir()
    for number in range(8):
        (folder / f"N{number}.md").write_text(f"note {number}\n")

    def run(*more: str, url: str = server.url) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.run(
            device(folder, url, key, *more), env=environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip

    first = await asyncio.to_thread(run)
    assert (first.returncode, first.stderr) == (0, "")
    assert "N3.md: new" in first.stdout
    named = await asyncio.to_thread(run, "--workspace", "Home")
    assert (named.returncode, named.stderr) == (0, ""), "a title names the workspace every time"

    (folder / "N0.md").write_text("note 0, offline\n")
    away = await asyncio.to_thread(run, "--quiet", "--tries", "2", url="http://127.0.0.1:9")
    assert away.returncode == 2
    assert "your edits are kept" in away.stderr

    kept = {path: path.read_text() for path in folder.glob("*.md")}
    for path in list(kept)[1:]:
        path.unlink()
    lost = await asyncio.to_thread(run)
    assert lost.returncode == 1
    assert "are gone" in lost.stderr
    for path, text in kept.items():
        path.write_text(text)
    again = await asyncio.to_thread(run)
    assert again.returncode == 0

    other = Folder(tmp_path / "other", server.url, own_key(key), "other")
    await asyncio.to_thread(other.sync)
    assert other.notes()["N0.md"] == "note 0, offline"
    assert len(other.notes()) == 8


async def test_the_program_says_what_it_leaves_alone(server: LiveServer, tmp_path: Path) -> None:
    """Folders in the folder, by their number; and a file is no folder for notes."""
    folder = tmp_path / "notes"
    for name in ("inner", "other", ".git"):
        (folder / name).mkdir(parents=True)
    (folder / "N1.md").write_text("one\n")

    def run(place: Path) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = device(place, server.url, tmp_path / "key")
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    beside = await asyncio.to_thread(run, folder)
    assert (beside.returncode, beside.stderr.count("2 folders")) == (0, 1), beside.stderr
    for place in (folder / "N1.md", folder / "N1.md" / "below"):
        wrong = await asyncio.to_thread(run, place)
        assert wrong.returncode == 1
        assert wrong.stderr.startswith("scripts/device: ")
        assert "is no folder" in wrong.stderr


async def test_a_device_that_is_killed_at_any_moment_goes_on_where_it_was(
    server: LiveServer, tmp_path: Path
) -> None:
    """Processes that watch a folder are killed while both sides write."""
    key, path = tmp_path / "key", tmp_path / "mine"
    chance, marks = random.Random(3), Marks()
    other = Folder(tmp_path / "other", server.url, own_key(key), "other")
    mine = Folder(path, server.url, own_key(key), "mine")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for number in range(12 if IS_FULL else 3):
        for _ in range(5):
            mine.edit(marks, chance)
        command = device(path, server.url, key, "--watch", "--every", "0.1", "--quiet")
        process = await asyncio.to_thread(
            subprocess.Popen, command, env=environment, stdout=subprocess.PIPE, text=True
        )
        try:
            mine.edit(marks, chance)
            (path / f"Start {number}.md").write_text(f"{marks.new('mine')} begins\n")
            assert process.stdout is not None
            await asyncio.to_thread(process.stdout.readline)
            for _ in range(6):
                chance.choice([mine, other]).edit(marks, chance)
                await asyncio.to_thread(other.try_sync)
            await asyncio.sleep(chance.uniform(0, 0.15))
        finally:
            process.kill()
            await asyncio.to_thread(process.communicate)
    for _ in range(3):
        await asyncio.to_thread(mine.sync)
        await asyncio.to_thread(other.sync)

    assert mine.says() == other.says()
    assert marks.complaints(mine.notes()) == marks.complaints(other.notes()) == []
