"""Noticing that a version moved."""

import asyncio

import pytest

from server.watch import ACCOUNT, SCOPE, UNKNOWN, Moved, Watch
from storage.errors import Unavailable
from tests.patience import PATIENCE_S


class Stored:
    """The versions in the database; may be away."""

    def __init__(self, **versions: int) -> None:
        self.versions = versions
        self.away = False
        self.asked = asyncio.Event()

    async def moved(
        self, accounts: dict[str, int], scopes: dict[str, int]
    ) -> list[tuple[str, str, int]]:
        """What differs from the stored versions."""
        self.asked.set()
        if self.away:
            raise Unavailable("away")
        return [
            (subject, name, self.versions.get(name, 0))
            for subject, known in ((ACCOUNT, accounts), (SCOPE, scopes))
            for name, version in known.items()
            if self.versions.get(name, 0) != version
        ]


class Ticks:
    """Monotonic time, moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """The time."""
        return self.now


async def test_whoever_relies_hears_of_a_newer_version_once() -> None:
    """Each hearer is called once per move, and not after it has ended."""
    stored, heard = Stored(a=1), []
    watch = Watch(stored.moved)
    watch.rely(ACCOUNT, "a", 1, lambda: heard.append("one"))
    end = watch.rely(ACCOUNT, "a", 1, lambda: heard.append("two"))
    assert end is not None
    await watch.look()
    stored.versions["a"] = 2
    await watch.look()
    await watch.look()
    end()
    stored.versions["a"] = 3
    await watch.look()

    assert heard == ["one", "two", "one"]


async def test_accounts_and_workspaces_of_one_name_are_two() -> None:
    """Ids of two kinds never mix."""
    stored, heard = Stored(x=1), []
    watch = Watch(stored.moved)
    watch.rely(SCOPE, "x", 1, lambda: heard.append("scope"))
    watch.rely(ACCOUNT, "x", 1, lambda: heard.append("account"))
    watch.seen(SCOPE, "x", 2)

    assert heard == ["scope"]


async def test_what_is_gone_is_told_once() -> None:
    """An account that no longer exists has moved, once."""
    stored, heard = Stored(), []
    watch = Watch(stored.moved)
    watch.rely(ACCOUNT, "a", 5, lambda: heard.append("gone"))
    await watch.look()
    await watch.look()

    assert heard == ["gone"]


async def test_relying_on_an_old_version_is_refused() -> None:
    """What was read before a move that is known already must be read again."""
    watch = Watch(Stored(a=7).moved)
    watch.rely(ACCOUNT, "a", 7, lambda: None)

    assert watch.rely(ACCOUNT, "a", 6, lambda: None) is None


async def test_a_newer_version_that_somebody_read_moves_the_others() -> None:
    """A fresh read tells those who rely on an older one, and not itself."""
    heard: list[str] = []
    watch = Watch(Stored(a=8).moved)
    watch.rely(ACCOUNT, "a", 7, lambda: heard.append("old"))
    watch.rely(ACCOUNT, "a", 8, lambda: heard.append("new"))
    await watch.look()

    assert heard == ["old"]


async def test_who_hears_is_called_until_it_is_deaf() -> None:
    """The same for any number of hearers; what nobody hears of any more is not watched."""
    stored, heard = Stored(a=4), []
    watch = Watch(stored.moved)

    def hearer() -> None:
        heard.append(stored.versions["a"])

    watch.hear(ACCOUNT, "a", hearer)
    await watch.look()
    stored.versions["a"] = 5
    await watch.look()
    watch.deaf(ACCOUNT, "a", hearer)
    watch.deaf(ACCOUNT, "a", hearer)
    stored.versions["a"] = 6
    await watch.look()

    assert (heard, watch.sizes()[ACCOUNT]) == ([4, 5], 0)


async def test_an_unknown_version_is_looked_up_and_moves() -> None:
    """Who watches before anybody has read hears at the first look: better once too often."""
    heard: list[str] = []
    watch = Watch(Stored(a=4).moved)
    watch.rely(ACCOUNT, "a", UNKNOWN, lambda: heard.append("looked"))
    await watch.look()
    await watch.look()

    assert heard == ["looked"]


async def test_a_late_answer_does_not_move_a_version_back() -> None:
    """While the database answers, a newer version may have come by another way."""
    watch: Watch

    async def slow(accounts: dict[str, int], scopes: dict[str, int]) -> list[tuple[str, str, int]]:
        del scopes
        watch.seen(ACCOUNT, "a", 9)
        return [(ACCOUNT, "a", 8)] if accounts else []

    heard: list[str] = []
    watch = Watch(slow)
    watch.rely(ACCOUNT, "a", 7, lambda: heard.append("moved"))
    await watch.look()

    assert heard == ["moved"]
    assert watch.rely(ACCOUNT, "a", 8, lambda: None) is None


async def test_nothing_is_fresh_without_a_recent_look() -> None:
    """Two periods after the last good look nothing may be relied on; a failed look is none."""
    stored, ticks = Stored(), Ticks()
    watch = Watch(stored.moved, period_s=1.0, clock=ticks)
    states = [watch.is_fresh()]
    await watch.look()
    states.append(watch.is_fresh())
    ticks.now += 1.9
    states.append(watch.is_fresh())
    stored.away = True
    with pytest.raises(Unavailable):
        await watch.look()
    ticks.now += 0.2
    states.append(watch.is_fresh())

    assert states == [False, True, True, False]


async def test_looking_goes_on_when_the_database_comes_back() -> None:
    """A database that was away for a while costs nothing but the time."""
    stored, heard = Stored(a=1), asyncio.Event()
    stored.away = True
    watch = Watch(stored.moved, period_s=0.05)
    watch.rely(ACCOUNT, "a", 1, heard.set)
    task = asyncio.create_task(watch.run())
    await stored.asked.wait()
    stored.away = False
    stored.versions["a"] = 2
    async with asyncio.timeout(PATIENCE_S):
        await heard.wait()
    task.cancel()

    assert watch.is_fresh()


async def test_one_hearer_s_fault_does_not_silence_the_others() -> None:
    """The others are still told."""
    heard: list[str] = []
    watch = Watch(Stored(a=2).moved)

    def broken() -> None:
        raise ValueError

    watch.rely(ACCOUNT, "a", 1, broken)
    watch.rely(ACCOUNT, "a", 1, lambda: heard.append("told"))
    await watch.look()

    assert heard == ["told"]


async def test_nothing_is_left_when_everybody_has_ended() -> None:
    """Also when hearers end while they are told."""
    watch = Watch(Stored(a=2).moved)
    ends: list[Moved] = []

    def end_it() -> None:
        ends[0]()

    end = watch.rely(ACCOUNT, "a", 1, end_it)
    assert end is not None
    ends.append(end)
    await watch.look()

    assert watch.sizes() == {"account": 0, "scope": 0}
