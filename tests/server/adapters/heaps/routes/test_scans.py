"""Scans over HTTP: a block for each file of a folder, kept in step, inside what is allowed."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from auth.principal import Role
from crdt import wire
from server.media.gallery import GALLERY
from server.scanning import watching
from server.scanning.desk import DESK
from storage.jobs import NewJob
from tests.inside import Guest, Inside
from tests.patience import PATIENCE_S
from tests.server.adapters.heaps.asking import ask, call, made
from tests.server.adapters.heaps.conftest import ada, bob, inside, serve
from tests.server.adapters.heaps.filing import block, fetch
from tests.server.media import making

__all__ = ["ada", "bob", "inside", "serve"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


class Folder:
    """A folder that somebody may scan into a workspace of its own."""

    def __init__(self, inside: Inside, guest: Guest, root: Path, heap: str) -> None:
        self.inside = inside
        self.guest = guest
        self.root = root
        self.heap = heap

    def write(self, name: str, data: bytes | str) -> Path:
        """Write a file, folders included."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    async def scan(self, **body: Any) -> dict[str, int]:
        """Scan to the end; what was counted."""
        given = {"path": str(self.root), "heap_id": self.heap, **body}
        begun = await ask(self.guest, "/api/scan_folder", **given)
        job = await self.inside.app[DESK].jobs.ended(begun["scan_id"])
        assert job is not None
        assert (job.state, job.error) == ("completed", "")
        return {name: count for name, count in job.counts.items() if count and name != "bytes"}

    async def blocks(self, kind: str = "file") -> dict[str, dict[str, Any]]:
        """The file entries of the workspace's blocks by their paths, with id and title."""
        found = {}
        listed = await ask(self.guest, "/api/heap", heap_id=self.heap, type=kind, limit=1000)
        for row in listed["blocks"]:
            block = await ask(self.guest, f"/api/block/{row['id']}")
            for file in block["files"]:
                about = {**file["about"], "block": row["id"], "title": row["title"]}
                found[file["about"].get("path", "?")] = about
        return found


async def folder_of(inside: Inside, guest: Guest, path: Path) -> Folder:
    """A folder, allowed to its guest."""
    root = path / "root"
    root.mkdir()
    await inside.app[DESK].scans.set_root(guest.account, os.path.realpath(root))
    return Folder(inside, guest, root, await made(guest, "Photos"))


@pytest_asyncio.fixture(loop_scope="module")
async def folder(inside: Inside, ada: Guest, tmp_path: Path) -> Folder:
    """Ada's folder."""
    return await folder_of(inside, ada, tmp_path)


async def test_each_file_gets_a_block(folder: Folder) -> None:
    """With its name as title, its path, hash, size, kind, and its bytes to be read and shown."""
    folder.write("notes.md", "# Notes")
    folder.write("2026/photo.png", making.encoded(".png"))
    counts = await folder.scan()
    found = await folder.blocks()

    assert counts == {"seen": 2, "added": 2, "folders": 2}
    assert set(found) == {"notes.md", "2026/photo.png"}
    note, photo = found["notes.md"], found["2026/photo.png"]
    assert (note["title"], note["mime_type"], note["file_size"]) == ("notes.md", "text/markdown", 7)
    assert (photo["name"], photo["mime_type"], photo["is_uploaded"]) == (
        "photo.png",
        "image/png",
        True,
    )
    data, _ = await fetch(folder.guest, f"/api/file/{note['block']}/raw/x")
    assert data == b"# Notes"
    await fetch(folder.guest, f"/api/file/{photo['block']}/thumbnail/small/x")


async def described(folder: Folder, path: str) -> dict[str, Any]:
    """The entry of a file once its facts were told."""
    async with asyncio.timeout(PATIENCE_S):
        while "width" not in (entry := (await folder.blocks())[path]):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return entry


async def test_where_a_picture_was_taken_is_for_editors(
    inside: Inside, folder: Folder, bob: Guest
) -> None:
    """They see it beside the entry; a viewer does not, and the document never holds it."""
    folder.write("photo.jpg", making.photographed())
    await folder.scan()
    block = (await described(folder, "photo.jpg"))["block"]
    await inside.grants.set_member(folder.heap, bob.account, Role.VIEWER)
    mine = await ask(folder.guest, f"/api/block/{block}")
    theirs = await ask(bob, f"/api/block/{block}")

    assert mine["files"][0]["position"] == {
        "latitude": 52.5,
        "longitude": -13.25,
        "altitude": 34.0,
    }
    assert "position" not in theirs["files"][0]
    assert "13.25" not in str(theirs)


