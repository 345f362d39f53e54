"""Libraries in the database: stamps, what is known of paths, devices, what is forgotten."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from uuid import uuid4

import asyncpg
import msgspec
import pytest

from storage.blobs import Blob
from storage.leaving.removal import remove_account
from storage.pinakes.devices import Changed, Devices
from storage.pinakes.libraries import Libraries, Library
from storage.pinakes.writing import NO_DEVICE, File, Pending
from storage.pool import Pool
from tests.storage.people import join

A, B = b"a" * 32, b"b" * 32


async def library(pool: Pool) -> Library:
    """Somebody's library; however often it is made, there is one."""
    store = Libraries(pool)
    account = (await join(pool))[0].id
    made, same = await asyncio.gather(
        *(store.make(account, f"scope {number} of {account}") for number in range(2))
    )
    assert made == same == await store.find(account)
    return made


def file(path: str, digest: bytes | None = A) -> File:
    """A file, or with None its tombstone."""
    return File(path=path, hash=digest, size=1, change="created" if digest else "deleted")


async def put(pool: Pool, made: Library, *files: File) -> None:
    """Write some files in one transaction."""
    async with Libraries(pool).writing(made, 1000) as writing:
        await writing.put(files)


async def test_stamps_rise_in_the_order_of_commits(pool: Pool) -> None:
    """Of many writers at once: a reader never meets a stamp below one that it has passed."""
    made, store = await library(pool), Libraries(pool)
    passed: list[int] = []
    writers = asyncio.gather(*(put(pool, made, file(f"{n}/a"), file(f"{n}/b")) for n in range(20)))
    cursor = 0
    while not writers.done() or (await store.page(made, cursor, 5)).entries:
        page = await store.page(made, cursor, 5)
        passed += [entry.stamp for entry in page.entries]
        cursor = passed[-1] if passed else 0
        await asyncio.sleep(0)
    await writers

    assert len(passed) == 40
    assert passed == sorted(set(passed))
    assert await store.head(made) == passed[-1]


async def test_a_path_keeps_when_it_came_to_be_until_it_goes(pool: Pool) -> None:
    """What is made again has come anew."""
    made, store = await library(pool), Libraries(pool)
    born = []
    for one in (file("a"), file("a", B), file("a", None), file("a", None), file("a")):
        await put(pool, made, one)
        (entry,) = (await store.page(made, 0, 10)).entries
        born.append(entry.born)

    assert born[0] == born[1] == born[2] == born[3] < born[4] == entry.stamp


async def test_nothing_of_a_failed_write_stays(pool: Pool) -> None:
    """Neither files nor promises nor the stamps that they would have had."""
    made, store = await library(pool), Libraries(pool)
    pending = Pending(path="b", reported_path="b", device=NO_DEVICE, change="created", hash=A)
    async with store.writing(made, 1000) as writing:
        await writing.put([file("b")])
    head = await store.head(made)

    async def fail() -> None:
        async with store.writing(made, 1000) as writing:
            await writing.put([file("a")])
            await writing.put_pending([pending])
            await writing.put([msgspec.structs.replace(file("c"), size=None)])  # type: ignore[arg-type]

    with pytest.raises(asyncpg.NotNullViolationError):
        await fail()
    async with store.writing(made, 1000) as writing:
        found = await writing.files(["a"]), await writing.pending("b", A, NO_DEVICE)
        count = await writing.count_files()

    assert (found, count, await store.head(made)) == (({}, None), 1, head)


