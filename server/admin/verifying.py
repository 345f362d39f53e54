"""scripts/admin verify: of the server's database, or of a backup in a database made for that."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from server.admin.opened import database, opened, store_of
from storage.backup import tables, verifying
from storage.backup.verifying import Verified
from storage.blobs import Blob, Blobs, LocalStore, Store, blob_name
from storage.errors import UnknownBlob
from storage.pool import Pool
from storage.postgres import Embedded

_SHOWN_MAX = 100


def add(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the word."""
    verify = words.add_parser(
        "verify", help="rebuild every document from its log and compare all that is kept of it"
    )
    verify.add_argument("folder", nargs="?", help="a backup to look at, instead of the server")
    verify.add_argument("--blobs", action="store_true", help="read the bytes of all files too")


async def run(options: argparse.Namespace) -> None:
    """Do what the word says; exit 1 where something does not fit."""
    if options.folder is not None:
        await _verify_backup(options, Path(options.folder))
        return
    async with database(options) as pool:
        await _verify_all(pool, store_of(options), read=options.blobs)


async def _verify_backup(options: argparse.Namespace, folder: Path) -> None:
    """Load a backup into a database of its own that is thrown away, and verify that."""
    manifest = tables.read_manifest(folder)
    await tables.check_files(folder, manifest)
    with tempfile.TemporaryDirectory(prefix="plait-verify-", ignore_cleanup_errors=True) as data:
        Path(data).chmod(0o755)  # Root's PostgreSQL runs as another user.
        embedded = Embedded(Path(data), options={"fsync": "off", "full_page_writes": "off"})
        await embedded.start()
        try:
            async with opened(embedded.dsn, options, migrated=False) as pool:
                await tables.load(pool, folder, manifest)
                await _verify_all(pool, LocalStore(folder, read_only=True), read=options.blobs)
        finally:
            await embedded.stop()


async def _verify_all(pool: Pool, store: Store, *, read: bool) -> None:
    done = await verifying.verify(pool, _tell)
    count = await _verify_blobs(pool, store, done, read=read)
    for problem in done.problems[:_SHOWN_MAX]:
        print(f"{problem.where}: {problem.what}")
    print(
        f"{done.documents} documents, {done.rows} rows, {done.snapshots} snapshots, "
        f"{done.projections} projections, {count} files: {len(done.problems)} problems"
    )
    if done.problems:
        sys.exit(1)


def _tell(done: Verified) -> None:
    if sys.stderr.isatty():
        print(f"\r{done.documents} documents", end="", file=sys.stderr)


async def _verify_blobs(pool: Pool, store: Store, done: Verified, *, read: bool) -> int:
    """Whether the bytes of every file are there; with `read` whether they are the right ones."""
    blobs = await pool.fetch(verifying.BLOBS)
    kept = Blobs(pool, store, grace_s=0)
    for row in blobs:
        digest, size = row["hash"], row["size"]
        if await store.size(blob_name(digest)) != size:
            done.add(digest.hex(), "the bytes of this file are missing, or not as many")
        elif read:
            try:
                found = await kept.digest_of(Blob(digest, size))
            except UnknownBlob:
                found = b""
            if found != digest:
                done.add(digest.hex(), "the bytes of this file are others")
    await store.close()
    return len(blobs)