async def test_files_are_looked_at_again(folder: Folder) -> None:
    """`reindex_files` tells every block anew, `regenerate_file` makes a file's pictures anew."""
    folder.write("photo.jpg", making.photographed())
    folder.write("notes.txt", "words")
    await folder.scan()
    block = (await described(folder, "photo.jpg"))["block"]
    path = f"/api/file/{block}/thumbnail/small/x"
    await fetch(folder.guest, path)
    gallery, jobs = folder.inside.app[GALLERY], folder.inside.app[DESK].jobs
    made_before, looked_before = gallery.made, gallery.workshop.jobs
    begun = await ask(folder.guest, "/api/reindex_files", heap_id=folder.heap)
    reindexed = await jobs.ended(begun["job_id"])
    looked = gallery.workshop.jobs - looked_before
    begun = await ask(folder.guest, "/api/regenerate_file", block_id=block)
    renewed = await jobs.ended(begun["job_id"])

    assert reindexed is not None
    assert renewed is not None
    assert (reindexed.state, reindexed.counts["done"], looked) == ("completed", 2, 2)
    assert (renewed.state, renewed.counts["pictures"]) == ("completed", 3)
    assert gallery.made == made_before + 3
    await fetch(folder.guest, path)


async def test_who_may_have_files_looked_at_again(
    inside: Inside, folder: Folder, bob: Guest
) -> None:
    """Editors of the workspace; a stranger does not learn that there is one."""
    folder.write("notes.txt", "words")
    await folder.scan()
    block = (await folder.blocks())["notes.txt"]["block"]
    await ask(bob, "/api/reindex_files", 404, heap_id=folder.heap)
    await ask(bob, "/api/regenerate_file", 404, block_id=block)
    await ask(folder.guest, "/api/regenerate_file", 404, block_id=block, hash="0" * 64)
    await ask(folder.guest, "/api/regenerate_file", 404, block_id="01J9ZV3M8Q4R5S6T7V8W9X0YZB")
    await ask(folder.guest, "/api/regenerate_file", 400)
    shared = await made(folder.guest)
    await inside.grants.set_member(shared, bob.account, Role.VIEWER)
    await ask(bob, "/api/reindex_files", 403, heap_id=shared)


async def test_notices_tell_of_a_scan(folder: Folder) -> None:
    """Who asked for a workspace's notices on /ws is told of its scans as well."""
    folder.write("notes.txt", "words")
    session = await folder.guest.open(await block(folder.guest))
    question = {"type": "subscribe", "workspace_id": folder.heap}
    await session.send(wire.stateless(json.dumps(question)))
    await session.until(lambda: session.payloads(wire.STATELESS))
    await folder.scan()

    def told() -> list[dict[str, Any]]:
        found = map(json.loads, session.payloads(wire.STATELESS))
        return [one for one in found if one["type"] == "scan_completed"]

    await session.until(told)
    assert told()[0]["counts"]["added"] == 1
    assert told()[0]["workspace_id"] == folder.heap


async def test_facts_are_told_soon_after(folder: Folder) -> None:
    """Width, height and camera; the position is not in the document."""
    folder.write("photo.jpg", making.photographed())
    await folder.scan()
    photo = await described(folder, "photo.jpg")

    assert (photo["width"], photo["height"], photo["exif"]["model"]) == (320, 200, "P1")
    assert "position" not in str(photo)
    assert "52.5" not in str(photo)


async def test_a_second_scan_writes_nothing(folder: Folder) -> None:
    """Unchanged files are not even opened."""
    for number in range(5):
        folder.write(f"{number}.txt", f"text {number}")
    await folder.scan()
    for number in range(5):
        (folder.root / f"{number}.txt").chmod(0o644)
    before = folder.inside.documents.flusher.statistics.rows
    counts = await folder.scan()

    assert counts == {"seen": 5, "unchanged": 5, "folders": 1}
    assert folder.inside.documents.flusher.statistics.rows == before


