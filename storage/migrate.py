"""Bring the database to the schema of this code: numbered plain SQL files, applied once, in order.

Each file runs in a transaction of its own together with the row that records it, while the row of
`migration_lock` is held, so that servers which start at the same time wait for one another. A file
that changed after it was applied, a gap in the numbers, and a database that is newer than the code
are refused: nothing is guessed.
"""

import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import asyncpg

from storage.cluster import VERSION_MIN
from storage.errors import StorageError
from storage.pool import Connection, Pool, transaction

FOLDER = Path(__file__).parent / "migrations"
MIGRATION_S = 3600.0
"""How long one file may take: a large table is rewritten once in its life."""

_BOOKS = """
create table if not exists migrations (
    number      integer primary key,
    name        text not null,
    checksum    text not null,
    applied_at  timestamptz not null default now()
);
create table if not exists migration_lock (only_row boolean primary key check (only_row));
insert into migration_lock values (true) on conflict do nothing;
"""


class MigrationError(StorageError):
    """The database and the files do not fit together; the message is for the operator."""


@dataclass(frozen=True, kw_only=True)
class Migration:
    """One file of SQL and its place in the order."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, by which a changed file is noticed."""
        return sha256(self.sql.encode()).hexdigest()


def read_migrations(folder: Path = FOLDER) -> list[Migration]:
    """The files `NNNN_name.sql` in order, counted from 1 without a gap or a double."""
    found: list[Migration] = []
    for path in sorted(folder.glob("*.sql")):
        match = re.fullmatch(r"(\d{4})_(\w+)", path.stem)
        if not match:
            raise MigrationError(f"{path.name} is not named like 0001_documents.sql")
        found.append(Migration(number=int(match[1]), name=match[2], sql=path.read_text("utf-8")))
    if [migration.number for migration in found] != list(range(1, len(found) + 1)):
        raise MigrationError(f"the numbers in {folder.name} do not run from 0001 without a gap")
    return found


async def migrate(pool: Pool, folder: Path = FOLDER, upto: int | None = None) -> list[int]:
    """Apply what is missing and return its numbers; with nothing missing one query is all.

    `upto` is the last one to apply; all of them where it is left out. Raises MigrationError, and
    asyncpg's error when a file's SQL fails; that file then left nothing.
    """
    wanted = read_migrations(folder)[:upto]
    async with pool.acquire() as connection:
        check_server(connection.get_server_version()[0], connection.get_settings().server_encoding)
    if await _known(pool) == {migration.number: migration.checksum for migration in wanted}:
        return []
    try:
        await pool.execute(_BOOKS)
    except (
        asyncpg.UniqueViolationError,
        asyncpg.DuplicateTableError,
        asyncpg.DuplicateObjectError,
    ):
        await pool.execute(_BOOKS)  # Another server made the same tables at the same moment.
    except asyncpg.InsufficientPrivilegeError as error:
        raise MigrationError(f"the database does not let us make tables: {error}") from error
    applied: list[int] = []
    for migration in wanted:
        async with transaction(pool) as connection:
            if await _apply(connection, migration, len(wanted)):
                applied.append(migration.number)
    return applied


def check_server(major: int, encoding: str) -> None:
    """Refuse a database that statements would fail in later. Raises MigrationError."""
    if major < VERSION_MIN:
        raise MigrationError(
            f"the database is PostgreSQL {major}, and {VERSION_MIN} or newer is needed "
            "(setting database_url)"
        )
    if encoding != "UTF8":
        raise MigrationError(
            f"the database has the encoding {encoding}, and UTF8 is needed: "
            "create database NAME encoding 'UTF8' template template0"
        )


async def _known(pool: Pool) -> dict[int, str] | None:
    try:
        rows = await pool.fetch("select number, checksum from migrations")
    except asyncpg.UndefinedTableError:
        return None
    return {row["number"]: row["checksum"] for row in rows}


async def _apply(connection: Connection, migration: Migration, newest: int) -> bool:
    """Under the lock: check what is recorded, run the file if it is not. Whether it was run."""
    await connection.execute("select from migration_lock for update")
    rows = await connection.fetch("select number, name, checksum from migrations")
    known = {row["number"]: (row["name"], row["checksum"]) for row in rows}
    if known and max(known) > newest:
        raise MigrationError(
            f"the database is at migration {max(known)}, this program knows {newest}: "
            "start the newer program"
        )
    if migration.number not in known:
        await connection.execute(migration.sql, timeout=MIGRATION_S)
        await connection.execute(
            "insert into migrations (number, name, checksum) values ($1, $2, $3)",
            migration.number,
            migration.name,
            migration.checksum,
        )
        return True
    name, checksum = known[migration.number]
    if checksum != migration.checksum:
        raise MigrationError(
            f"migration {migration.number:04}_{name} was changed after it was applied: "
            "put the change into a new file"
        )
    return False
