"""Answers that hold until their version moves."""

import asyncio

import pytest

from server.cache import Cache
from server.watch import ACCOUNT, Watch


class Source:
    """Where answers come from: a version per account, counted readings, a gate to hold them."""

    def __init__(self) -> None:
        self.versions: dict[str, int] = {}
        self.reads = 0
        self.gate: asyncio.Event | None = None
        self.error: Exception | None = None
        self.kept = True

    async def load(self, key: tuple[str, int]) -> tuple[str, int | None]:
        """Read the answer of a key."""
        self.reads += 1
        version = self.versions.setdefault(key[0], 1)
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        return f"{key} at {version}", version if self.kept else None

    async def moved(
        self, accounts: dict[str, int], scopes: dict[str, int]
    ) -> list[tuple[str, str, int]]:
        """What a watch asks."""
        del scopes
        return [
            (ACCOUNT, name, self.versions.get(name, 0))
            for name, version in accounts.items()
            if self.versions.get(name, 0) != version
        ]


@pytest.fixture
def source() -> Source:
    """A source."""
    return Source()


@pytest.fixture
async def watch(source: Source) -> Watch:
    """A watch that has looked."""
    made = Watch(source.moved)
    await made.look()
    return made


@pytest.fixture
def cache(source: Source, watch: Watch) -> Cache[tuple[str, int], str]:
    """A cache of four answers."""
    return Cache(watch, ACCOUNT, source.load, lambda key: key[0], 4)


Answers = Cache[tuple[str, int], str]


async def test_an_answer_is_read_once(cache: Answers, source: Source) -> None:
    """The second time it is known."""
    first, second = await cache.get(("a", 1)), await cache.get(("a", 1))

    assert first is second
    assert source.reads == 1
    assert cache.peek(("a", 1)) is first


async def test_all_who_ask_at_once_share_one_reading(cache: Answers, source: Source) -> None:
    """One that gives up waiting does not fail the others."""
    source.gate = asyncio.Event()
    waiting = [asyncio.create_task(cache.get(("a", 1))) for _ in range(5)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    source.gate.set()
    answers = await asyncio.gather(*waiting, return_exceptions=True)

    assert isinstance(answers[0], asyncio.CancelledError)
    assert set(answers[1:]) == {"('a', 1) at 1"}
    assert source.reads == 1


async def test_a_moved_version_is_read_again(cache: Answers, source: Source, watch: Watch) -> None:
    """All answers of that account go, those of others stay."""
    for key in (("a", 1), ("a", 2), ("b", 1)):
        await cache.get(key)
    source.versions["a"] = 2
    await watch.look()

    assert cache.peek(("a", 1)) is cache.peek(("a", 2)) is None
    assert cache.peek(("b", 1)) == "('b', 1) at 1"
    assert await cache.get(("a", 1)) == "('a', 1) at 2"


async def test_an_answer_that_was_out_of_date_when_it_came_is_read_again(
    cache: Answers, source: Source, watch: Watch
) -> None:
    """A move that is noticed while the answer is on its way counts."""
    await cache.get(("a", 2))
    source.gate = asyncio.Event()
    waiting = asyncio.create_task(cache.get(("a", 1)))
    await asyncio.sleep(0)
    source.versions["a"] = 2
    await watch.look()
    watch.rely(ACCOUNT, "a", 2, lambda: None)
    source.gate.set()

    assert await waiting == "('a', 1) at 2"


async def test_nothing_is_answered_from_memory_while_the_watch_is_blind(
    source: Source,
) -> None:
    """A watch that has never looked vouches for nothing."""
    cache: Answers = Cache(Watch(source.moved), ACCOUNT, source.load, lambda key: key[0], 4)
    await cache.get(("a", 1))
    await cache.get(("a", 1))

    assert source.reads == 2


async def test_errors_reach_all_and_are_not_kept(cache: Answers, source: Source) -> None:
    """The next to ask has a new chance."""
    source.error = KeyError("away")
    results = await asyncio.gather(*(cache.get(("a", 1)) for _ in range(3)), return_exceptions=True)
    source.error = None

    assert [type(result) for result in results] == [KeyError] * 3
    assert await cache.get(("a", 1)) == "('a', 1) at 1"


async def test_what_is_not_to_be_kept_is_not(cache: Answers, source: Source) -> None:
    """An answer without a version takes no room."""
    source.kept = False
    await cache.get(("a", 1))

    assert len(cache) == 0
    assert ("a", 1) not in cache


async def test_the_cache_is_bounded_and_spares_what_is_used(cache: Answers, watch: Watch) -> None:
    """Four fit; what was used lately outlives what was not."""
    for number in range(4):
        await cache.get(("a", number))
    cache.prune()
    assert cache.peek(("a", 0)) is not None
    for number in range(4, 7):
        await cache.get(("b", number))

    assert len(cache) == 4
    assert cache.peek(("a", 0)) is not None
    assert watch.sizes()["account"] == 2


async def test_what_nobody_uses_is_forgotten_and_no_longer_watched(
    cache: Answers, watch: Watch
) -> None:
    """After two prunings without use, memory and watch are empty."""
    await cache.get(("a", 1))
    cache.prune()
    assert len(cache) == 1
    cache.prune()

    assert len(cache) == 0
    assert watch.sizes() == {"account": 0, "scope": 0}