async def test_changes_move_and_copies(folder: Folder) -> None:
    """The block stays with the bytes: a moved file keeps it, a changed one too, a copy has none."""
    folder.write("a.txt", "first")
    folder.write("b.txt", "second")
    await folder.scan()
    before = await folder.blocks()
    (folder.root / "a.txt").rename(folder.root / "moved.txt")
    folder.write("b.txt", "second, changed")
    folder.write("copy/b.txt", "second, changed")
    counts = await folder.scan()
    after = await folder.blocks()

    assert counts["moved"] == counts["changed"] == counts["duplicates"] == 1
    assert set(after) == {"moved.txt", "b.txt"}
    assert after["moved.txt"]["block"] == before["a.txt"]["block"]
    assert after["moved.txt"]["name"] == "moved.txt"
    assert after["b.txt"]["block"] == before["b.txt"]["block"]
    assert after["b.txt"]["file_size"] == 15
    assert after["b.txt"]["duplicate_paths"] == ["copy/b.txt"]
    data, _ = await fetch(folder.guest, f"/api/file/{after['b.txt']['block']}/raw/x")
    assert data == b"second, changed"


async def test_what_is_gone_is_trashed_and_comes_back(folder: Folder) -> None:
    """Its block can be restored by people; when the file comes back, it comes back too."""
    folder.write("a.txt", "words")
    folder.write("b.txt", "others")
    await folder.scan()
    block = (await folder.blocks())["a.txt"]["block"]
    (folder.root / "a.txt").unlink()
    gone = await folder.scan()
    trash = await call(folder.guest, "GET", f"/api/trash/{folder.heap}")
    folder.write("elsewhere/a.txt", "words")
    back = await folder.scan()

    assert gone["removed"] == 1
    assert [one["id"] for one in trash["blocks"]] == [block]
    assert back["moved"] == 1
    assert (await folder.blocks())["elsewhere/a.txt"]["block"] == block


async def test_a_copy_takes_over_when_its_original_goes(folder: Folder) -> None:
    """The same bytes are still there: the block stays, under the other path."""
    folder.write("a.txt", "words")
    await folder.scan()
    folder.write("b.txt", "words")
    await folder.scan()
    block = (await folder.blocks())["a.txt"]["block"]
    (folder.root / "a.txt").unlink()
    counts = await folder.scan()
    found = await folder.blocks()

    assert counts["moved"] == 1
    assert "removed" not in counts
    assert {path: one["block"] for path, one in found.items()} == {"b.txt": block}


async def test_a_copy_of_what_changed_gets_a_block(folder: Folder) -> None:
    """Its block stands for other bytes now, so it needs one of its own."""
    folder.write("a.txt", "words")
    await folder.scan()
    folder.write("b.txt", "words")
    await folder.scan()
    folder.write("a.txt", "other words")
    await folder.scan()
    found = await folder.blocks()

    assert set(found) == {"a.txt", "b.txt"}
    assert found["a.txt"]["block"] != found["b.txt"]["block"]
    assert (found["a.txt"]["file_size"], found["b.txt"]["file_size"]) == (11, 5)


async def test_ignored_files_have_no_block(folder: Folder) -> None:
    """By patterns as of .gitignore, in the folder and below; what is deeper has the last word."""
    folder.write(".heaperignore", "*.tmp\nbuild/\n!keep.tmp\n")
    folder.write("deep/.heaperignore", "!other.tmp\n/own.txt\n")
    for name in ("a.tmp", "keep.tmp", "build/x.txt", "deep/other.tmp", "deep/own.txt", "b.txt"):
        folder.write(name, name)
    counts = await folder.scan()

    assert set(await folder.blocks()) == {"keep.tmp", "deep/other.tmp", "b.txt"}
    assert counts["ignored"] == 3


async def test_files_without_room_are_left_out(serve: Any, tmp_path: Path) -> None:
    """The scan says so and goes on; once there is room, the next scan takes them in."""
    small = await serve(
        account_bytes_max=1000,
        file_bytes_max=900,
        upload_chunk_bytes=900,
        upload_chunk_bytes_max=900,
    )
    async with small.visitor() as guest:
        folder = await folder_of(small, guest, tmp_path)
        folder.write("a.txt", "a" * 800)
        folder.write("b.txt", "b" * 800)
        begun = await ask(guest, "/api/scan_folder", path=".", heap_id=folder.heap)
        job = await small.app[DESK].jobs.ended(begun["scan_id"])
        before = set(await folder.blocks())
        folder.write("a.txt", "a")
        for _ in range(2):
            begun = await ask(guest, "/api/scan_folder", path=".", heap_id=folder.heap)
            await small.app[DESK].jobs.ended(begun["scan_id"])
        after = set(await folder.blocks())

    assert job is not None
    assert (job.state, job.counts["added"], job.counts["failed"]) == ("completed", 1, 1)
    assert job.error.startswith("b.txt: ")
    assert (before, after) == ({"a.txt"}, {"a.txt", "b.txt"})


