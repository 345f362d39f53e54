"""What our PostgreSQL did during a run: commits, rows of the update log, flushes to disk.

Read over the embedded server's socket, which is found from its process: PostgreSQL runs inside
its data folder and names its socket there.
"""

import asyncio
import re
from pathlib import Path
from typing import NamedTuple

import asyncpg

from scripts._load.probe import Probe

USER = "plait"
LOG_TABLE = "updates"
FLUSH_STATISTICS_S = 1.2
"""Backends report what they did at most once a second."""


class Counters(NamedTuple):
    """Since the statistics began, over all databases."""

    commits: int
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


async def _read(place: tuple[str, int]) -> Counters:
    folder, port = place
    first = await asyncpg.connect(host=folder, port=port, user=USER, database="postgres")
    try:
        commits = await first.fetchval("SELECT sum(xact_commit) FROM pg_stat_database")
        fsyncs = await first.fetchval("SELECT sum(fsyncs) FROM pg_stat_io WHERE object = 'wal'")
        names = await first.fetch(
            "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate"
        )
    finally:
        await first.close()
    rows = 0
    for (name,) in names:
        connection = await asyncpg.connect(host=folder, port=port, user=USER, database=name)
        try:
            rows += await connection.fetchval(
                "SELECT coalesce(sum(n_tup_ins), 0) FROM pg_stat_user_tables WHERE relname = $1",
                LOG_TABLE,
            )
        finally:
            await connection.close()
    return Counters(int(commits or 0), int(rows), int(fsyncs or 0))


def read(pid: int) -> Counters | None:
    """The counters of the PostgreSQL below a process; None where there is none."""
    place = socket_of(pid)
    if place is None:
        return None
    try:
        return asyncio.run(_read(place))
    except (OSError, asyncpg.PostgresError):
        return None


def set_synchronous_commit(pid: int, word: str) -> None:
    """Change it for all sessions; `on` or `off`."""
    place = socket_of(pid)
    if place is None:
        raise LookupError(f"no PostgreSQL below process {pid}")
    if not re.fullmatch("on|off", word):
        raise ValueError(word)

    async def change() -> None:
        folder, port = place
        connection = await asyncpg.connect(host=folder, port=port, user=USER, database="postgres")
        try:
            await connection.execute(f"ALTER SYSTEM SET synchronous_commit = {word}")
            await connection.execute("SELECT pg_reload_conf()")
        finally:
            await connection.close()

    asyncio.run(change())
