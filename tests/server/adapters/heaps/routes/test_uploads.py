"""Uploads over real HTTP: in one go and in chunks, and what each kind of mistake is told."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import aiohttp
import pycrdt
import pytest

from auth.principal import Role
from tests.inside import Guest, Inside
from tests.patience import PATIENCE_S
from tests.server.adapters.heaps.device import Device
from tests.server.adapters.heaps.sender import CHUNK, Sender, digest

pytestmark = pytest.mark.asyncio(loop_scope="module")

DATA = os.urandom(10_000)


async def entries(guest: Guest, block: str) -> dict[str, Any]:
    """What the block's document says of its files."""
    device = Device(guest)
    await device.pull(block)
    return dict(device.blocks[block].doc.get("files_v0", type=pycrdt.Map).to_py() or {})


async def test_a_file_in_one_go(ada: Guest) -> None:
    """The answer is the page's; the block, which nobody pushed yet, says that the file is here."""
    sender = Sender(ada, DATA)
    status, answer = await sender.direct()
    again = await sender.direct()

    assert status == 200, answer
    assert {name: answer[name] for name in ("status", "block_id", "file_hash")} == {
        "status": "complete",
        "block_id": sender.block,
        "file_hash": sender.hash,
    }
    assert again == (200, answer)
    assert await sender.read() == DATA
    said = await entries(ada, sender.block)
    assert said == {
        f"{sender.hash}:{len(DATA)}": {
            "hash": sender.hash,
            "file_size": len(DATA),
            "name": "picture.png",
            "mime_type": "image/png",
            "is_uploaded": True,
            "file_id": answer["file_id"],
        }
    }


async def test_the_hash_may_come_behind_the_file(ada: Guest) -> None:
    """And under its other name, in capitals."""
    sender = Sender(ada, DATA)
    form = aiohttp.FormData(default_to_multipart=True)
    form.add_field("upload", DATA, filename="x")
    form.add_field("file_hash", sender.hash.upper())
    status, answer = await sender.call(
        "POST", f"/api/upload/file/{sender.heap}/{sender.block}", data=form
    )

    assert status == 200, answer


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"hash": digest(b"other")}, "hash_mismatch"),
        ({"hash": "abc"}, "bad_request"),
        ({"hash": None}, "bad_request"),
        ({"file": None}, "bad_request"),
        ({"file": "text without a file name", "hash": "0" * 64}, "hash_mismatch"),
    ],
    ids=["mismatch", "no-hash", "none", "no-file", "field"],
)
async def test_a_form_that_does_not_hold_together(
    ada: Guest, fields: dict[str, Any], error: str
) -> None:
    """400, and the block has no file."""
    sender = Sender(ada, DATA)
    status, answer = await sender.direct(**fields)

    assert (status, answer["error"]) == (400, error)
    assert (await sender.file())[0] == 404


async def test_chunks_in_any_order_and_in_parallel(ada: Guest) -> None:
    """Begun, taken up again, completed twice with one answer; each step says what the page says."""
    sender = Sender(ada, DATA)
    status, begun = await sender.init()
    assert status == 200, begun
    assert (begun["status"], begun["chunk_size"], begun["total_chunks"], begun["uploaded"]) == (
        "uploading",
        CHUNK,
        3,
        [],
    )
    sent = await asyncio.gather(sender.put(2), sender.put(0), sender.put(0))
    assert [s for s, _ in sent] == [200] * 3
    assert sent[0][1] == {"success": True, "status": "uploaded", "index": 2, "size": 1808}
    assert (await sender.status())[1]["uploaded"] == [0, 2]
    assert (await sender.init())[1]["uploaded"] == [0, 2]
    status, missing = await sender.complete()
    assert (status, missing["error"], missing["missing"]) == (409, "chunks_missing", [1])
    assert (await sender.file())[1]["uploaded_bytes"] == CHUNK + 1808
    await sender.put(1)
    done = await sender.complete()

    assert done[0] == 200, done
    assert await sender.complete() == done
    assert await sender.read() == DATA
    assert (await sender.file())[1]["is_uploaded"] is True
    assert (await sender.status())[1]["uploaded"] == [0, 1, 2]
    assert (await sender.init())[1]["status"] == "complete"
    assert (await sender.put(1))[0] == 409
    said = await entries(ada, sender.block)
    assert said[f"{sender.hash}:{len(DATA)}"]["is_uploaded"] is True


