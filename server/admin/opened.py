"""The database and the files of a server for a command: beside a running server, or without it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote

from server.files import open_store
from server.settings import Settings
from storage.blobs import Store
from storage.cluster import SUPERUSER, choose_owner, socket_folder
from storage.errors import StorageError
from storage.migrate import migrate
from storage.pool import Pool, close_pool, open_pool
from storage.postgres import Embedded

COMMAND_S = 3600.0
"""How long one statement of a command may take."""


def fail(sentence: str) -> NoReturn:
    """End with one sentence and exit 1."""
    sys.exit(f"scripts/admin: {sentence}")


def settings_of(options: argparse.Namespace) -> Settings:
    """The settings that say where files and keys lie."""
    environ = os.environ
    return Settings(
        data=Path(options.data),
        blobs_url=environ.get("PLAIT_BLOBS_URL", ""),
        blobs_options=tuple(filter(None, environ.get("PLAIT_BLOBS_OPTIONS", "").split(","))),
        identity_key=environ.get("PLAIT_IDENTITY_KEY", ""),
        signing_key=environ.get("PLAIT_SIGNING_KEY", ""),
    )


def store_of(options: argparse.Namespace) -> Store:
    """Where the bytes of files lie. Raises StoreUnavailable."""
    return open_store(settings_of(options))


@asynccontextmanager
async def database(options: argparse.Namespace) -> AsyncIterator[Pool]:
    """The database: a given one, a running server's, or one started for this."""
    if options.database_url:
        async with opened(options.database_url, options) as pool:
            yield pool
        return
    data = Path(options.data)
    if not (data / "postgres").exists():
        fail(f"there is no server's data in {data}")
    embedded = Embedded(data)
    try:
        await embedded.start()
    except StorageError:
        # A server runs on it: its database is reached the way it reaches it.
        async with opened(_dsn_of_running(data), options) as pool:
            yield pool
        return
    try:
        async with opened(embedded.dsn, options) as pool:
            yield pool
    finally:
        await embedded.stop()


def _dsn_of_running(data: Path) -> str:
    """The URL of the database that a server runs on this data folder."""
    data = data.resolve()
    sockets = socket_folder(data, choose_owner(data / "postgres"))
    return f"postgresql://{SUPERUSER}@/postgres?host={quote(str(sockets), safe='/')}"


@asynccontextmanager
async def opened(
    dsn: str, options: argparse.Namespace, *, migrated: bool = True
) -> AsyncIterator[Pool]:
    """A pool on a database, brought to this program's schema."""
    options.dsn = dsn
    pool = await open_pool(dsn, connections_max=2, command_s_max=COMMAND_S)
    try:
        if migrated:
            await migrate(pool)
        yield pool
    finally:
        await close_pool(pool)