async def test_tombstones_go_when_every_device_is_past_them(pool: Pool) -> None:
    """One that is off, or was not seen for long, is not waited for; the floor says what went."""
    made, store, devices = await library(pool), Libraries(pool), Devices(pool)
    quick, slow = [
        await devices.add(uuid4(), made.account, Changed(name=name, device_type="other"), token, 9)
        for name, token in (("quick", A), ("slow", B))
    ]
    assert quick is not None
    assert slow is not None
    await put(pool, made, file("a"), file("b"))
    await put(pool, made, file("a", None))
    head = await store.head(made)
    await devices.acknowledge(quick.id, head)
    kept = await store.compact(made, 3600)
    await pool.execute(
        "UPDATE pinakes_devices SET created_at = now() - interval '2 hours' WHERE id = $1", slow.id
    )
    went = await store.compact(made, 3600)
    after = await store.find(made.account)

    assert (kept, went) == (0, 1)
    assert after is not None
    assert (after.floor, await store.head(made)) == (head, head)
    assert [entry.path for entry in (await store.page(made, 0, 10)).entries] == ["b"]


async def test_paths_are_counted(pool: Pool) -> None:
    """Each once, until its tombstone is removed."""
    made, store = await library(pool), Libraries(pool)
    await put(pool, made, file("a"), file("b"))
    await put(pool, made, file("a", B), file("b", None), file("c"))
    async with store.writing(made, 1000) as writing:
        count = await writing.count_files()

    assert count == 3


async def test_an_account_has_so_many_devices_and_no_more(pool: Pool) -> None:
    """However many register at once."""
    account, devices = (await join(pool))[0].id, Devices(pool)
    said = Changed(name="x", device_type="other")
    made = await asyncio.gather(
        *(
            devices.add(uuid4(), account, said, sha256(bytes([number])).digest(), 3)
            for number in range(8)
        )
    )
    listed = await devices.of_account(account)

    assert sum(one is not None for one in made) == len(listed) == 3
    assert (await devices.by_token(sha256(b"none").digest())) is None


async def test_acknowledgements_move_forward_only(pool: Pool) -> None:
    """In whatever order they come; of a device that is gone there is none."""
    account, devices = (await join(pool))[0].id, Devices(pool)
    device = await devices.add(uuid4(), account, Changed(name="x", device_type="other"), A, 9)
    assert device is not None
    reached = [await devices.acknowledge(device.id, cursor) for cursor in (5, 3, 9, 9)]
    await devices.delete(device.id)

    assert reached == [5, 5, 9, 9]
    assert await devices.acknowledge(device.id, 10) is None


async def test_a_library_refers_to_its_own_bytes_only(pool: Pool) -> None:
    """What another one keeps is not found by its hash."""
    mine, other = await library(pool), await library(pool)
    await pool.execute("INSERT INTO blobs (hash, size, ready) VALUES ($1, 5, true)", A)
    store = Libraries(pool)
    async with store.writing(mine, 1000) as writing:
        await writing.keep(Blob(A, 5), None)
        own = await writing.contents([A, B])
    async with store.writing(other, 1000) as writing:
        theirs = await writing.contents([A, B])

    assert (own, theirs) == ({A: 5}, {})


async def test_of_an_account_that_leaves_nothing_stays(pool: Pool) -> None:
    """No path, no content, no promise and no device."""
    made, devices = await library(pool), Devices(pool)
    pending = Pending(path="b", reported_path="b", device=NO_DEVICE, change="created", hash=A)
    await devices.add(uuid4(), made.account, Changed(name="x", device_type="other"), A, 9)
    await pool.execute("INSERT INTO blobs (hash, size, ready) VALUES ($1, 5, true)", B)
    async with Libraries(pool).writing(made, 1000) as writing:
        await writing.keep(Blob(B, 5), None)
        await writing.put([file("a", B)])
        await writing.put_pending([pending])
        await writing.note_woven("a", None, B)
    await remove_account(pool, made.account)
    left = [
        await pool.fetchval(f"SELECT count(*) FROM pinakes_{table}")
        for table in ("libraries", "files", "contents", "pending", "woven", "devices")
    ]

    assert left == [0] * 6
    assert await pool.fetchval("SELECT uses FROM blobs WHERE hash = $1", B) == 0
