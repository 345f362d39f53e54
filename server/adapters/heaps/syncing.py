"""What push and pull have in common: the way of each block of a request to its result.

One bad block never fails the others, so each carries its own outcome through the steps. A block
that is foreign, that the caller may not write to, or that never was, is `not_found` alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from aiohttp import web

from auth.principal import Principal
from crdt.bounds import Bounds
from server.adapters.heaps import mapping_sync as mapping
from server.adapters.heaps.mapping_sync import BadBlock
from server.adapters.heaps.work import Sent, Work
from server.asked import Want
from server.blocks import BLOCKS
from server.documents import DOCUMENTS
from server.feed import FEED
from server.pace import Pace
from server.reading import READINGS
from storage.blocks import Block


class Steps:
    """The steps that push and pull share, for one caller."""

    def __init__(self, app: web.Application, principal: Principal) -> None:
        self.principal = principal
        self.blocks = app[BLOCKS]
        self.feed = app[FEED]
        self.documents = app[DOCUMENTS]
        self._readings = app[READINGS]

    async def read(
        self, raws: Sequence[mapping.Block], read: Callable[[mapping.Block, Bounds], Sent]
    ) -> list[Work]:
        """The blocks of a request; those that cannot be read are decided."""
        work = []
        pace = Pace()
        bounds = self.documents.bounds
        for raw in raws:
            if pace.is_over:
                await pace.rest()
            try:
                sent = read(raw, bounds)
                one = Work(sent.said_id, sent)
            except BadBlock as bad:
                one = Work(mapping.block_id_of(raw))
                decide(one, "invalid", bad.error)
            work.append(one)
        return work

    async def find(self, work: Sequence[Work], *, to_write: bool = False) -> None:
        """Find the block of each, and the caller's right to it. Raises Unavailable."""
        good = [one for one in work if one.sent is not None]
        names = [one.sent.name for one in good if one.sent is not None]
        find = self.blocks.find_to_write if to_write else self.blocks.find
        for one, what in zip(good, await find(self.principal, names), strict=True):
            one.block, one.role = what.block, what.role

    async def marker(self, work: Sequence[Work]) -> int:
        """A stamp of before that no later change of these workspaces has. Raises Unavailable."""
        known = [one.block.marker for one in work if one.block is not None]
        if known:
            return min(known)
        own = self.principal.default_workspace or ""
        return (await self.feed.changes.markers([own])).get(own, 0)

    async def answer(self, work: Sequence[Work], whole: Callable[[Work], bool]) -> None:
        """Read what the device is missing, or all of it. Raises Unavailable."""
        wants = []
        for one in work:
            block, sent = one.block, one.sent
            assert block is not None
            assert sent is not None
            one.whole = is_whole = whole(one)
            wants.append(Want(block, sent.state_vector, is_whole, one.outcome is not None))
        most = self.documents.settings.pull_bytes_max
        for one, reading in zip(work, await self._readings.read(wants, most), strict=True):
            one.reading = reading


def decide(one: Work, status: str, error: str | None = None) -> None:
    """This is what becomes of a block; the first word stands."""
    if not one.status:
        one.status, one.error = status, error


def sent_of(one: Work) -> Sent:
    """What the device sent, of a block that could be read."""
    assert one.sent is not None
    return one.sent


def block_of(one: Work) -> Block:
    """The block, where there is one."""
    assert one.block is not None
    return one.block


def word_of(status: str) -> str | None:
    """The error word of a result that has no better one."""
    return status if status in {"not_found", "deleted", "stale", "unavailable", "later"} else None
