"""Datasets, the moments that are given out, and images by name."""

from __future__ import annotations

import asyncio

from storage.ascently import MOMENTS_MAX, Ascently, Dataset
from storage.pool import Pool
from tests.storage.people import join


async def dataset(pool: Pool, first_at: int = 1000) -> Dataset:
    """Somebody's dataset."""
    store = Ascently(pool)
    account = (await join(pool))[0].id
    made = await store.make(account, f"scope of {account}", first_at)
    assert await store.make(account, f"another scope of {account}", first_at + 1) == made
    assert await store.find(account) == made
    return made


async def stamp(pool: Pool, made: Dataset, last: int) -> None:
    """The feed gives stamps up to `last`."""
    await pool.execute("UPDATE scopes SET last_stamp = $2 WHERE id = $1", made.document.scope, last)


async def test_moments_increase_and_say_what_had_come(pool: Pool) -> None:
    """Of however many at once; a cursor means the last moment that is not later."""
    made, store = await dataset(pool), Ascently(pool)
    await stamp(pool, made, 50)
    first = await store.issue(made, 2000)
    await stamp(pool, made, 9_000_000)
    second = await store.issue(made, 1500)
    at_once = await asyncio.gather(*(store.issue(made, 2000) for _ in range(5)))
    since = [
        (await store.issue(made, 3000, cursor)).since for cursor in (999, 1000, 2000, 2001, 99_999)
    ]

    assert (first.at, second.at) == (2000, 2001)
    assert sorted(each.at for each in at_once) == [2002, 2003, 2004, 2005, 2006]
    assert since == [None, 0, 50, 9_000_000, 9_000_000]


async def test_old_moments_go(pool: Pool) -> None:
    """To a cursor of before them everything came later."""
    made, store = await dataset(pool), Ascently(pool)
    await pool.execute(
        "INSERT INTO ascently_moments SELECT $1, 2000 + n, n FROM generate_series(1, $2) n",
        made.document.id,
        MOMENTS_MAX + 5,
    )
    await pool.execute("UPDATE ascently_datasets SET moments = $1", MOMENTS_MAX + 5)
    await stamp(pool, made, 10**6)
    issued = await store.issue(made, 10**6, 2001)
    again = await store.issue(made, 10**6, 2001)
    count = await pool.fetchval("SELECT count(*) FROM ascently_moments")

    assert (issued.since, again.since) == (1, 0)
    assert count == MOMENTS_MAX


async def test_who_uploaded_nothing_has_no_dataset(pool: Pool) -> None:
    """None, and no images."""
    store = Ascently(pool)

    assert await store.find("nobody") is None
    assert await store.image("nobody", "a") is None


async def test_an_image_replaces_what_had_its_name(pool: Pool) -> None:
    """And tells what that was."""
    made, store = await dataset(pool), Ascently(pool)
    old = [await store.put_image(made.account, "a", bytes([n]) * 32, n) for n in (1, 2)]

    assert old == [None, b"\x01" * 32]
    assert await store.image(made.account, "a") == (b"\x02" * 32, 2)
    assert await store.images(made.account) == [("a", b"\x02" * 32, 2)]
    assert await store.count_images(made.account) == 1
