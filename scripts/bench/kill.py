"""kill -9 while people type: what was acknowledged, or seen by others, and is gone."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import uvloop
from pycrdt import Doc

from scripts._load.client import Client, Reader
from scripts._load.codec import state_vector_clocks
from scripts._load.dialect import HOCUSPOCUS, Target
from scripts._load.ledger import Room, Typist, client_id, update_bodies
from scripts._load.measure import Crew
from scripts._load.probe import Probe
from scripts._load.scenarios import Stage, watch
from scripts._load.typing_work import typing

from .measure import Place
from .servers import Server

DOCUMENTS = 20
RATE = 400.0
SECONDS = 6.0


@dataclass(kw_only=True)
class KillResult:
    """Updates by what was known of them when the server was killed, and what was there after."""

    server: str
    dialect: str
    sent: int = 0
    acknowledged: int = 0
    """By SyncStatus, or by the author's own update coming back after the commit."""
    seen: int = 0
    """By the other client of the document."""
    acknowledged_lost: int = 0
    seen_lost: int = 0
    documents_empty: int = 0
    error: str = ""

    def line(self) -> str:
        """The result on one line."""
        if self.error:
            return f"{self.server} ({self.dialect}): failed: {self.error}"
        return (
            f"{self.server} ({self.dialect}): {self.sent} sent, {self.acknowledged} acknowledged, "
            f"{self.seen} seen; lost: {self.acknowledged_lost} acknowledged, {self.seen_lost} "
            f"seen; {self.documents_empty} of {DOCUMENTS} documents empty"
        )


def kill_while_typing(server: Server, place: Place) -> KillResult:
    """Type into new documents, kill the server in the middle, restart it, look."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(server, place))


async def _run(server: Server, place: Place) -> KillResult:
    target = Target(url=place.url, dialect=place.dialect, token=place.token or "")
    stage = Stage(target, Probe(0))
    base, work = typing(1, int(SECONDS * RATE / DOCUMENTS) + 200, base_characters=200)
    frames = update_bodies(stage.ledger, 0, work[0])
    all_rooms = [stage.room(f"kill-{number}") for number in range(DOCUMENTS)]
    authors = await stage.found(all_rooms, base)
    others = await stage.fill(all_rooms)
    watch(others, len(others))
    acknowledged_before = [author.acknowledgements for author in authors]
    for room, author in zip(all_rooms, authors, strict=True):
        author.slot, author.watches = 0, True
        room.typists.append(Typist(author, 0, frames))
    crew = Crew(stage.probe, authors + others, [room.typists[0] for room in all_rooms])
    await _type(crew)
    server.kill()
    await asyncio.sleep(0.3)
    server.start()
    result = KillResult(server=server.kind.name, dialect=place.dialect, sent=crew.sent())
    for number, room in enumerate(all_rooms):
        if place.dialect == HOCUSPOCUS:
            known = authors[number].acknowledgements - acknowledged_before[number]
        else:
            # Only Plait echoes after the commit; other servers echo before anything is stored.
            known = authors[number].echoed_up_to if server.kind.name == "plait" else 0
        await _look(stage, room, result, min(known, room.typists[0].next), others[number])
    return result


async def _type(crew: Crew) -> None:
    start, sent = time.perf_counter(), 0
    while (passed := time.perf_counter() - start) < SECONDS:
        due = int(passed * RATE)
        for turn in range(sent, due):
            crew.typists[turn % DOCUMENTS].type_one()
        sent = due
        await asyncio.sleep(0.002)


async def _look(
    stage: Stage, room: Room, result: KillResult, acknowledged: int, other: Client
) -> None:
    """Join again and count what is there of what was known."""
    reader = Reader(stage.target, Room(room.name), stage.ledger, needed_bytes=100)
    await reader.join()
    await asyncio.wait([reader.full], timeout=2)
    await asyncio.sleep(0.05)
    document: Doc[Any] = Doc()
    for update in reader.updates:
        document.apply_update(update)
    have = state_vector_clocks(document.get_state()).get(client_id(0), 0)
    await stage.leave([reader])
    seen = other.highest.get(0, 0)
    result.acknowledged += acknowledged
    result.seen += seen
    result.acknowledged_lost += max(0, acknowledged - have)
    result.seen_lost += max(0, seen - have)
    result.documents_empty += have == 0