async def test_links_are_never_followed(folder: Folder, tmp_path: Path) -> None:
    """Neither to a file nor to a folder, outside or inside; pipes are not waited for."""
    secret = tmp_path / "outside"
    secret.mkdir()
    (secret / "secret.txt").write_text("secret")
    folder.write("a.txt", "words")
    (folder.root / "file").symlink_to(secret / "secret.txt")
    (folder.root / "folder").symlink_to(secret)
    (folder.root / "self").symlink_to(folder.root)
    os.mkfifo(folder.root / "pipe")
    counts = await folder.scan()

    assert set(await folder.blocks()) == {"a.txt"}
    assert counts["skipped"] == 4


async def test_hostile_names_are_names(folder: Folder) -> None:
    """Whatever a file system takes; what is no UTF-8 is left out and counted."""
    names = ["a\nb", "..hidden", "<script>", "' OR 1=1", "%2e%2e", "x" * 250, "a\\b", "🌱", " "]
    for name in names:
        folder.write(name, f"of {name}")
    (folder.root / os.fsdecode(b"\xff\xfe")).write_bytes(b"x")
    counts = await folder.scan()

    assert set(await folder.blocks()) == set(names)
    assert (counts["added"], counts["skipped"]) == (len(names), 1)


OUTSIDE = (
    "/etc",
    "/",
    "..",
    "../outside",
    "link",
    "link/below",
    "/nowhere",
    "a/../../outside",
    "~",
)


async def test_what_lies_outside_is_forbidden(folder: Folder, tmp_path: Path) -> None:
    """Whether it is there or not, by dots or by links; inside, what is no folder is 404."""
    (tmp_path / "outside" / "below").mkdir(parents=True)
    (folder.root / "link").symlink_to(tmp_path / "outside")
    folder.write("a/file.txt", "x")
    statuses = {}
    for path in (*OUTSIDE, "missing", "a/file.txt", "a", "a/../a", "x\0y"):
        status, _, _ = await folder.guest.post(
            "/api/scan_folder", json={"path": path, "heap_id": folder.heap}
        )
        statuses[path] = status

    assert {path: statuses[path] for path in OUTSIDE} == {
        path: 404 if path == "~" else 403 for path in OUTSIDE
    }
    assert (statuses["missing"], statuses["a/file.txt"]) == (404, 404)
    assert (statuses["a"], statuses["a/../a"], statuses["x\0y"]) == (200, 200, 400)


async def test_a_node_without_the_folder_says_so_and_can_end_its_scan(folder: Folder) -> None:
    """503 with a word of its own, since another node may have it; the job is known everywhere."""
    job = NewJob(
        id=f"away-{folder.heap}", kind="scan", account=folder.guest.account, scope=folder.heap,
        target=os.path.realpath(folder.root) + "/deep", options={}, machine="another",
    )  # fmt: skip
    await folder.inside.app[DESK].jobs.store.add(job)
    folder.root.rename(folder.root.with_name("elsewhere"))

    status, body, headers = await folder.guest.post("/api/scan_folder", json={"path": "deep"})
    ended = await folder.guest.post("/api/abort_scan", json={"path": "deep"})
    folder.root.with_name("elsewhere").rename(folder.root)

    assert (status, body["error"]) == (503, "scan_root_away")
    assert headers["Retry-After"] == "2"
    assert ended[0] == 200, ended
    assert ended[1]["scan_id"] == job.id


async def test_nobody_scans_without_a_root_or_into_a_foreign_workspace(
    inside: Inside, folder: Folder, bob: Guest
) -> None:
    """No root: 403. A foreign workspace: 404. A viewer: 403. Nothing named: 400."""
    heap = await made(bob)
    await ask(bob, "/api/scan_folder", 403, path="/tmp", heap_id=heap)
    await ask(bob, "/api/scan_folder", 403, heap_id=heap)
    await ask(folder.guest, "/api/scan_folder", 404, path=".", heap_id=heap)
    await inside.grants.set_member(heap, folder.guest.account, Role.VIEWER)
    await ask(folder.guest, "/api/scan_folder", 400)
    shared = await made(bob)
    await inside.grants.set_member(shared, folder.guest.account, Role.VIEWER)
    await ask(folder.guest, "/api/scan_folder", 403, path=".", heap_id=shared)


