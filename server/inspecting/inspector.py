"""Gathers what is known of a document: in this process, in the store, and what it costs."""

from __future__ import annotations

import asyncio
import os
import platform
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

import msgspec
from aiohttp import web

from crdt.document import Document, decode_state_vector
from crdt.errors import CrdtError, DocumentBroken
from crdt.projection import project
from server.inspecting import schema
from server.workers import WorkerDied
from storage.errors import LogBroken
from storage.inspection import Head, Inspection

if TYPE_CHECKING:
    from server.documents import Documents
    from server.live import LiveRoom
    from server.member import Member
    from storage.closures import Closure
    from storage.compaction import Compacted
    from storage.documents import DocumentRecord
    from storage.pool import Pool

NODE: Final = f"{platform.node()}:{os.getpid()}"
"""This process, as an operator of several tells it apart."""
SHOWN_MAX: Final = 1000
"""Clients and presence states of one document that a reply holds."""


class Inspector:
    """Looks at the documents of this process and at the store behind it."""

    def __init__(self, documents: Documents, pool: Pool) -> None:
        self.documents = documents
        self._store = Inspection(pool)

    # -- many ---------------------------------------------------------------------------

    def listed(self, query: schema.Page) -> tuple[int, list[schema.Open]]:
        """The documents in memory, as many as were asked for, and how many there are."""
        rooms = list(self.documents.rooms())
        rooms.sort(key=lambda live: -_weight(live, query.sort))
        return len(rooms), [self.shown(live) for live in rooms[: query.limit]]

    def shown(self, live: LiveRoom) -> schema.Open:
        """One document in memory."""
        record, room = live.record, live.room
        breaker = self.documents.breaker
        return schema.Open(
            id=str(record.id),
            name=record.name,
            workspace=record.scope,
            kind=record.kind,
            phase=room.phase.name.lower(),
            sessions=len(room.sessions),
            unsaved_bytes=live.unsaved_bytes,
            pending=_pending(live),
            tail_rows=live.tail_rows,
            cost=schema.Cost(
                spent_s=round(live.spent_s, 6),
                slow_turns=live.slow_turns,
                level=round(breaker.level(record.id), 4),
            ),
            closed=closed_for(breaker.closure(record.id)),
        )

    # -- one ----------------------------------------------------------------------------

    async def inspect(self, record: DocumentRecord, tail: int) -> schema.Inspected:
        """All that is known of a document. Raises Unavailable."""
        sizes, head, rows, aside = await asyncio.gather(
            self.documents.store.sizes(record.id),
            self._store.head(record.id),
            self._store.tail(record.id, tail),
            self._store.aside(record.id, tail),
        )
        assert head is not None
        live = self.documents.peek(record.id)
        content, problem = await self._content(record, live)
        vector, pending, encoded, visible = content or (None, [], None, None)
        return schema.Inspected(
            id=str(record.id),
            name=record.name,
            workspace=record.scope,
            kind=record.kind,
            owner=record.owner,
            created_at=record.created_at.isoformat(),
            deleted_at=_iso(record.deleted_at),
            purged_at=_iso(record.purged_at),
            sizes=schema.DocumentSizes(
                encoded=encoded,
                visible=visible,
                **{n: getattr(sizes, n) for n in sizes.__struct_fields__},
            ),
            log=_log(record, head),
            log_tail=[msgspec.convert(_told(row), schema.Row) for row in rows],
            state_vector=None if vector is None else _vector(vector, live, tail),
            pending=None if content is None else _waiting(pending, head.pending),
            quarantine=[msgspec.convert(_told(row), schema.Quarantined) for row in aside],
            open=None if live is None else self.shown(live),
            clients=[] if live is None else self._clients(live),
            awareness=[] if live is None else _awareness(live),
            closed=closed_for(self.documents.breaker.closure(record.id)),
            problem=problem,
        )

    async def _content(
        self, record: DocumentRecord, live: LiveRoom | None
    ) -> tuple[tuple[bytes, list[int], int, int] | None, str | None]:
        """State vector, sizes of what waits and of the whole; or why the document cannot be read.

        What is not open is read in a helper process: it may be the very document that costs too
        much.
        """
        try:
            if live is not None and live.is_live:
                document, run = live.room.document, self.documents.workers.in_background
                waiting, encoded = [len(update) for update in document.pending()], document.encode()
                visible = await run(_visible_in, encoded)
                return (document.state_vector(), waiting, len(encoded), visible), None
            return (await self.documents.workers.over(record.id, _content_of))[0], None
        except (LogBroken, WorkerDied, CrdtError) as error:
            return None, str(error)

    def _clients(self, live: LiveRoom) -> list[schema.Client]:
        now = self.documents.turns.clock()
        members = [*live.members(), *(live.callers or ())][:SHOWN_MAX]
        return [_client(member, now) for member in members]

    async def compact(self, document: UUID) -> Compacted | None:
        """Make a snapshot now. Raises LogBroken, Unavailable, Busy; then the last piece stands."""
        keep_all_s = self.documents.settings.history_full_s
        done = await self.documents.workers.compact(document, keep_all_s)
        while done is not None and not done.is_whole:
            more = await self.documents.workers.compact(document, keep_all_s)
            if more is None:
                break
            done = done.and_then(more)
        return done


