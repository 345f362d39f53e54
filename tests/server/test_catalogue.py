"""Content that is deleted for good goes, and a fault at one document does not keep the others."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from auth.errors import Forbidden
from server.catalogue import CATALOGUE
from server.identify import IDENTIFY
from tests.inside import Guest, Inside
from tests.server.adapters.heaps.conftest import ada, inside
from tests.server.adapters.heaps.device import Device, meta

__all__ = ["ada", "inside"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_restorable_since_is_the_setting(inside: Inside) -> None:
    """Counted back from now."""
    since = inside.app[CATALOGUE].restorable_since()
    age_s = (datetime.now(UTC) - since).total_seconds()

    assert abs(age_s - inside.settings.workspace_restore_s) < 5


async def test_clearing_takes_only_what_is_gone_for_good(inside: Inside, ada: Guest) -> None:
    """What is in the trash keeps its content."""
    device = Device(ada)
    gone, trashed = device.write("gone"), device.write("trashed")
    meta(device.blocks[gone], permanentlyDeletedAt=5)
    meta(device.blocks[trashed], deletedAt=5)
    await device.push(gone, trashed)
    await device.changes()

    assert await inside.app[CATALOGUE].clear() == 1
    assert await inside.app[CATALOGUE].clear() == 0
    left = await inside.pool.fetch(
        "SELECT d.name FROM updates u JOIN documents d ON d.id = u.document WHERE d.scope = $1",
        ada.workspace,
    )
    assert {row["name"] for row in left} == {trashed}


async def test_each_block_of_a_batch_has_its_own_outcome(inside: Inside, ada: Guest) -> None:
    """One that cannot be edited does not keep the others in the trash."""
    device = Device(ada)
    blocks = [device.write("a"), device.write("b")]
    for block in blocks:
        meta(device.blocks[block], deletedAt=5)
    await device.push(*blocks)
    records = [await inside.store.by_global_id(block) for block in blocks]
    assert all(records)
    principal = await inside.server.app[IDENTIFY].from_token(ada.token)  # type: ignore[index]
    await inside.store.delete(records[0].id)  # type: ignore[union-attr]
    outcomes = await inside.app[CATALOGUE].take_out(records, principal)  # type: ignore[arg-type]

    assert isinstance(outcomes[0], Forbidden)
    assert outcomes[1] is None