async def test_a_workspace_alone_names_its_folder(folder: Folder) -> None:
    """The folder of its name below the root; a path alone goes where it went before."""
    folder.write(f"{folder.heap}/a.txt", "a")
    folder.write("b.txt", "b")
    begun = await ask(folder.guest, "/api/scan_folder", heap_id=folder.heap)
    await folder.inside.app[DESK].jobs.ended(begun["id"])
    again = await ask(folder.guest, "/api/scan_folder", path=folder.heap)

    assert set(await folder.blocks()) == {f"{folder.heap}/a.txt"}
    assert begun["scan"]["path"] == folder.heap
    assert again["heap_id"] == folder.heap


async def test_one_scan_of_a_folder_at_a_time(folder: Folder) -> None:
    """Whoever asks again meanwhile is told of the one that runs; it can be listed and ended."""
    for number in range(300):
        folder.write(f"{number}.txt", f"text {number}")
    begun = await ask(folder.guest, "/api/scan_folder", path=".", heap_id=folder.heap)
    again = await ask(folder.guest, "/api/scan_folder", path=".", heap_id=folder.heap)
    listed = await call(folder.guest, "GET", "/api/active_scans")
    ended = await ask(folder.guest, "/api/abort_scan", scan_id=begun["scan_id"])
    job = await folder.inside.app[DESK].jobs.ended(begun["scan_id"])

    assert (again["scan_id"], again["already_running"]) == (begun["scan_id"], True)
    assert [one["scan_id"] for one in listed["scans"]] == [begun["scan_id"]]
    assert ended["status"] in {"aborting", "aborted"}
    assert job is not None
    assert job.state == "aborted"
    await ask(folder.guest, "/api/abort_scan", 404, scan_id=begun["scan_id"])
    assert (await call(folder.guest, "GET", "/api/active_scans"))["scans"] == []
    counts = await folder.scan()
    assert len(await folder.blocks()) == 300
    assert counts["seen"] == 300


async def test_a_stranger_neither_sees_nor_ends_a_scan(folder: Folder, bob: Guest) -> None:
    """It is as if there were none."""
    for number in range(200):
        folder.write(f"{number}.txt", f"text {number}")
    begun = await ask(folder.guest, "/api/scan_folder", path=".", heap_id=folder.heap)
    listed = await call(bob, "GET", "/api/active_scans")
    await ask(bob, "/api/abort_scan", 404, scan_id=begun["scan_id"])
    await ask(bob, "/api/abort_scan", 404, heap_id=folder.heap)
    job = await folder.inside.app[DESK].jobs.ended(begun["scan_id"])

    assert listed["scans"] == []
    assert job is not None
    assert job.state == "completed"


async def test_a_watched_folder_is_kept_in_step(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is written, moved and removed is taken in without a request, also in new folders."""
    monkeypatch.setattr(watching, "LOOK_S", 0.1)
    folder.write("a.txt", "a")
    begun = await ask(folder.guest, "/api/scan_folder", path=".", heap_id=folder.heap, watch=True)
    await folder.inside.app[DESK].jobs.ended(begun["scan_id"])
    await appears(folder, {"a.txt"})
    folder.write("new/b.txt", "b")
    await appears(folder, {"a.txt", "new/b.txt"})
    (folder.root / "a.txt").rename(folder.root / "new" / "c.txt")
    await appears(folder, {"new/c.txt", "new/b.txt"})
    folder.write("newer/still/d.txt", "d")
    (folder.root / "new" / "b.txt").unlink()
    await appears(folder, {"new/c.txt", "newer/still/d.txt"})
    listed = await call(folder.guest, "GET", "/api/active_scans")
    await ask(folder.guest, "/api/scan_folder", path=".", heap_id=folder.heap, watch=False)
    after = await call(folder.guest, "GET", "/api/active_scans")

    assert [one["path"] for one in listed["watched"]] == ["."]
    assert after["watched"] == []


async def appears(folder: Folder, paths: set[str]) -> None:
    """Wait until the workspace has blocks for these paths and no others."""
    async with asyncio.timeout(PATIENCE_S):
        while set(await folder.blocks()) != paths:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
