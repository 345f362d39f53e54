"""POST /api/sync/pull: what a device is missing, or that there is nothing to be had any more."""

from __future__ import annotations

from collections.abc import Sequence

from crdt.document import EMPTY_UPDATE
from server.adapters.heaps import mapping_sync as mapping
from server.adapters.heaps import schema_sync as schema
from server.adapters.heaps.syncing import Steps, decide, sent_of, word_of
from server.adapters.heaps.work import Work
from server.asked import Reading, Unread
from storage.blocks import Block


class Pulling(Steps):
    """One pull of one caller."""

    async def pull(self, raws: Sequence[mapping.Block]) -> schema.Pulled:
        """What each block's reader is missing. Raises Unavailable."""
        work = await self.read(raws, mapping.read_pull)
        await self.find(work)
        await self._refresh(work)
        for one in work:
            _judge(one)
        marker = await self.marker(work)
        await self.answer([one for one in work if not one.status], _versions_differ)
        return schema.Pulled(success=True, results=[_told(one) for one in work], server_time=marker)

    async def _refresh(self, work: Sequence[Work]) -> None:
        """See that what is known of the blocks (whether they are in the trash) is of now."""
        changed = {
            one.block.record.scope
            for one in work
            if one.block is not None and not one.block.is_fresh and not one.block.record.deleted
        }
        for scope in changed:
            await self.feed.settle(scope)
        if changed:
            await self.find(work)


def _judge(one: Work) -> None:
    """Decide for what is not to be read."""
    if one.sent is None:
        return
    if one.block is None:
        decide(one, "not_found")
    elif one.block.record.deleted:
        decide(one, "deleted")


def _versions_differ(one: Work) -> bool:
    assert one.sent is not None
    assert one.block is not None
    return mapping.wants_whole(one.sent, one.block.record.sync_version)


def _told(one: Work) -> schema.PullResult:
    reading = one.reading
    if isinstance(reading, Unread):
        decide(one, reading.reason)
    status, error = one.status, one.error
    result = schema.PullResult(
        block_id=one.said_id,
        success=not status or status == "deleted",
        status=status,
        error=error or word_of(status) if status else error,
    )
    if one.block is not None:
        _describe(result, one.block)
    if isinstance(reading, Reading):
        _add(result, reading, one)
    return result


def _add(result: schema.PullResult, reading: Reading, one: Work) -> None:
    """The content: all of it for who has to start anew, else the difference."""
    result.state_vector = reading.state_vector
    result.sync_version = reading.sync_version
    if one.whole or (reading.is_whole and sent_of(one).state_vector):
        result.status, result.full_state = "full_state", reading.update
    else:
        result.status = "updated" if reading.update != EMPTY_UPDATE else "unchanged"
        result.update = reading.update


def _describe(result: schema.PullResult, block: Block) -> None:
    """What is said of a block beside its content: the deletion marker above all."""
    record, known = block.record, block.known
    result.workspace_id = record.scope
    result.sync_version = record.sync_version
    if record.deleted_at is None and (known is None or not known.is_marked):
        return
    at = None if known is None else known.removed_at or known.trashed_at
    if record.deleted_at is not None:
        result.deleted = result.permanently_deleted = True
        at = at or mapping.milliseconds(record.deleted_at)
    else:
        result.deleted = True
        result.permanently_deleted = known is not None and known.removed_at is not None
    result.deleted_at = at
