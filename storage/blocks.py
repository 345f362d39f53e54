"""Blocks by the hundred: found, made and looked up in a few statements, whatever their number.

What REST lists and answers about blocks comes from the table `blocks`, which the change feed keeps
up (`storage.settling`). A row there may be behind its document's head; `Block.is_fresh` says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import asyncpg
import msgspec

from crdt.ids import is_global_id
from storage.documents import DocumentRecord, global_form, make_id
from storage.errors import LogBroken, UnknownDocument, reaching
from storage.loading import Loaded, load_many
from storage.pool import Pool


class Name(msgspec.Struct, frozen=True, gc=False):
    """How a caller names a block: a global id wherever it is, or a name in a scope."""

    scope: str | None
    """For a global id only said, not searched."""
    name: str

    @property
    def is_global(self) -> bool:
        """Whether the name means one document in all scopes."""
        return is_global_id(self.name)


class Block(msgspec.Struct, frozen=True, gc=False):
    """A document, its head, and what is known of it without opening it."""

    record: DocumentRecord
    head: int
    size: int
    """Stored bytes, from above."""
    marker: int
    """The latest stamp of its scope when it was looked up."""
    known: Known | None

    @property
    def is_fresh(self) -> bool:
        """Whether what is known was read from the latest committed row."""
        known = self.known
        return (
            known is not None
            and known.sequence == self.head
            and known.lineage == self.record.lineage
        )


class Known(msgspec.Struct, frozen=True, gc=False):
    """A row of `blocks`."""

    sequence: int
    lineage: int
    title: str
    trashed_at: int | None
    removed_at: int | None
    state_vector: bytes | None
    delete_only: bytes | None

    @property
    def is_marked(self) -> bool:
        """Whether the block says that it is in the trash or deleted for good."""
        return self.trashed_at is not None or self.removed_at is not None


_RECORD = DocumentRecord.__struct_fields__
_KNOWN = Known.__struct_fields__
_COLUMNS = ", ".join(
    [
        *(f"d.{name}" for name in _RECORD),
        "h.head",
        "h.log_bytes + h.snapshot_bytes AS size",
        "s.last_stamp",
        *(f"b.{name} AS known_{name}" for name in _KNOWN),
    ]
)
_RECORD_END = len(_RECORD)
_KNOWN_START = _RECORD_END + 3
# By key, whatever the statistics say (`storage.settling`).
_REST = """
CROSS JOIN LATERAL (SELECT * FROM heads WHERE document = d.id OFFSET 0) h
CROSS JOIN LATERAL (SELECT last_stamp FROM scopes WHERE id = d.scope OFFSET 0) s
LEFT JOIN LATERAL (SELECT * FROM blocks WHERE document = d.id OFFSET 0) b ON true
"""
BY_GLOBAL_ID = f"""
SELECT {_COLUMNS} FROM (SELECT DISTINCT unnest($1::text[]) AS global_id) w
CROSS JOIN LATERAL (SELECT * FROM documents WHERE global_id = w.global_id OFFSET 0) d {_REST}
"""  # noqa: S608  (names of columns only)
_BY_DOCUMENT = f"""
SELECT {_COLUMNS} FROM (SELECT DISTINCT unnest($1::uuid[]) AS id) w
CROSS JOIN LATERAL (SELECT * FROM documents WHERE id = w.id OFFSET 0) d {_REST}
"""  # noqa: S608  (names of columns only)
_BY_NAME = f"""
SELECT {_COLUMNS} FROM unnest($1::text[], $2::text[]) AS w (scope, name)
CROSS JOIN LATERAL (
    SELECT * FROM documents WHERE scope = w.scope AND name = w.name AND purged_at IS NULL OFFSET 0
) d {_REST}
"""  # noqa: S608  (names of columns only)
# Sorted, so that two who create the same names never wait for one another in a circle.
_CREATE = """
WITH made AS (
    INSERT INTO documents (id, scope, kind, name, global_id, owner)
    SELECT id, scope, 'block', name, global_id, $5
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) AS w (id, scope, name, global_id)
    ORDER BY global_id, scope, name
    ON CONFLICT DO NOTHING RETURNING id, scope
)
INSERT INTO heads (document, scope) SELECT id, scope FROM made
"""


class Blocks:
    """Many blocks at once. Every method may raise Unavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, names: Sequence[Name]) -> list[Block | None]:
        """The block of each name, in their order; also those in the trash or purged by their id."""
        ids = [global_form(n.name) if is_global_id(n.name) else None for n in names]
        by_id = set(ids)
        plain = set()
        if None in by_id:
            by_id.discard(None)
            plain = {
                n for n, id_ in zip(names, ids, strict=True) if id_ is None and n.scope is not None
            }
        found: dict[Name | str | None, Block] = {}
        with reaching():
            if by_id:
                for row in await self._pool.fetch(BY_GLOBAL_ID, list(by_id)):
                    block = _block(row)
                    found[block.record.global_id] = block
            if plain:
                scopes, texts = zip(*[(name.scope, name.name) for name in plain], strict=True)
                for row in await self._pool.fetch(_BY_NAME, scopes, texts):
                    block = _block(row)
                    found[Name(block.record.scope, block.record.name)] = block
        if not plain:
            return list(map(found.get, ids))
        return [found.get(id_ or name) for name, id_ in zip(names, ids, strict=True)]

    async def create(self, names: Sequence[Name], owner: str) -> None:
        """Make a block of each name that is not taken; whoever races, each is made once.

        Every name has its scope. Those that are taken, there or elsewhere, stay as they are.
        """
        if not names:
            return
        unique = list(dict.fromkeys(_key(name) for name in names))
        spelled = {_key(name): name for name in reversed(names)}
        wanted = [spelled[key] for key in unique]
        with reaching():
            await self._pool.execute(
                _CREATE,
                [make_id() for _ in wanted],
                [name.scope for name in wanted],
                [name.name for name in wanted],
                [global_form(name.name) if name.is_global else None for name in wanted],
                owner,
            )

    async def load(
        self, documents: Sequence[UUID]
    ) -> dict[UUID, Loaded | LogBroken | UnknownDocument]:
        """Many whole documents; one that cannot be read is answered as its error.

        The caller sees to it that all of them together are not too large.
        """
        return await load_many(self._pool, documents)

    async def look_up(self, documents: Sequence[UUID]) -> dict[UUID, Block]:
        """Blocks by the ids of their documents."""
        with reaching():
            rows = await self._pool.fetch(_BY_DOCUMENT, list(documents))
        return {row["id"]: _block(row) for row in rows}


def _key(name: Name) -> Name:
    """What makes two names the same block."""
    return Name(None, global_form(name.name)) if name.is_global else name


def _block(row: asyncpg.Record) -> Block:
    """A row as a block; by position, because a push looks at a thousand of them."""
    known = None if row[_KNOWN_START] is None else Known(*row[_KNOWN_START:])
    head, size, marker = row[_RECORD_END:_KNOWN_START]
    return Block(DocumentRecord(*row[:_RECORD_END]), head, size, marker, known)
