"""A look at an open document counts once all that it showed is committed."""

import pytest

from crdt import wire
from server.glancing import Glance, committed
from tests.inside import Guest, Inside
from tests.patience import PATIENCE_S, until
from tests.server.adapters.heaps.conftest import ada, inside, serve
from tests.server.test_projecting import pushed

__all__ = ["ada", "inside", "serve"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_what_is_committed_counts_at_once(inside: Inside, ada: Guest) -> None:
    """Nobody waits for a document at rest."""
    _, block, record = await pushed(inside, ada, "a")
    await ada.open(f"{ada.workspace}:{block}")
    live = inside.documents.room(record)
    await until(lambda: live.is_live and not live.room.uncommitted)

    glance = Glance(live)
    glance.begin(inside.documents.turns.clock)

    assert (glance.is_over, glance.sequence) == (True, 1)


async def test_what_is_on_its_way_counts_with_its_row_or_not_at_all(
    inside: Inside, ada: Guest
) -> None:
    """While the store holds a row up a look times out; another one is over with that row."""
    _, block, record = await pushed(inside, ada, "a")
    editor = await ada.open(f"{ada.workspace}:{block}")
    live = inside.documents.room(record)
    clock = inside.documents.turns.clock
    async with inside.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM heads WHERE document = $1 FOR UPDATE", record.id)
        await editor.send(wire.update(editor.replica.insert("b")))
        await until(lambda: live.room.uncommitted > 0)
        hasty, patient = Glance(live), Glance(live)
        hasty.begin(clock)
        await committed([hasty], 0.01)
        seen_in_time = hasty.sequence
        patient.begin(clock)
        seen_early = patient.is_over
    await committed([patient], PATIENCE_S)

    assert (seen_in_time, seen_early, patient.sequence) == (-1, False, 2)
    assert not live.callers
