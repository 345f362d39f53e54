"""Migrations: applied once, in order, whole or not at all."""

import asyncio
import os
from pathlib import Path

import asyncpg
import pytest

from storage.migrate import FOLDER, MigrationError, check_server, migrate, read_migrations
from storage.pool import Pool, close_pool, open_pool


@pytest.fixture
async def empty(postgres: str, pool: Pool) -> Pool:
    """A pool on a database whose books of migrations are empty."""
    await pool.execute("drop schema public cascade; create schema public")
    return pool


def _files(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        (folder / f"{name.removeprefix('m')}.sql").write_text(text)
    return folder


async def test_files_are_applied_in_order_and_only_once(empty: Pool, tmp_path: Path) -> None:
    """The second run applies nothing, and a file added later is all that the third applies."""
    _files(tmp_path, m0001_a="create table a (n int)", m0002_b="insert into a values (1), (2)")

    first = await migrate(empty, tmp_path)
    second = await migrate(empty, tmp_path)
    _files(tmp_path, m0003_c="insert into a values (3)")
    third = await migrate(empty, tmp_path)

    assert (first, second, third) == ([1, 2], [], [3])
    assert await empty.fetchval("select count(*) from a") == 3


async def test_a_file_that_fails_leaves_nothing(empty: Pool, tmp_path: Path) -> None:
    """Half of a failing file is not there, what stood before it is, and it can be mended."""
    _files(tmp_path, m0001_a="create table a (n int)")
    _files(tmp_path, m0002_b="insert into a values (1); select nonsense")

    with pytest.raises(asyncpg.UndefinedColumnError):
        await migrate(empty, tmp_path)

    assert await empty.fetchval("select count(*) from a") == 0
    _files(tmp_path, m0002_b="insert into a values (1)")
    assert await migrate(empty, tmp_path) == [2]


async def test_servers_that_start_together_apply_each_file_once(
    empty: Pool, tmp_path: Path
) -> None:
    """Of six that start at one moment, one applies each file and none fails."""
    _files(tmp_path, m0001_a="create table a (n int)", m0002_b="insert into a values (1)")

    answers = await asyncio.gather(*(migrate(empty, tmp_path) for _ in range(6)))

    assert sorted(number for answer in answers for number in answer) == [1, 2]
    assert await empty.fetchval("select count(*) from a") == 1


async def test_a_changed_file_is_refused(empty: Pool, tmp_path: Path) -> None:
    """Editing a file that was applied stops the start and says which one."""
    _files(tmp_path, m0001_a="create table a (n int)")
    await migrate(empty, tmp_path)
    _files(tmp_path, m0001_a="create table a (n bigint)")

    with pytest.raises(MigrationError, match="0001_a was changed"):
        await migrate(empty, tmp_path)


async def test_a_newer_database_is_refused(empty: Pool, tmp_path: Path) -> None:
    """An older program does not touch a database that a newer one has migrated."""
    _files(tmp_path, m0001_a="create table a (n int)", m0002_b="select 1")
    await migrate(empty, tmp_path)
    (tmp_path / "0002_b.sql").unlink()

    with pytest.raises(MigrationError, match="at migration 2, this program knows 1"):
        await migrate(empty, tmp_path)


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        pytest.param(["0001_a", "0003_c"], "without a gap", id="gap"),
        pytest.param(["0001_a", "0001_b"], "without a gap", id="double"),
        pytest.param(["1_a"], "not named like", id="name"),
    ],
)
def test_a_folder_out_of_order_is_refused(tmp_path: Path, names: list[str], complaint: str) -> None:
    """Files are never guessed into an order."""
    for name in names:
        (tmp_path / f"{name}.sql").write_text("select 1")

    with pytest.raises(MigrationError, match=complaint):
        read_migrations(tmp_path)


async def test_the_template_is_at_the_newest_migration(database: str) -> None:
    """A test's database needs no migration: it is a copy of a migrated one."""
    pool = await open_pool(database)

    applied = await migrate(pool)

    assert applied == []
    assert await pool.fetchval("select max(number) from migrations") == len(read_migrations(FOLDER))
    await close_pool(pool)


def test_an_old_postgresql_is_refused_by_its_version() -> None:
    """15 and newer are taken; the sentence names the setting."""
    check_server(15, "UTF8")
    check_server(18, "UTF8")
    with pytest.raises(MigrationError, match=r"PostgreSQL 14, and 15 or newer.*database_url"):
        check_server(14, "UTF8")


async def test_a_database_that_cannot_hold_every_text_is_refused(postgres: str) -> None:
    """A LATIN1 database would fail at somebody's first emoji."""
    name = f"latin_{os.getpid()}"
    keeper = await asyncpg.connect(postgres)
    await keeper.execute(f"create database {name} encoding 'LATIN1' locale 'C' template template0")
    latin = await open_pool(postgres.replace("/postgres?", f"/{name}?"))
    try:
        with pytest.raises(MigrationError, match="LATIN1, and UTF8 is needed"):
            await migrate(latin)
    finally:
        await close_pool(latin)
        await keeper.execute(f"drop database {name}")
        await keeper.close()
