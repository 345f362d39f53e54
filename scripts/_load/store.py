"""What the PostgreSQL of a Plait server did and holds: rows, flushes, bytes.

Read over the embedded server's socket, which is found from its process: PostgreSQL runs inside
its data folder and names its socket there.
"""

import asyncio
from pathlib import Path
from typing import NamedTuple

import asyncpg

from .probe import Probe

USER = "plait"
LOG_TABLE = "updates"
STORED = """
    WITH wanted AS (SELECT id FROM documents WHERE name = $1 ORDER BY created_at DESC LIMIT 1)
    SELECT EXISTS (TABLE wanted) AS found,
        (SELECT count(*) FROM updates, wanted WHERE document = id) AS log_rows,
        (SELECT coalesce(sum(octet_length(data)), 0)::bigint FROM updates, wanted
            WHERE document = id) AS log_bytes,
        (SELECT coalesce(sum(octet_length(data)), 0)::bigint FROM snapshots, wanted
            WHERE document = id) AS snapshot_bytes
"""
FLUSH_STATISTICS_S = 1.2
"""Backends report what they did at most once a second."""


class Counters(NamedTuple):
    """Since the statistics began, over all databases."""

    rows: int
    fsyncs: int

    def since(self, earlier: "Counters") -> "Counters":
        """What happened from `earlier` to this."""
        return Counters(*(a - b for a, b in zip(self, earlier, strict=True)))


def socket_of(pid: int) -> tuple[str, int] | None:
    """Folder and port of the socket of the PostgreSQL below a process."""
    for candidate in Probe(pid).postgres_pids():
        try:
            lines = (Path(f"/proc/{candidate}/cwd").readlink() / "postmaster.pid").read_text()
        except OSError:
            continue
        fields = lines.splitlines()
        return fields[4], int(fields[3])
    return None


async def _connect(place: tuple[str, int], database: str) -> "asyncpg.Connection":
    folder, port = place
    return await asyncpg.connect(host=folder, port=port, user=USER, database=database)


async def _databases(place: tuple[str, int]) -> list[str]:
    connection = await _connect(place, "postgres")
    try:
        rows = await connection.fetch(
            "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate"
        )
    finally:
        await connection.close()
    return [row[0] for row in rows]


async def _read(place: tuple[str, int]) -> Counters:
    connection = await _connect(place, "postgres")
    try:
        fsyncs = await connection.fetchval(
            "SELECT sum(fsyncs) FROM pg_stat_io WHERE object = 'wal'"
        )
    finally:
        await connection.close()
    rows = 0
    for name in await _databases(place):
        connection = await _connect(place, name)
        try:
            rows += await connection.fetchval(
                "SELECT coalesce(sum(n_tup_ins), 0) FROM pg_stat_user_tables WHERE relname = $1",
                LOG_TABLE,
            )
        finally:
            await connection.close()
    return Counters(int(rows), int(fsyncs or 0))


class Stored(NamedTuple):
    """What the store holds of one document."""

    log_rows: int
    log_bytes: int
    snapshot_bytes: int


async def _stored(place: tuple[str, int], document: str) -> Stored | None:
    for name in await _databases(place):
        connection = await _connect(place, name)
        try:
            row = await connection.fetchrow(STORED, document)
        except asyncpg.UndefinedTableError:
            continue
        finally:
            await connection.close()
        if row is not None and row["found"]:
            return Stored(row["log_rows"], row["log_bytes"], row["snapshot_bytes"])
    return None


def stored(pid: int, document: str) -> Stored | None:
    """What the PostgreSQL below a process holds of the newest document of a name."""
    place = socket_of(pid)
    if place is None:
        return None
    try:
        return asyncio.run(_stored(place, document))
    except (OSError, asyncpg.PostgresError):
        return None


def read(pid: int) -> Counters | None:
    """The counters of the PostgreSQL below a process; None where there is none."""
    place = socket_of(pid)
    if place is None:
        return None
    try:
        return asyncio.run(_read(place))
    except (OSError, asyncpg.PostgresError):
        return None


def relax_commits(pid: int) -> None:
    """Let all sessions that begin from now on commit without waiting for the disk.

    A role's setting stands above the command line that PostgreSQL was started with, which a
    changed configuration does not. Raises LookupError where there is no PostgreSQL.
    """
    place = _place_of(pid)

    async def change() -> None:
        connection = await _connect(place, "postgres")
        try:
            await connection.execute(f"ALTER ROLE {USER} SET synchronous_commit = off")
        finally:
            await connection.close()

    asyncio.run(change())


def waits_for_disk(pid: int) -> bool:
    """Whether a commit of a new session waits for the disk. Raises LookupError as above."""
    place = _place_of(pid)

    async def ask() -> str:
        connection = await _connect(place, "postgres")
        try:
            return str(await connection.fetchval("SHOW synchronous_commit"))
        finally:
            await connection.close()

    return asyncio.run(ask()) != "off"


def _place_of(pid: int) -> tuple[str, int]:
    place = socket_of(pid)
    if place is None:
        raise LookupError(f"no PostgreSQL below process {pid}")
    return place
