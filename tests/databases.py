"""Databases of the run's PostgreSQL: copies of one migrated template, and where all of it lies.

In memory where the machine has room: a copy is a thousand small files, which take 12 ms there and
400 ms on a disk.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

TEMPLATE = "plait_template"
_MEMORY = Path("/dev/shm")
_MEMORY_BYTES_MIN = 4 << 30
_numbers = itertools.count(1)


def roomy_folder() -> str | None:
    """A folder in memory that holds whatever a run writes, or None where there is none."""
    if not os.access(_MEMORY, os.W_OK | os.X_OK):
        return None
    if os.statvfs(_MEMORY).f_flag & os.ST_NOEXEC:
        return None  # Tests run programs that they have written.
    return str(_MEMORY) if shutil.disk_usage(_MEMORY).free >= _MEMORY_BYTES_MIN else None


def cluster_folder() -> Path:
    """A new folder for the run's PostgreSQL, which root's runs as another user."""
    made = Path(tempfile.mkdtemp(prefix="plait-tests-", dir=roomy_folder()))
    made.chmod(0o755)
    return made


def dsn_of(postgres: str, database: str) -> str:
    """The URL of another database of the same server."""
    return postgres.replace("/postgres?", f"/{database}?")


async def execute(dsn: str, sql: str) -> None:
    """One statement on a connection of its own."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


@asynccontextmanager
async def fresh_database(postgres: str, template: str = TEMPLATE) -> AsyncIterator[str]:
    """The URL of a database at the newest migration, dropped afterwards."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    await execute(postgres, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    try:
        yield dsn_of(postgres, name)
    finally:
        await execute(postgres, f"DROP DATABASE {name} WITH (FORCE)")
