"""Ours beside the bare handlers, for `rest.py`: both asked in turn, by the same device.

Blocks, bodies and markers are the same for both, and so is the database. Of each row the cheapest
turn of either is compared, and the median of what the turns say one by one.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from scripts.bench.rest_device import Note, notes

if TYPE_CHECKING:
    from scripts.bench.rest import Bench

Figures = dict[str, float]
Send = Callable[[], Awaitable[Any]]

TURNS = 6
"""How often the servers that are compared take turns: what else a machine does comes in waves."""
MATCHES = 20
"""Changed blocks behind the marker of a small delta."""
PUSH = "push 100"
PULL = "pull 1000 unchanged"
DELTA = f"delta, {MATCHES} matches"
ROWS = ((PUSH, "bare"), (PUSH, "bare, knowing"), (PULL, "bare"), (DELTA, "bare"))
"""What is compared with which handler."""


def both(figures: Figures) -> float:
    """CPU of server and PostgreSQL while requests were answered."""
    return figures["server_us"] + figures["postgres_us"]


class Beside:
    """A push of 100, a pull of 1,000 and a small delta, by ours and by the bare handlers in turn.

    Ours asks nothing about blocks that it has open: so a bare handler that remembers what it found
    pushes, too.
    """

    def __init__(self, ours: Bench, bare: Bench, engine: str) -> None:
        self._ours, self._bare, self._engine = ours, bare, engine

    async def run(self) -> None:
        """All turns, and the ratios."""
        for _ in range(TURNS):
            await self._push_and_pull()
            await self._delta()
        for row, peer in ROWS:
            self._say_ratio(row, peer)

    async def _push_and_pull(self) -> None:
        # Rows that another writes are news to a server: each has blocks of its own. And new ones
        # each turn, as pycrdt counts the whole of a text again for each update.
        for bench, name in ((self._ours, self._engine), (self._bare, "bare")):
            pushed, pulled = await self._new(100), await self._new(1000)
            await self._ours.device.delta(0)
            sent = requests(bench, "push", pushed, itertools.count(1))
            await bench.turn(f"{PUSH}, {name}", sent, 100)
            asked = requests(bench, "pull", pulled, itertools.repeat(1))
            await bench.turn(f"{PULL}, {name}", asked, 1000)
        known = requests(self._bare, "push_known", await self._new(100), itertools.count(1))
        await self._bare.turn(f"{PUSH}, bare, knowing", known, 100)

    async def _new(self, count: int) -> list[Note]:
        """Blocks that ours made."""
        mine = notes(count)
        await self._ours.device.post("push", self._ours.device.push_body(mine, 0))
        return mine

    async def _delta(self) -> None:
        # Once ours has told it all, nothing waits for a stamp: both look, and find that.
        pages = await self._ours.device.chain()
        marker = stamps(pages)[-MATCHES - 1]
        told = [await bench.device.delta(marker) for bench in (self._ours, self._bare)]
        assert told[0] == told[1]
        assert len(told[0]["changed_blocks"]) == told[0]["total_changed"] == MATCHES
        for bench, name in ((self._ours, self._engine), (self._bare, "bare")):
            await bench.turn(f"{DELTA}, {name}", small_deltas(bench, marker), 1)

    def _say_ratio(self, row: str, peer: str) -> None:
        mine, theirs = f"{row}, {self._engine}", f"{row}, {peer}"
        turns = zip(self._ours.turns[mine], self._bare.turns[theirs], strict=True)
        ratios = {
            "ratio_of_cpu": round(both(self._ours.rows[mine]) / both(self._bare.rows[theirs]), 2),
            "median_of_turns": round(statistics.median(one / other for one, other in turns), 2),
        }
        self._ours.say(f"{mine} / {peer}", ratios)


async def requests(
    bench: Bench, route: str, mine: list[Note], clock: Iterator[int]
) -> AsyncIterator[Send]:
    """Pushes or pulls of these blocks without end.

    Their bodies are made one by one: what is not sent would be missing in the next.
    """
    make = bench.device.pull_body if route == "pull" else bench.device.push_body
    while True:
        yield partial(bench.device.post, route, make(mine, next(clock)))


async def small_deltas(bench: Bench, marker: int) -> AsyncIterator[Send]:
    """The same small delta without end."""
    while True:
        yield partial(bench.device.delta, marker)


def stamps(pages: list[Any]) -> list[int]:
    """When the blocks of a feed changed, in its order."""
    return [block["updated_at"] for page in pages for block in page["changed_blocks"]]
