"""What a request of many blocks asks of the database."""

from __future__ import annotations

from typing import Any

import pytest

from tests.inside import Guest, Inside
from tests.server.adapters.heaps.conftest import ada, inside
from tests.server.adapters.heaps.device import Device

__all__ = ["ada", "inside"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

BLOCKS = 500


async def transactions(inside: Inside) -> int:
    """Transactions of this database so far."""
    await inside.pool.execute("SELECT pg_stat_force_next_flush()")
    return int(
        await inside.pool.fetchval(
            "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
        )
    )


async def test_a_request_of_many_blocks_is_a_few_transactions(inside: Inside, ada: Guest) -> None:
    """New blocks, more of them, a replay, and a pull of what is known, of what is not, and whole.

    Each of them would be thousands if anything were asked for each block.
    """
    device, other = Device(ada), Device(ada)
    blocks = [device.write("one ") for _ in range(BLOCKS)]
    counts: dict[str, int] = {}

    async def count(name: str, work: Any) -> None:
        before = await transactions(inside)
        await work
        counts[name] = await transactions(inside) - before

    await count("new", device.push(*blocks))
    for block in blocks:
        device.write("two ", block)
    await count("more", device.push(*blocks))
    await count("again", device.push(*blocks))
    await device.changes()
    loads = inside.metrics.loads
    await count("known", device.pull(*blocks))
    for block in blocks:
        record = await inside.store.by_global_id(block)
        assert record is not None
        inside.documents.end(record.id, "restart")
    await count("whole", other.pull(*blocks))

    assert all(number < 60 for number in counts.values()), counts
    assert inside.metrics.loads == loads, "a pull opens no room"
    assert all(other.blocks[block].text == "one two " for block in blocks)
