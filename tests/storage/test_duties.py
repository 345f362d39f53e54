"""Duties: one node at a time, the next when that one is silent or leaves."""

from __future__ import annotations

import asyncio

from storage.duties import Duties
from storage.pool import Pool


async def test_one_node_has_it_until_it_is_silent_or_leaves(pool: Pool) -> None:
    """Whoever has it may take it again; others get it when its time is over, or it left."""
    one, two = Duties(pool, "one"), Duties(pool, "two")
    assert await one.take("thin", 60)
    assert not await two.take("thin", 60)
    assert await two.take("clear", 60)
    assert await one.take("thin", 0)
    assert await two.take("thin", 60)
    assert not await one.take("thin", 60)
    await two.leave()
    assert await one.take("thin", 60)
    assert await one.take("clear", 60)


async def test_of_many_who_ask_at_once_one_has_it(pool: Pool) -> None:
    """However they race."""
    nodes = [Duties(pool, f"node {number}") for number in range(8)]
    had = await asyncio.gather(*(node.take("thin", 60) for node in nodes))
    assert sum(had) == 1
