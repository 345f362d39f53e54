"""Every table of the database into files and out of them, as it was at one moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from storage.errors import StorageError, reaching
from storage.migrate import FOLDER, MigrationError, migrate, read_migrations
from storage.ordering import TABLES, tables_in_order
from storage.pool import Connection, Pool, transaction

FORM = 1
"""Of backup.json; a program refuses forms that it does not know."""
MANIFEST = "backup.json"
_READ_BYTES = 1 << 20
COPY_S = 86_400.0
"""How long one table may take."""

_COLUMNS = """
SELECT a.attname FROM pg_attribute a
WHERE a.attrelid = to_regclass(quote_ident($1)) AND a.attnum > 0 AND NOT a.attisdropped
  AND a.attgenerated = ''
ORDER BY a.attnum
"""
_SEQUENCES = """
SELECT pg_get_serial_sequence(quote_ident(c.relname), a.attname) AS sequence, c.relname, a.attname
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid
WHERE n.nspname = current_schema() AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
  AND pg_get_serial_sequence(quote_ident(c.relname), a.attname) IS NOT NULL
"""
_BLOBS = "SELECT hash, size FROM blobs WHERE ready"


class BackupError(StorageError):
    """A backup that cannot be written, read or believed; the message is for the operator."""


class TableFile(msgspec.Struct, kw_only=True):
    """One table in a backup."""

    columns: list[str]
    rows: int
    bytes: int
    sha256: str


class Manifest(msgspec.Struct, kw_only=True):
    """What backup.json says."""

    form: int
    version: str
    """Of the program that wrote it."""
    made_at: str
    """The moment that the tables show, by the database's clock."""
    migration: int
    tables: dict[str, TableFile]
    blobs: int
    blob_bytes: int
    keys: list[str]
    """Names in `keys/`; empty where the keys are given by settings."""


class Dumped(msgspec.Struct, frozen=True):
    """What `dump` found."""

    migration: int
    made_at: str
    tables: dict[str, TableFile]
    blobs: list[tuple[bytes, int]]
    """Hash and size of the blobs that these tables name."""


async def dump(pool: Pool, folder: Path) -> Dumped:
    """Write every table into `folder`; all show the same moment, whoever writes meanwhile.

    Raises Unavailable and OSError.
    """
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    with reaching():
        async with (
            pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            made_at = await connection.fetchval("SELECT now()")
            migration = await connection.fetchval("SELECT max(number) FROM migrations")
            tables = {
                row[0]: await _dump_table(connection, row[0], folder)
                for row in await connection.fetch(TABLES)
            }
            blobs = [(row[0], row[1]) for row in await connection.fetch(_BLOBS)]
    return Dumped(migration, made_at.isoformat(), tables, blobs)


async def _dump_table(connection: Connection, name: str, folder: Path) -> TableFile:
    columns = [row[0] for row in await connection.fetch(_COLUMNS, name)]
    digest, size = sha256(), 0
    with (folder / f"{name}.copy").open("wb") as file:

        async def take(data: bytes) -> None:
            nonlocal size
            size += len(data)
            digest.update(data)
            await asyncio.to_thread(file.write, data)

        said = await connection.copy_from_table(
            name, columns=columns, output=take, format="binary", timeout=COPY_S
        )
    return TableFile(
        columns=columns, rows=int(said.split()[1]), bytes=size, sha256=digest.hexdigest()
    )


def read_manifest(folder: Path) -> Manifest:
    """What a folder says of itself. Raises BackupError where it is no backup that we can read."""
    try:
        data = (folder / MANIFEST).read_bytes()
    except OSError as error:
        raise BackupError(f"{folder} is no backup: {error.strerror} ({MANIFEST})") from error
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except msgspec.MsgspecError as error:
        raise BackupError(f"{folder / MANIFEST} cannot be read: {error}") from error
    if manifest.form != FORM:
        raise BackupError(f"{folder} has form {manifest.form}, this program reads {FORM}")
    return manifest


async def check_files(folder: Path, manifest: Manifest) -> None:
    """Whether every table's file is what the manifest says. Raises BackupError."""
    for name, table in manifest.tables.items():
        path = folder / "tables" / f"{name}.copy"
        found = await asyncio.to_thread(_digest_of, path)
        if found != table.sha256:
            raise BackupError(f"{path} is damaged or missing")


def _digest_of(path: Path) -> str:
    digest = sha256()
    try:
        with path.open("rb") as file:
            while piece := file.read(_READ_BYTES):
                digest.update(piece)
    except OSError:
        return ""
    return digest.hexdigest()


async def load(pool: Pool, folder: Path, manifest: Manifest) -> None:
    """Fill an empty database from a backup and bring it to this program's schema.

    All or nothing: the tables are filled in one transaction. Raises BackupError where the database
    holds something or the backup is newer than this program; MigrationError; Unavailable.
    """
    await _make_tables(pool, manifest.migration)
    with reaching():
        async with transaction(pool) as connection:
            order = await tables_in_order(connection)
            missing = manifest.tables.keys() ^ set(order)
            if missing:
                raise BackupError(f"the backup does not fit: {', '.join(sorted(missing))}")
            if await connection.fetchval("SELECT EXISTS (SELECT FROM accounts)"):
                raise BackupError("the database is not empty: restore into a new one")
            names = ", ".join(f'"{name}"' for name in order)
            await connection.execute(f"TRUNCATE {names} CASCADE")
            for name in order:
                await _load_table(connection, folder / "tables" / f"{name}.copy", name, manifest)
            await _set_sequences(connection)
    await migrate(pool)
    with reaching():
        await pool.execute("ANALYZE")


async def _make_tables(pool: Pool, upto: int) -> None:
    """The schema as it was when the backup was made."""
    known = read_migrations(FOLDER)
    if upto > len(known):
        raise MigrationError(
            f"the backup is at migration {upto}, this program knows {len(known)}: "
            "restore with the newer program"
        )
    await migrate(pool, upto=upto)


async def _load_table(connection: Connection, path: Path, name: str, manifest: Manifest) -> None:
    table = manifest.tables[name]
    digest = sha256()

    async def pieces() -> AsyncIterator[bytes]:
        with path.open("rb") as file:
            while piece := await asyncio.to_thread(file.read, _READ_BYTES):
                digest.update(piece)
                yield piece

    source: Any = pieces()
    said = await connection.copy_to_table(
        name, columns=table.columns, source=source, format="binary", timeout=COPY_S
    )
    if digest.hexdigest() != table.sha256 or int(said.split()[1]) != table.rows:
        raise BackupError(f"{path} is damaged")


async def _set_sequences(connection: Connection) -> None:
    for row in await connection.fetch(_SEQUENCES):
        await connection.execute(
            f'SELECT setval($1, coalesce((SELECT max("{row["attname"]}") FROM "{row["relname"]}"), '  # noqa: S608  names from the catalogue
            "0) + 1, false)",
            row["sequence"],
        )
