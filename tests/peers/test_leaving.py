"""People who leave in the middle of something: nobody else may notice."""

import asyncio

import pytest

from scripts._load.client import Client
from scripts._load.dialect import HOCUSPOCUS, Y_WEBSOCKET, Target
from scripts._load.ledger import Typist, update_bodies
from scripts._load.probe import Probe
from scripts._load.scenarios import Stage
from scripts._load.typing_work import typing
from tests.patience import until
from tests.peers.home import Home

LEAVERS = 60
UPDATES_EACH = 5


@pytest.mark.parametrize("dialect", [Y_WEBSOCKET, HOCUSPOCUS])
async def test_who_leaves_while_being_acknowledged_takes_nobody_along(
    home: Home, dialect: str
) -> None:
    """Sixty others write and hang up at once; every update of the one who stays is confirmed."""
    stage = Stage(Target(url=home.url, dialect=dialect, token=home.token), Probe(0))
    base, work = typing(1, LEAVERS * UPDATES_EACH)
    room = stage.room("stays")
    author, reader = await stage.found([room, room], base)
    author.slot, author.watches = 0, True
    typist = Typist(author, 0, update_bodies(stage.ledger, 0, work[0]))
    room.typists.append(typist)
    before = author.acknowledgements
    for number in range(LEAVERS):
        leaver = Client(stage.target, stage.room(f"left-{number}"), stage.ledger)
        await leaver.join()
        leaver.write(base)
        await asyncio.sleep(0.0005 * (number % 6))  # somewhere between writing and commit
        leaver.abort()
        for _ in range(UPDATES_EACH):
            typist.type_one()

    def confirmed() -> int:
        # Hocuspocus says so; y-websocket gets its own update back after the commit.
        return author.acknowledgements - before if dialect == HOCUSPOCUS else author.echoes

    await until(lambda: confirmed() >= typist.next and reader.deliveries >= typist.next)
    await stage.leave([author, reader])
    assert (confirmed(), reader.deliveries) == (typist.next, typist.next)
