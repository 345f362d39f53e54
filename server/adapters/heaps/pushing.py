"""POST /api/sync/push: apply what a device made, and tell it what it is missing of those blocks."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from auth.errors import Forbidden
from auth.principal import Principal, Role
from crdt import structure
from crdt.document import EMPTY_UPDATE
from crdt.errors import UpdateError
from server.adapters.heaps import mapping_sync as mapping
from server.adapters.heaps import schema_sync as schema
from server.adapters.heaps.syncing import Steps, block_of, decide, sent_of, word_of
from server.adapters.heaps.work import Work
from server.asked import Offer, Reading
from server.batches import BATCHES


class Pushing(Steps):
    """One push of one caller."""

    def __init__(self, app: web.Application, principal: Principal) -> None:
        super().__init__(app, principal)
        self._batches = app[BATCHES]

    async def push(self, raws: Sequence[mapping.Block]) -> schema.Pushed:
        """What became of each block. Raises Unavailable or Busy when nothing was written."""
        work = await self.read(raws, mapping.read_push)
        await self._inspect(work)
        await self.find(work, to_write=True)
        for one in work:
            _judge(one)
        await self._create([one for one in work if not one.status and one.block is None])
        marker = await self.marker(work)
        await self._apply([one for one in work if not one.status and sent_of(one).update])
        await self.answer([one for one in work if one.status in {"", "stale"}], _is_stale)
        return schema.Pushed(success=True, results=[_told(one) for one in work], server_time=marker)

    async def _inspect(self, work: Sequence[Work]) -> None:
        """Check costly updates in a helper process."""
        for one in work:
            if one.sent is not None and structure.is_costly(one.sent.update):
                try:
                    await self.documents.inspect(one.sent.update)
                except UpdateError as error:
                    decide(one, "invalid", mapping.word_of(error))

    async def _create(self, work: Sequence[Work]) -> None:
        made = await self.blocks.create(self.principal, [sent_of(one).name for one in work])
        seen = set()
        for one, what in zip(work, made, strict=True):
            one.block, one.role = what.block, what.role
            _judge(one)
            if one.block is None:
                decide(one, "not_found")
            elif not one.status and one.block.head == 0:
                # Of several that name the same new block the first has made it.
                one.is_new = one.block.record.id not in seen
                seen.add(one.block.record.id)

    async def _apply(self, work: Sequence[Work]) -> None:
        outcomes = await self._batches.push(
            [Offer(block_of(one), sent_of(one).update) for one in work],
            account=self.principal.account,
            device=self.principal.device,
        )
        for one, outcome in zip(work, outcomes, strict=True):
            one.outcome = outcome
            if outcome.error is not None:
                decide(one, *_refusal(outcome.error))


def _judge(one: Work) -> None:
    """Decide for what is not to be written to."""
    if one.sent is None:
        return
    if one.role < Role.EDITOR:
        decide(one, "not_found")
        one.block = None
    elif one.block is not None and one.block.record.deleted:
        decide(one, "deleted")
    elif one.block is not None and mapping.is_stale(one.sent, one.block.record.sync_version):
        decide(one, "stale")


def _is_stale(one: Work) -> bool:
    return one.status == "stale"


def _refusal(error: Exception) -> tuple[str, str]:
    """Status and word for a push that the document did not take."""
    if isinstance(error, Forbidden):
        return ("stale", "lineage") if error.reason == "lineage" else ("deleted", "deleted")
    if isinstance(error, UpdateError):
        if error.reason == "lineage":
            return "stale", "lineage"
        return "invalid", mapping.word_of(error)
    return "unavailable", "unavailable"


def _told(one: Work) -> schema.PushResult:
    status = one.status
    if not status:
        is_news = one.outcome is not None and one.outcome.changed
        status = "created" if one.is_new else "updated" if is_news else "unchanged"
    result = schema.PushResult(
        block_id=one.said_id,
        success=status in {"created", "updated", "unchanged"},
        status=status,
        error=one.error or word_of(status),
    )
    if one.block is not None:
        result.workspace_id = one.block.record.scope
        result.sync_version = one.block.record.sync_version
    if isinstance(one.reading, Reading):
        result.state_vector = one.reading.state_vector
        result.sync_version = one.reading.sync_version
        if status == "stale":
            result.full_state = one.reading.update
        elif one.reading.update != EMPTY_UPDATE:
            result.update = one.reading.update
    return result