INSPECTOR = web.AppKey("inspector", Inspector)


def closed_for(closure: Closure | None) -> schema.ClosedFor | None:
    """A closure as the routes tell it."""
    if closure is None:
        return None
    return schema.ClosedFor(
        author=closure.author,
        reason=closure.reason,
        times=closure.times,
        closed_at=_at(closure.closed_at),
        until=None if closure.until is None else _at(closure.until),
    )


def _content_of(rows: list[bytes]) -> tuple[bytes, list[int], int, int]:
    """In a helper process: what is told of a document that is not open."""
    document = Document.rebuild(rows)
    waiting = [len(update) for update in document.pending()]
    return document.state_vector(), waiting, len(document.encode()), _visible(document)


def _visible_in(encoded: bytes) -> int:
    """In a helper process: the same of one that is open, without holding up who is in it."""
    return _visible(Document.rebuild([encoded]))


def _visible(document: Document) -> int:
    seen = project(document)
    return len(seen.title.encode()) + len(seen.text.encode())


def _weight(live: LiveRoom, sort: str) -> float:
    if sort == "cost":
        return live.spent_s
    if sort == "sessions":
        return len(live.room.sessions)
    return live.unsaved_bytes if sort == "unsaved" else _pending(live)


def _pending(live: LiveRoom) -> int:
    try:
        return len(live.room.document.pending()) if live.is_live else 0
    except DocumentBroken:
        return 0  # It is read again at its next turn.


def _log(record: DocumentRecord, head: Head) -> schema.Log:
    return schema.Log(
        head=head.head,
        snapshot_sequence=head.snapshot_sequence,
        snapshot_at=_iso(head.snapshot_at),
        lineage=record.lineage,
        sync_version=record.sync_version,
        merged_stretches=head.versions,
        is_settled=not head.dirty,
    )


def _waiting(sizes: list[int], below: int) -> schema.Pending:
    return schema.Pending(count=len(sizes), bytes=sum(sizes), below_snapshot=below)


def _vector(encoded: bytes, live: LiveRoom | None, most: int) -> schema.StateVector:
    clocks = sorted(decode_state_vector(encoded).items(), key=lambda pair: -pair[1])
    return schema.StateVector(
        of="memory" if live is not None and live.is_live else "store",
        clients=len(clocks),
        clocks=[schema.Clock(client=client, clock=clock) for client, clock in clocks[:most]],
    )


def _client(member: Member, now: float) -> schema.Client:
    connection = getattr(member, "connection", None)  # A REST request has none.
    return schema.Client(
        dialect=getattr(connection, "dialect", "rest"),
        account=member.account,
        device=member.device,
        address=getattr(connection, "remote", None),
        can_write=member.can_write,
        connected_s=None if connection is None else round(now - connection.opened_at, 3),
        is_behind=member.behind is not None,
        waiting_bytes=0 if member.outbox is None else member.outbox.depth,
    )


def _awareness(live: LiveRoom) -> list[schema.Awareness]:
    states = live.room.cursors.entries()[:SHOWN_MAX]
    return [
        schema.Awareness(client=each.client, clock=each.clock, state=msgspec.Raw(each.state))
        for each in states
    ]


def _told(row: msgspec.Struct) -> dict[str, object]:
    """The fields of a row of the store, its time as text."""
    told = msgspec.structs.asdict(row)
    at = told["at"]
    assert isinstance(at, datetime)
    return told | {"at": at.isoformat()}


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _at(epoch_s: float) -> str:
    return datetime.fromtimestamp(epoch_s, UTC).isoformat(timespec="milliseconds")