async def test_a_wrong_chunk_is_found_and_can_be_sent_again(ada: Guest) -> None:
    """The session is kept, as the rest of the chunks."""
    sender = Sender(ada, DATA)
    await sender.init()
    for index in range(3):
        await sender.put(index)
    await sender.put(0, bytes(CHUNK))
    status, answer = await sender.complete()
    assert (status, answer["error"]) == (400, "hash_mismatch")
    await sender.put(0)

    assert (await sender.complete())[0] == 200


async def test_an_empty_file_is_a_file(ada: Guest) -> None:
    """In chunks and in one go."""
    sender = Sender(ada, b"")
    begun = await sender.init()
    done = await sender.complete()
    other = Sender(ada, b"")

    assert begun[1]["total_chunks"] == 0
    assert done[0] == 200
    assert (await other.direct())[0] == 200
    assert await sender.read() == b""


@pytest.mark.parametrize(
    ("index", "data", "status", "error"),
    [
        (0, bytes(CHUNK - 1), 400, "chunk_length"),
        (0, bytes(CHUNK + 1), 413, "too_large"),
        (2, bytes(CHUNK), 413, "too_large"),
        (3, b"x", 400, "chunk_out_of_range"),
        (-1, b"x", 400, "bad_request"),
        ("x", b"x", 400, "bad_request"),
        ("٣", b"x", 400, "bad_request"),
        (10**12, b"x", 400, "bad_request"),
        (0, b"", 400, "chunk_length"),
    ],
    ids=["short", "long", "last", "beyond", "negative", "letter", "digit", "huge", "empty"],
)
async def test_a_chunk_must_be_exact(
    ada: Guest, index: Any, data: bytes, status: int, error: str
) -> None:
    """Nothing of it is kept, whether its length was declared or not."""

    async def pieces() -> Any:
        yield data

    sender = Sender(ada, DATA)
    await sender.init()
    path = f"/api/upload/chunk/{sender.heap}/{sender.block}/{sender.hash}/{index}"
    declared = await sender.call("PUT", path, data=data)
    streamed = await sender.call("PUT", path, data=pieces())

    assert [(s, a["error"]) for s, a in (declared, streamed)] == [(status, error)] * 2
    assert (await sender.status())[1]["uploaded"] == []


@pytest.mark.parametrize(
    "changes",
    [
        {"hash": "abc"},
        {"hash": None},
        {"hash": "g" * 64},
        {"file_size": -1},
        {"file_size": "x"},
        {"file_size": None},
        {"chunk_size": 0},
        {"name": 7},
    ],
    ids=str,
)
async def test_a_beginning_that_makes_no_sense(ada: Guest, changes: dict[str, Any]) -> None:
    """400, and there is no upload."""
    sender = Sender(ada, DATA)
    status, answer = await sender.init(**changes)

    assert (status, answer["error"]) == (400, "bad_request")
    assert (await sender.status())[0] == 404


async def test_what_nobody_began_is_not_there(ada: Guest) -> None:
    """Status, chunk, complete and file status; a hash that is none, too."""
    sender = Sender(ada, DATA)
    await Sender(ada, b"x", sender.block).init()
    answers = [await sender.status(), await sender.put(0), await sender.complete()]
    answers.append(await sender.file())
    sender.hash = "zz"
    answers += [await sender.status(), await sender.put(0), await sender.complete()]

    assert [s for s, _ in answers] == [404] * 7


