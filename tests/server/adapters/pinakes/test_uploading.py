"""Uploads in chunks: in any order, again after a failure, complete once."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from server.adapters.pinakes.asking import UPLOADING
from tests.inside import Guest, Inside
from tests.server.adapters.pinakes.machine import Machine, changed, digest

pytestmark = pytest.mark.asyncio(loop_scope="module")

KIB = 1024
SIZE = 64 * KIB


async def test_chunks_come_in_any_order(desk: Machine, lap: Machine) -> None:
    """The last one is the rest; what is here is said all the way."""
    data = os.urandom(2 * SIZE + 10)
    upload = await desk.begin("a/film.bin", data, SIZE)
    await desk.send(upload, data, 2, 0)
    status, midway, _ = await desk.ask("GET", f"/upload/{upload['id']}")
    early = await desk.ask("POST", f"/upload/{upload['id']}/complete")
    await desk.send(upload, data, 1)
    done = await desk.complete(upload)

    assert (upload["chunk_size"], upload["chunk_count"], upload["status"]) == (SIZE, 3, "pending")
    assert (status, midway["status"], midway["received_chunks"]) == (200, "in_progress", [0, 2])
    assert midway["received_bytes"] == SIZE + 10
    assert (early[0], early[1]["error"], early[1]["missing_chunks"]) == (400, "missing_chunks", [1])
    assert (done["status"], done["content_hash"]) == ("completed", digest(data))
    assert await lap.news() == [("created", "a/film.bin")]
    assert await lap.content("a/film.bin") == data


async def test_complete_is_answered_alike_however_often_it_is_asked(
    desk: Machine, lap: Machine
) -> None:
    """At once or later; one change is told."""
    data = os.urandom(SIZE)
    upload = await desk.begin("a.bin", data)
    await desk.send(upload, data)
    answers = await asyncio.gather(*(desk.complete(upload) for _ in range(5)))
    late = await desk.complete(upload)

    assert all(answer == late for answer in answers)
    assert await lap.news() == [("created", "a.bin")]


async def test_a_chunk_must_be_what_it_is_said_to_be(desk: Machine) -> None:
    """Its length, its number and its hash; nothing of a wrong one is kept."""
    data = os.urandom(SIZE + 100)
    upload = await desk.begin("a.bin", data, SIZE)
    place = f"/upload/{upload['id']}/chunks"
    wrong = [
        await desk.ask("PUT", f"{place}/0", data=data[:100]),
        await desk.ask("PUT", f"{place}/1", data=data),
        await desk.ask("PUT", f"{place}/2", data=b""),
        await desk.ask("PUT", f"{place}/-1", data=b"x"),
        await desk.ask("PUT", f"{place}/one", data=b"x"),
        await desk.ask(
            "PUT", f"{place}/0", data=data[:SIZE], headers={"X-Chunk-Hash": digest(b"else")}
        ),
        await desk.ask("PUT", f"{place}/0", data=data[:SIZE], headers={"X-Chunk-Hash": "zz"}),
    ]
    _, none, _ = await desk.ask("GET", f"/upload/{upload['id']}")
    right = await desk.ask(
        "PUT", f"{place}/0", data=data[:SIZE], headers={"X-Chunk-Hash": digest(data[:SIZE])}
    )

    assert [status for status, _, _ in wrong] == [400] * 7
    assert none["received_chunks"] == []
    assert right[1] == {
        "chunk_index": 0,
        "received": True,
        "received_chunks": [0],
        "chunk_count": 2,
    }


async def test_a_chunk_of_unknown_length_is_measured(desk: Machine) -> None:
    """Where the request does not say how long it is, it must be as long as it must."""
    data = os.urandom(SIZE)
    upload = await desk.begin("a.bin", data)
    place = f"/upload/{upload['id']}/chunks/0"

    async def parts(size: int) -> AsyncIterator[bytes]:
        yield data[:size]
        yield data[size:] if size == SIZE // 2 else b"too much" * (size // SIZE)

    statuses = [
        (await desk.ask("PUT", place, data=parts(size)))[0] for size in (10, SIZE, SIZE // 2)
    ]

    assert statuses == [400, 400, 200]


async def test_a_chunk_that_comes_again_replaces_the_first(desk: Machine) -> None:
    """A wrong one is mended; of a whole with another hash nothing becomes a file."""
    data = os.urandom(SIZE)
    upload = await desk.begin("a.bin", data)
    await desk.send(upload, bytes(SIZE))
    failed = await desk.ask("POST", f"/upload/{upload['id']}/complete")
    _, state, _ = await desk.ask("GET", f"/upload/{upload['id']}")
    absent = (await desk.download("a.bin"))[0]
    await desk.send(upload, data)
    done = await desk.complete(upload)
    late = await desk.ask("PUT", f"/upload/{upload['id']}/chunks/0", data=data)

    assert (failed[0], failed[1]["error"]) == (400, "hash_mismatch")
    assert (state["status"], absent) == ("failed", 404)
    assert done["status"] == "completed"
    assert late[0] == 400


async def test_an_empty_file_has_no_chunks(desk: Machine, lap: Machine) -> None:
    """It is complete as it is."""
    upload = await desk.begin("empty.bin", b"")
    done = await desk.complete(upload)

    assert (upload["chunk_count"], done["status"]) == (0, "completed")
    assert await lap.content("empty.bin") == b""


async def test_an_upload_is_given_up_once(desk: Machine, lap: Machine) -> None:
    """Then it is nowhere; one that is complete cannot be, and its file stays."""
    data = os.urandom(SIZE)
    upload = await desk.begin("a.bin", data)
    await desk.send(upload, data)
    place = f"/upload/{upload['id']}"
    given = await desk.ask("DELETE", place)
    again = [
        (await desk.ask(method, path, data=data if method == "PUT" else None))[0]
        for method, path in (
            ("DELETE", place),
            ("GET", place),
            ("PUT", f"{place}/chunks/0"),
            ("POST", f"{place}/complete"),
        )
    ]
    await desk.upload("a.bin", data)
    done = await desk.begin("b.bin", data)
    await desk.send(done, data)
    await desk.complete(done)
    kept = await desk.ask("DELETE", f"/upload/{done['id']}")

    assert (given[0], given[1]) == (204, b"")
    assert again == [404] * 4
    assert kept[0] == 404
    assert await lap.content("b.bin") == data


async def test_an_upload_is_nobody_elses(bob: Guest, desk: Machine) -> None:
    """To others it is not there, as what never was."""
    data = os.urandom(SIZE)
    upload = await desk.begin("a.bin", data)
    async with await Machine.of(bob, "his") as his:
        for place in (f"/upload/{upload['id']}", f"/upload/{uuid4()}", "/upload/x"):
            for method, path in (
                ("GET", place),
                ("DELETE", place),
                ("PUT", f"{place}/chunks/0"),
                ("POST", f"{place}/complete"),
            ):
                status, answer, _ = await his.ask(method, path)
                assert (status, answer["error"]) == (404, "not_found"), (method, path)


async def test_the_same_upload_is_gone_on_with(desk: Machine) -> None:
    """Begun again after a restart of the device, it has what came before."""
    data = os.urandom(3 * SIZE)
    first = await desk.begin("a.bin", data, SIZE)
    await desk.send(first, data, 1)
    again = await desk.begin("a.bin", data, SIZE)

    assert again["id"] == first["id"]
    assert again["received_chunks"] == [1]


@pytest.mark.parametrize(
    "change",
    [
        {"target_path": "../a"},
        {"target_path": "/a"},
        {"target_path": "a//b"},
        {"target_path": "a\\b"},
        {"target_path": "a\0b"},
        {"target_path": ""},
        {"expected_size": -1},
        {"expected_size": "many"},
        {"expected_hash": "abc"},
        {"expected_hash": None},
        {"hash_algorithm": "md5"},
        {"chunk_size": 0},
        {"device_id": str(UUID(int=7))},
    ],
    ids=str,
)
async def test_what_cannot_be_uploaded_is_400(desk: Machine, change: dict[str, object]) -> None:
    """Each field is looked at."""
    body = {"target_path": "a", "expected_size": 1, "expected_hash": digest(b"a")} | change
    status, answer, _ = await desk.ask(
        "POST", "/upload", json={k: v for k, v in body.items() if v is not None}
    )

    assert (status, set(answer)) == (400, {"error", "message"})


async def test_chunk_sizes_are_kept_within_bounds(desk: Machine) -> None:
    """4 MiB where nothing is asked for; the answer says which it is."""
    sizes = []
    for number, asked in enumerate((None, 1, 1 << 30, 100 * KIB)):
        upload = await desk.begin(f"{number}.bin", bytes(10), asked)
        sizes.append(upload["chunk_size"])

    assert sizes == [4 << 20, 64 * KIB, 16 << 20, 100 * KIB]


async def test_an_abandoned_upload_is_404(inside: Inside, desk: Machine) -> None:
    """After a day without a chunk."""
    upload = await desk.begin("a.bin", bytes(SIZE))
    await inside.pool.execute(
        "UPDATE uploads SET touched_at = now() - interval '25 hours' WHERE id = $1", upload["id"]
    )

    assert (await desk.ask("GET", f"/upload/{upload['id']}"))[0] == 404
    assert (await desk.begin("a.bin", bytes(SIZE)))["received_chunks"] == []


async def test_what_a_crash_left_becomes_a_file_in_the_background(
    inside: Inside, ada: Guest, desk: Machine, lap: Machine
) -> None:
    """All bytes were here, the answer was not given, and the device never asked again."""
    data = os.urandom(100)
    await desk.report(changed("a.bin", data))
    upload = await desk.begin("a.bin", data)
    await desk.send(upload, data)
    uploading = inside.app[UPLOADING]
    found = await uploading.find(ada.account, upload["id"])
    library = await uploading._shelves.of(ada.account)
    await uploading._receive(library, found.upload)
    before = await lap.news()
    await uploading.mend(datetime.now(UTC) + timedelta(minutes=2))

    assert before == []
    assert await lap.news() == [("created", "a.bin")]
