"""scripts/admin backup and restore: everything into a folder, and back again."""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import msgspec

from crdt.ids import is_global_id, is_uuid
from server import __version__
from server.admin.opened import database, fail, opened, settings_of, store_of
from server.files import open_store
from storage.backup import rewinding, tables, verifying
from storage.backup.tables import MANIFEST, BackupError, Manifest
from storage.blobs import Store, blob_name
from storage.documents import Documents
from storage.pool import Pool
from storage.postgres import Embedded

KEY_FILES = ("identity.key", "signing.key", "retired.keys")


def add(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the words."""
    backup = words.add_parser("backup", help="write everything into a new folder, of one moment")
    backup.add_argument("folder", help="a new folder")
    backup.add_argument("--base", help="an older backup: files that it has are linked, not copied")
    backup.add_argument("--no-keys", action="store_true", help="leave the server's keys out")
    restore = words.add_parser(
        "restore", help="fill a new data folder (or an empty --database-url) from a backup"
    )
    restore.add_argument("folder", help="the backup")
    restore.add_argument("--to", help="take every document back to this time (ISO 8601)")
    restore.add_argument(
        "--sequence",
        action="append",
        default=[],
        metavar="DOCUMENT=N",
        help="let one document end after row N of its log; may be repeated",
    )


async def run(options: argparse.Namespace) -> None:
    """Do what the words say."""
    await (_backup if options.what == "backup" else _restore)(options)


# -- backup -----------------------------------------------------------------------------------


async def _backup(options: argparse.Namespace) -> None:
    folder = Path(options.folder)
    base = None if options.base is None else Path(options.base)
    if base is not None:
        tables.read_manifest(base)
    if folder.exists() and any(folder.iterdir()):
        fail(f"{folder} is there already, and not empty")
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    async with database(options) as pool:
        dumped = await tables.dump(pool, folder / "tables")
    copied = await _save_blobs(store_of(options), folder, base, dumped.blobs)
    keys = [] if options.no_keys else _save_keys(Path(options.data), folder / "keys")
    manifest = Manifest(
        form=tables.FORM,
        version=__version__,
        made_at=dumped.made_at,
        migration=dumped.migration,
        tables=dumped.tables,
        blobs=len(dumped.blobs),
        blob_bytes=sum(size for _, size in dumped.blobs),
        keys=keys,
    )
    _write_last(folder, msgspec.json.format(msgspec.json.encode(manifest), indent=2))
    rows = sum(table.rows for table in dumped.tables.values())
    print(f"{folder}: {rows} rows of {dumped.made_at}, {len(dumped.blobs)} files ({copied} copied)")
    if not keys:
        print("the server's keys are not in it: keep them elsewhere", file=sys.stderr)


async def _save_blobs(
    store: Store, folder: Path, base: Path | None, blobs: list[tuple[bytes, int]]
) -> int:
    """Copy the bytes of files, or link those that an older backup has; how many were copied."""
    copied = 0
    for digest, size in blobs:
        path = _blob_path(folder, digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        older = None if base is None else _blob_path(base, digest)
        if older is not None and older.is_file() and older.stat().st_size == size:
            try:
                os.link(older, path)
            except OSError:
                shutil.copyfile(older, path)
            continue
        copied += 1
        with path.open("wb") as file:
            async for piece in store.read(blob_name(digest), 0, size):
                await asyncio.to_thread(file.write, piece)
    await store.close()
    return copied


def _blob_path(folder: Path, digest: bytes) -> Path:
    return folder / blob_name(digest)


def _save_keys(data: Path, folder: Path) -> list[str]:
    found = [name for name in KEY_FILES if (data / name).is_file()]
    for name in found:
        folder.mkdir(mode=0o700, exist_ok=True)
        shutil.copyfile(data / name, folder / name)
        (folder / name).chmod(0o600)
    return found


def _write_last(folder: Path, text: bytes) -> None:
    """The manifest makes the folder a backup: it comes when all else is on the disk."""
    os.sync()
    made = folder / f".{MANIFEST}"
    with made.open("wb") as file:
        file.write(text + b"\n")
        file.flush()
        os.fsync(file.fileno())
    made.replace(folder / MANIFEST)


# -- restore ----------------------------------------------------------------------------------


async def _restore(options: argparse.Namespace) -> None:
    folder, data = Path(options.folder), Path(options.data)
    manifest = tables.read_manifest(folder)
    moment = None if options.to is None else _moment(options.to)
    cuts = [_cut(text) for text in options.sequence]
    await tables.check_files(folder, manifest)
    if not options.database_url and (data / "postgres").exists():
        fail(f"{data} holds a database already: restore into a new folder (--data)")
    _restore_keys(manifest, folder / "keys", data)
    async with _empty(options) as pool:
        await tables.load(pool, folder, manifest)
        for name, sequence in cuts:
            done = await rewinding.rewind_one(pool, await _named(pool, name), sequence)
            print(f"{name}: {done.rows} rows went")
        if moment is not None:
            done = await rewinding.rewind(pool, moment)
            print(
                f"at {moment.isoformat()}: {done.rows} rows of {done.cut} documents went, "
                f"{done.removed} documents came later, {done.revived} were deleted later"
            )
        blobs = await pool.fetch(verifying.BLOBS)
    await _restore_blobs(options, folder, [(row["hash"], row["size"]) for row in blobs])
    print(f"restored what {folder} showed at {manifest.made_at}, {len(blobs)} files")


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        fail(f"{text!r} is no time: write it as 2026-11-21T10:30:00Z")
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _cut(text: str) -> tuple[str, int]:
    name, _, number = text.rpartition("=")
    if not name or not number.isdecimal():
        fail(f"{text!r} is no document and row: write DOCUMENT=N")
    return name, int(number)


async def _named(pool: Pool, name: str) -> UUID:
    """A document by its id, its global id, or as `workspace:name`."""
    documents = Documents(pool)
    scope, _, plain = name.partition(":")
    found = await documents.by_id(UUID(name)) if is_uuid(name) else None
    if found is None and is_global_id(name):
        found = await documents.by_global_id(name)
    if found is None and plain:
        found = await documents.resolve(scope, plain)
    if found is None:
        fail(f"the backup has no document {name}")
    return found.id


def _restore_keys(manifest: Manifest, keys: Path, data: Path) -> None:
    """The server's keys; one that is there already must be the same."""
    data.mkdir(parents=True, exist_ok=True)
    for name in manifest.keys:
        there = data / name
        if there.exists() and there.read_bytes() != (keys / name).read_bytes():
            fail(f"{there} is another server's key: restore into a new folder (--data)")
        shutil.copyfile(keys / name, there)
        there.chmod(0o600)


@asynccontextmanager
async def _empty(options: argparse.Namespace) -> AsyncIterator[Pool]:
    """An empty database: the given one, or one made for this in the data folder."""
    if options.database_url:
        async with opened(options.database_url, options, migrated=False) as pool:
            yield pool
        return
    embedded = Embedded(Path(options.data))
    await embedded.start()
    try:
        async with opened(embedded.dsn, options, migrated=False) as pool:
            yield pool
    except BaseException:
        await embedded.stop()
        # Half a database must not be served: what was made here goes.
        shutil.rmtree(Path(options.data) / "postgres", ignore_errors=True)
        raise
    await embedded.stop()


async def _restore_blobs(
    options: argparse.Namespace, folder: Path, blobs: list[tuple[bytes, int]]
) -> None:
    """The bytes of files into the store of the settings; what it has already stays."""
    store = open_store(settings_of(options))
    for digest, size in blobs:
        name = blob_name(digest)
        if await store.size(name) == size:
            continue
        path = _blob_path(folder, digest)
        if not path.is_file() or path.stat().st_size != size:
            raise BackupError(f"{path} is damaged or missing")
        incoming = await store.receive(name)
        with path.open("rb") as file:
            while piece := await asyncio.to_thread(file.read, 1 << 20):
                await incoming.write(piece)
        await incoming.publish(name)
    await store.close()
