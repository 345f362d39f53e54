"""The rules of merging, as two requests after one another meet them."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.server.adapters.ascently.conftest import ada, inside, phone
from tests.server.adapters.ascently.phone import Phone, at, gone, item

__all__ = ["ada", "inside", "phone"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

TIMES = (
    ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00.001Z"),
    ("2026-03-01T12:00:00.5Z", "2026-03-01T12:00:00.500001Z"),
    ("2026-03-01T12:00:00.000000001Z", "2026-03-01T12:00:00.000000002Z"),
    ("2026-03-01T13:00:00+02:00", "2026-03-01T12:00:00.000Z"),
    ("2026-03-01T12:00:00.000Z", "2026-03-01T11:00:00.001-02:00"),
)


@pytest.mark.parametrize(("earlier", "later"), TIMES, ids=str)
@pytest.mark.parametrize("first", ["earlier", "later"])
async def test_the_later_instant_wins_however_it_is_written(
    phone: Phone, earlier: str, later: str, first: str
) -> None:
    """Whichever comes first; as a whole."""
    old = {"id": "a", "updatedAt": earlier, "only": "here"}
    new = {"id": "a", "updatedAt": later}
    for each in (old, new) if first == "earlier" else (new, old):
        await phone.delta(gyms=[each])

    assert (await phone.whole())["gyms"] == [new]


async def test_who_sent_what_lost_is_told_what_won(phone: Phone) -> None:
    """A slow clock: its owner would else never hear that another version stands."""
    await phone.delta(gyms=[item("a", 5)], deletedItems=[gone("b", 5), gone("d", 5)])
    cursor = (await phone.delta(gyms=[item("c", 5)]))["serverTime"]
    answer = await phone.delta(
        cursor,
        gyms=[item("a", 1, old=True), item("b", 1), item("c", 5)],
        deletedItems=[gone("c", 1), gone("d", 1)],
    )

    assert sorted(each["id"] for each in answer["gyms"]) == ["a", "c"]
    assert answer["gyms"][0] == item(answer["gyms"][0]["id"], 5)
    assert sorted(each["id"] for each in answer["deletedItems"]) == ["b", "d"]


async def test_of_equal_times_the_same_wins_in_any_order(phone: Phone) -> None:
    """So that arrival does not matter."""
    versions = [item("a", title=title) for title in "xyz"]
    outcomes = []
    for order in itertools.permutations(versions):
        await phone.upload()
        for each in order:
            await phone.delta(gyms=[each])
        outcomes.append((await phone.whole())["gyms"])

    assert all(outcome == outcomes[0] for outcome in outcomes)


async def test_without_updated_at_the_creation_counts(phone: Phone) -> None:
    """As attempts have it."""
    await phone.delta(attempts=[{"id": "a", "createdAt": at(5), "n": 1}])
    await phone.delta(attempts=[{"id": "a", "createdAt": at(4), "n": 2}])
    await phone.delta(attempts=[{"id": "a", "createdAt": at(0), "updatedAt": at(6), "n": 3}])

    assert [each["n"] for each in (await phone.whole())["attempts"]] == [3]


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("deletion_first", [True, False])
@pytest.mark.parametrize(("deleted", "stands"), [(1, True), (2, False), (3, False)])
async def test_a_tombstone_wins_over_what_is_not_later(
    phone: Phone, deleted: int, stands: bool, together: bool, deletion_first: bool
) -> None:
    """In any order, in one request or two; what is later revives, and the tombstone goes."""
    parts: list[dict[str, Any]] = [
        {"gyms": [item("a", 2)]},
        {"deletedItems": [gone("a", deleted)]},
    ]
    if deletion_first:
        parts.reverse()
    if together:
        parts = [parts[0] | parts[1]]
    for part in parts:
        await phone.delta(**part)
    whole = await phone.whole()

    assert [each["id"] for each in whole["gyms"]] == (["a"] if stands else [])
    assert [each["id"] for each in whole["deletedItems"]] == ([] if stands else ["a"])


async def test_whole_uploads_follow_the_same_rule(phone: Phone) -> None:
    """Within one request."""
    await phone.upload(
        gyms=[item("a", 1), item("b", 3), item("c"), item("c", 1, n=1)],
        deletedItems=[gone("a", 1), gone("b", 2)],
    )
    whole = await phone.whole()

    assert sorted(each["id"] for each in whole["gyms"]) == ["b", "c"]
    assert next(each for each in whole["gyms"] if each["id"] == "c")["n"] == 1
    assert whole["deletedItems"] == [gone("a", 1)]


async def test_of_tombstones_the_newest_stands(phone: Phone) -> None:
    """For one type and id."""
    for minutes in (2, 3, 1):
        await phone.delta(deletedItems=[gone("a", minutes)])
    await phone.delta(deletedItems=[gone("a", 9, "problem")])

    stones = (await phone.whole())["deletedItems"]
    assert sorted(stones, key=lambda stone: str(stone["deletedAt"])) == [
        gone("a", 3),
        gone("a", 9, "problem"),
    ]


async def test_a_tombstone_is_of_its_type(phone: Phone) -> None:
    """An unknown type is kept and told; without one it is of whatever has the id. No cascade."""
    await phone.upload(
        gyms=[item("a"), item("b")], problems=[item("a", gymId="a"), item("b", gymId="b")]
    )
    cursor = (await phone.delta())["serverTime"]
    await phone.delta(
        deletedItems=[gone("a", 1), gone("a", 1, "wall"), {"id": "b", "deletedAt": at(1)}]
    )
    answer = await phone.delta(cursor)

    assert (await phone.ids("gyms"), await phone.ids("problems")) == ([], ["a"])
    assert len(answer["deletedItems"]) == 3
