"""Noting when tokens were used costs next to nothing, and reaches the database."""

import time

import pytest

from server.uses import Uses
from storage.access_tokens import AccessTokens
from storage.errors import Unavailable
from storage.pool import Pool, close_pool
from tests.server.person import Clock
from tests.storage.people import join
from tests.storage.test_access_tokens import paper


async def used_at(tokens: AccessTokens, account: str) -> float | None:
    """When the account's only token was last used, as stored."""
    (token,) = await tokens.listed(account)
    return token.used_at


async def test_uses_are_written_once_a_minute(pool: Pool, clock: Clock) -> None:
    """The first at once, those of the same minute never."""
    account, _ = await join(pool)
    tokens = AccessTokens(pool)
    token = paper(account.id)
    await tokens.add(token, b"1" * 32, most=1)
    uses = Uses(tokens, clock)
    seen = []
    for seconds in (0, 59, 1):
        clock.now += seconds
        uses.note(token.id)
        await uses.flush()
        seen.append(await used_at(tokens, account.id))
    await uses.close()

    assert seen == [clock.now - 60, clock.now - 60, clock.now]


async def test_a_use_is_written_without_anybody_asking(pool: Pool, clock: Clock) -> None:
    """At the latest when the server ends."""
    account, _ = await join(pool)
    tokens = AccessTokens(pool)
    token = paper(account.id)
    await tokens.add(token, b"1" * 32, most=1)
    uses = Uses(tokens, clock)
    uses.note(token.id)
    await uses.close()

    assert await used_at(tokens, account.id) == clock.now


async def test_what_the_database_did_not_take_is_kept(pool: Pool, clock: Clock) -> None:
    """A flush that fails says so, and its uses are there for the next."""
    uses = Uses(AccessTokens(pool), clock)
    uses._new = {"T": clock.now}
    await close_pool(pool)
    with pytest.raises(Unavailable):
        await uses.flush()

    assert uses._new == {"T": clock.now}


async def test_a_use_that_is_known_costs_under_two_microseconds(pool: Pool) -> None:
    """It is on the way of every request that shows a token."""
    uses = Uses(AccessTokens(pool))
    uses._noted["T"] = time.time()
    best = min(_took(uses) for _ in range(5))

    assert best < 2e-6


def _took(uses: Uses) -> float:
    started = time.perf_counter()
    for _ in range(1000):
        uses.note("T")
    return (time.perf_counter() - started) / 1000
