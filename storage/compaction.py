"""Compaction: a snapshot takes the place of a log's rows for loading, in one transaction.

It moves the load boundary and deletes nothing: `storage.history` thins old rows later. The work on
the document's state is done where `run` does it; the server has a helper process do all of this
(`storage.apart`). The head is held for the last statement and the commit only. A crash at any point
leaves the old boundary or the new one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias, TypeVar
from uuid import UUID

import msgspec

from storage import loading, quarantine
from storage.errors import LogBroken, reaching
from storage.loading import Loaded
from storage.pool import Pool, transaction
from storage.squeezing import Squeezed, squeeze

PIECE_BYTES: Final = 4 << 20
"""A longer tail is worked off in pieces, so that no process ever holds all of it."""

T = TypeVar("T")
Run: TypeAlias = Callable[..., Awaitable[Any]]
"""`await run(function, *arguments)`: the function's result, from wherever it ran."""


async def run_inline(function: Callable[..., T], *arguments: object) -> T:
    """Run here and now; for tests and tools without worker processes."""
    return function(*arguments)


class Compacted(msgspec.Struct, frozen=True, kw_only=True):
    """What a compaction did."""

    sequence: int
    """The new load boundary."""
    rows: int
    """Rows that no load reads any more."""
    tail_bytes: int
    """Their bytes."""
    snapshot_bytes: int
    """Bytes of the snapshot as stored."""
    pending: int
    """Rows below the boundary that are loaded all the same, because they wait."""
    quarantined: int
    is_whole: bool
    """Whether the tail was worked off, or a piece of it and there is more to do."""

    def and_then(self, more: Compacted) -> Compacted:
        """This piece and the next one as one."""
        return msgspec.structs.replace(
            more,
            rows=self.rows + more.rows,
            tail_bytes=self.tail_bytes + more.tail_bytes,
            quarantined=self.quarantined + more.quarantined,
        )


_SNAPSHOT = """
INSERT INTO snapshots (document, lineage, sequence, encoding, data, state_vector, delete_only,
                       thin_due_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, now() + make_interval(secs => $8))
ON CONFLICT (document) DO UPDATE SET lineage = excluded.lineage, sequence = excluded.sequence,
    encoding = excluded.encoding, data = excluded.data, state_vector = excluded.state_vector,
    delete_only = excluded.delete_only, at = now(),
    thin_due_at = least(snapshots.thin_due_at, excluded.thin_due_at)
    WHERE snapshots.sequence = $9
RETURNING sequence
"""
# Two statements, so that neither looks at all the rows of a long log.
_WAITS_NO_MORE = """
UPDATE updates SET pending = false WHERE document = $1 AND pending AND sequence <> ALL ($2)
"""
_WAITS = "UPDATE updates SET pending = true WHERE document = $1 AND sequence = ANY ($2)"
_MOVE = """
UPDATE heads SET snapshot_sequence = $3, snapshot_bytes = $4, log_bytes = log_bytes - $5
WHERE document = $1 AND lineage = $2 AND snapshot_sequence = $6
RETURNING head
"""


class _Overtaken(Exception):
    """Another process compacted or rebuilt the document first; rolls the transaction back."""


class Compactor:
    """Compacts one document at a time, whoever asks."""

    def __init__(
        self,
        pool: Pool,
        run: Run = run_inline,
        *,
        keep_all_s: float = 86_400.0,
        piece_bytes: int = PIECE_BYTES,
    ) -> None:
        """`keep_all_s`: how long every row is kept before history may be thinned."""
        self._pool = pool
        self._run = run
        self._keep_all_s = keep_all_s
        self._piece_bytes = piece_bytes

    async def compact(self, document: UUID) -> Compacted | None:
        """Move the load boundary up to the present head, or by a piece; None: nothing to do.

        None also when another process compacted or rebuilt the document meanwhile. Raises
        LogBroken (also when the new snapshot is not proven), Unavailable, UnknownDocument, and what
        `run` raises; then nothing changed.
        """
        loaded = await loading.load_piece(self._pool, document, self._piece_bytes)
        if loaded.tail_rows == 0 or loaded.deleted:
            return None
        rows = [(row.sequence, row.data) for row in loaded.rows]
        squeezed: Squeezed | str = await self._run(squeeze, loaded.snapshot, rows)
        if isinstance(squeezed, str):
            raise LogBroken(document, squeezed)
        if not await self._swap(document, loaded, squeezed):
            return None
        return Compacted(
            sequence=loaded.head,
            rows=loaded.tail_rows,
            tail_bytes=loaded.tail_bytes,
            snapshot_bytes=len(squeezed.data),
            pending=len(squeezed.pending),
            quarantined=len(squeezed.bad),
            is_whole=loaded.is_whole,
        )

    async def _swap(self, document: UUID, loaded: Loaded, squeezed: Squeezed) -> bool:
        """Everything in one transaction; the head comes last and is held shortly."""
        boundary = loaded.head
        try:
            with reaching():
                async with transaction(self._pool) as connection:
                    written = await connection.fetchval(
                        _SNAPSHOT,
                        document,
                        loaded.lineage,
                        boundary,
                        squeezed.encoding,
                        squeezed.data,
                        squeezed.state_vector,
                        squeezed.delete_only,
                        self._keep_all_s,
                        loaded.snapshot_sequence,
                    )
                    for sequence, reason in squeezed.bad:
                        await quarantine.set_row_aside(connection, document, sequence, reason)
                    await connection.execute(_WAITS_NO_MORE, document, squeezed.pending)
                    if squeezed.pending:
                        await connection.execute(_WAITS, document, squeezed.pending)
                    moved = await connection.fetchval(
                        _MOVE,
                        document,
                        loaded.lineage,
                        boundary,
                        squeezed.plain_bytes,
                        loaded.tail_bytes,
                        loaded.snapshot_sequence,
                    )
                    if written is None or moved is None:
                        raise _Overtaken  # noqa: TRY301 - this is what rolls back
        except _Overtaken:
            return False
        return True


async def compact(pool: Pool, document: UUID, keep_all_s: float) -> Compacted | None:
    """`Compactor.compact`, for a helper process (`storage.apart`)."""
    return await Compactor(pool, keep_all_s=keep_all_s).compact(document)