async def test_sizes_are_bounded(ada: Guest, inside: Inside) -> None:
    """A file over the bound is 413; chunks become as large as their number has to be."""
    settings = inside.settings
    sender = Sender(ada, DATA)
    too_large = await sender.init(file_size=settings.file_bytes_max + 1)
    many = await sender.init(file_size=1 << 30, chunk_size=1, hash=digest(b"1"))
    large = await sender.init(file_size=1 << 30, chunk_size=1 << 39, hash=digest(b"2"))

    assert (too_large[0], too_large[1]["error"]) == (413, "too_large")
    assert many[1]["total_chunks"] <= settings.upload_chunks_max
    assert large[1]["chunk_size"] == settings.upload_chunk_bytes_max


async def test_another_size_is_a_conflict(ada: Guest) -> None:
    """Once chunks came; the answer says with which size it was begun."""
    sender = Sender(ada, DATA)
    await sender.init()
    await sender.put(0)
    status, answer = await sender.init(file_size=5)

    assert (status, answer["error"], answer["file_size"]) == (409, "upload_conflict", len(DATA))


async def test_an_upload_is_invisible_to_others(inside: Inside, ada: Guest, bob: Guest) -> None:
    """To a stranger, to a viewer, and to another editor of the same workspace."""
    mine = Sender(ada, DATA)
    await mine.init()
    await mine.put(0)
    theirs = Sender(bob, DATA, block=mine.block)
    theirs.heap = ada.workspace
    stranger = [await theirs.status(), await theirs.put(1), await theirs.complete()]
    stranger += [await theirs.init(), await theirs.direct(), await theirs.file()]
    seen = {}
    for role in (Role.VIEWER, Role.EDITOR):
        await inside.grants.set_member(ada.workspace, bob.account, role)
        async with asyncio.timeout(PATIENCE_S):
            while await inside.realtime.rights.role_in(bob.account, ada.workspace) is not role:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        seen[role] = [await theirs.status(), await theirs.put(1), await theirs.complete()]

    assert [s for s, _ in stranger] == [404] * 6
    assert [s for s, _ in seen[Role.VIEWER]] == [403] * 3
    assert [s for s, _ in seen[Role.EDITOR]] == [404] * 3
    assert (await mine.status())[1]["uploaded"] == [0]


async def test_a_block_of_another_workspace_takes_no_file(ada: Guest, bob: Guest) -> None:
    """Neither under its own workspace's name nor under another."""
    mine = Sender(ada, DATA)
    await mine.direct()
    thief = Sender(bob, b"evil", mine.block)

    assert [s for s, _ in (await thief.direct(), await thief.init())] == [404, 404]


async def test_the_quota_is_the_workspaces_owners(ada: Guest, inside: Inside) -> None:
    """What is used and what is announced count; over it is 413 with the numbers."""
    first = Sender(ada, DATA)
    await first.direct()
    usage = await inside.files.blobs.usage(ada.account)
    object.__setattr__(inside.settings, "account_bytes_max", usage.bytes + 5000)
    try:
        await Sender(ada, b"1" * 3000).init()
        refused = [await Sender(ada, b"2" * 2001).init(), await Sender(ada, b"2" * 2001).direct()]
        fits = await Sender(ada, b"2" * 2000).direct()
    finally:
        object.__setattr__(inside.settings, "account_bytes_max", 1 << 40)

    assert [(s, a["error"], a["quota"]) for s, a in refused] == [
        (413, "quota_exceeded", usage.bytes + 5000)
    ] * 2
    assert fits[0] == 200


async def test_open_editors_see_that_a_file_came(ada: Guest) -> None:
    """The entry that the client made is marked, and keeps what it says."""
    device = Device(ada)
    block = device.write("with a file")
    sender = Sender(ada, DATA, block=block)
    key = f"{sender.hash}:{len(DATA)}"
    files = device.blocks[block].doc.get("files_v0", type=pycrdt.Map)
    device.blocks[block].edit(lambda: files.update({key: {"name": "mine", "note": [1, 2]}}))
    await device.push(block)
    editor = await ada.open(f"{ada.workspace}:{block}")
    shown = editor.replica.doc.get("files_v0", type=pycrdt.Map)
    await sender.direct()
    await editor.until(lambda: "is_uploaded" in shown[key])

    assert shown[key]["name"] == "mine"
    assert shown[key]["note"] == [1, 2]
    assert shown[key]["is_uploaded"] is True
