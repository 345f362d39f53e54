"""The floor of a commit, for `commit_floor.py`: bare asyncpg, one connection, one commit at a time.

Each way puts so many rows of 100 bytes into `updates` in one commit, which is flushed before the
next begins. The appends are Plait's own statements: they count the heads of the documents on, under
their locks, and answer what they gave out. The other ways are told the numbers of their rows, as
nobody is in earnest; "COPY, head counted" learns them first, in the same transaction.
"""

from __future__ import annotations

import itertools
import os
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import asyncpg

from scripts._load.probe import Probe
from storage.append import statements
from storage.link import SESSION

SIZES = (1, 100, 1000)
"""Rows in a commit."""
DOCUMENTS = 5 + max(SIZES)
"""How many a measurement needs."""
WARM = 10
"""Commits before the clock runs: plans are made, pages are there."""
COLUMNS = ("document", "sequence", "at", "writer", "batch", "data", "author", "device")
APPEND = statements(1 << 30, 1 << 40)
_INSERT = f"INSERT INTO updates ({', '.join(COLUMNS)})"
VALUES = f"{_INSERT} VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
UNNEST = f"""
{_INSERT} SELECT $1, n, to_timestamp(at), $2, $3, data, author, device
FROM unnest($4::bigint[], $5::bytea[], $6::text[], $7::text[], $8::float8[])
    AS r (n, data, author, device, at)
"""  # noqa: S608  (names of columns only)
COUNT = """
UPDATE heads SET head = head + $2, log_bytes = log_bytes + $3, dirty = true
WHERE document = $1 AND lineage = 1 AND NOT deleted RETURNING head - $2
"""
HEAD = """
| one after the other | rows in a commit | ms a commit | us a row here | PostgreSQL | sum |
|---|---|---|---|---|---|"""

Way = Callable[[int], Awaitable[object]]


class Cost(NamedTuple):
    """What the commits of one way cost."""

    ms: float
    """From one to the next."""
    here: float
    """Microseconds of CPU for each row."""
    postgres: float


class Ways:
    """All ways to commit rows over one connection; no two write into the same document."""

    def __init__(self, connection: asyncpg.Connection, documents: Sequence[uuid.UUID]) -> None:
        self._connection, self._many = connection, list(documents[5:])
        self._one, self._unnested, self._copied, self._counted, self._executed = documents[:5]
        self._data, self._author = os.urandom(100), "01J8ZQ4T9Y3K8M2N5P7R9S1T3V"
        self._numbers = itertools.count(1)

    def of(self, rows: int) -> dict[str, Way]:
        """Those that are asked for so many rows, by their names."""
        ways = {
            "Plait's append, one document": self._append_to_one,
            "Plait's append, as many documents": self._append_to_many,
            "INSERT from unnest": self._unnest,
            "COPY": self._copy,
            "COPY, head counted": self._copy_counted,
            "executemany": self._executemany,
        }
        return ({"one INSERT: the floor": self._insert} if rows == 1 else {}) | ways

    async def _insert(self, _rows: int) -> None:
        await self._connection.fetch(VALUES, *self._records(self._executed, 1)[0])

    async def _append_to_one(self, rows: int) -> None:
        size = rows * len(self._data)
        answer = await self._connection.fetch(
            APPEND.one, self._one, 1, 1, 1, rows, size, *self._columns(rows)
        )
        assert answer

    async def _append_to_many(self, rows: int) -> None:
        answer = await self._connection.fetch(
            APPEND.each, self._many[:rows], 1, 1, 1, *self._columns(rows)
        )
        assert len(answer) == rows

    async def _unnest(self, rows: int) -> None:
        numbers = [next(self._numbers) for _ in range(rows)]
        columns = self._columns(rows)
        await self._connection.fetch(UNNEST, self._unnested, 1, 1, numbers, *columns)

    async def _copy(self, rows: int) -> None:
        records = self._records(self._copied, rows)
        await self._connection.copy_records_to_table("updates", records=records, columns=COLUMNS)

    async def _copy_counted(self, rows: int) -> None:
        async with self._connection.transaction():
            size = rows * len(self._data)
            first = await self._connection.fetchval(COUNT, self._counted, rows, size)
            records = self._records(self._counted, rows, first + 1)
            await self._connection.copy_records_to_table(
                "updates", records=records, columns=COLUMNS
            )

    async def _executemany(self, rows: int) -> None:
        await self._connection.executemany(VALUES, self._records(self._executed, rows))

    def _columns(self, rows: int) -> tuple[list[bytes], list[str], list[None], list[float]]:
        return [self._data] * rows, [self._author] * rows, [None] * rows, [time.time()] * rows

    def _records(
        self, document: uuid.UUID, rows: int, first: int | None = None
    ) -> list[tuple[object, ...]]:
        numbers = self._numbers if first is None else itertools.count(first)
        at, data, author = datetime.now(UTC), self._data, self._author
        return [(document, next(numbers), at, 1, 1, data, author, None) for _ in range(rows)]


async def cost(probe: Probe, way: Way, rows: int, seconds: float) -> Cost:
    """Commit so many rows again and again, for so long."""
    for _ in range(WARM):
        await way(rows)
    cpu, started, commits = probe.cpu(), time.perf_counter(), 0
    while (took := time.perf_counter() - started) < seconds:
        await way(rows)
        commits += 1
    used = probe.cpu().since(cpu)
    each = commits * rows / 1e6
    return Cost(took / commits * 1e3, used.server / each, used.postgres / each)


async def compare(
    dsn: str, postmaster: int, documents: Sequence[uuid.UUID], seconds: float
) -> None:
    """Print a table of all ways and sizes."""
    connection = await asyncpg.connect(dsn)
    await connection.execute(SESSION.format(lock_ms=0))  # As the log is written.
    probe = Probe(os.getpid(), postmaster)
    ways = Ways(connection, documents)
    print(HEAD)
    try:
        for rows in SIZES:
            for name, way in ways.of(rows).items():
                found = await cost(probe, way, rows, seconds)
                print(
                    f"| {name} | {rows:,} | {found.ms:.2f} | {found.here:.1f} "
                    f"| {found.postgres:.1f} | {found.here + found.postgres:.1f} |",
                    flush=True,
                )
    finally:
        await connection.close()
