"""A backup holds everything, comes back as it was or as it was earlier, and damage is found."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from crdt.document import Document
from storage.backup import rewinding, tables, verifying
from storage.backup.tables import BackupError, Manifest
from storage.compaction import Compactor
from storage.documents import Documents
from storage.history import Retention, thin
from storage.migrate import MigrationError, migrate
from storage.pool import Pool, close_pool, open_pool
from tests.inside import fresh_database
from tests.storage.papers import BREAKS, drawing, paper, rebuilt, row, text_of, typing, write

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)


async def diary(pool: Pool, database: str, text: str, *, minutes: int = 20) -> UUID:
    """A document of the morning, with one letter every so many minutes from noon on."""
    document = (await paper(pool)).id
    early = NOON - timedelta(hours=1)
    await pool.execute("UPDATE documents SET created_at = $2 WHERE id = $1", document, early)
    at = NOON.timestamp()
    rows = [row(data, "ada", at + n * minutes * 60) for n, data in enumerate(typing(text))]
    await write(database, document, *rows)
    return document


async def text(pool: Pool, document: UUID) -> str:
    """What it says as a server would open it."""
    return text_of([rebuilt(await Documents(pool).load(document)).encode()])


def later(minutes: int) -> datetime:
    """So many minutes after noon."""
    return NOON + timedelta(minutes=minutes)


async def problems(pool: Pool) -> list[str]:
    """What `verify` says."""
    return [problem.what for problem in (await verifying.verify(pool)).problems]


# -- out and in again -------------------------------------------------------------------------


@pytest.fixture
async def empty(postgres: str) -> AsyncIterator[Pool]:
    """A database without any table."""
    async with fresh_database(postgres) as database:
        pool = await open_pool(database)
        await pool.execute("DROP SCHEMA public CASCADE")
        await pool.execute("CREATE SCHEMA public")
        yield pool
        await close_pool(pool)


async def saved(pool: Pool, folder: Path) -> Manifest:
    """A backup of the tables alone."""
    dumped = await tables.dump(pool, folder / "tables")
    return Manifest(
        form=tables.FORM,
        version="0",
        made_at=dumped.made_at,
        migration=dumped.migration,
        tables=dumped.tables,
        blobs=0,
        blob_bytes=0,
        keys=[],
    )


async def test_every_table_comes_back_as_it_was(
    pool: Pool, database: str, empty: Pool, tmp_path: Path
) -> None:
    """Whoever writes meanwhile; and a backup is only loaded into an empty database."""
    drawn = (await paper(pool)).id
    await write(database, drawn, *drawing(1))
    await Compactor(pool).compact(drawn)
    await pool.execute(
        "INSERT INTO accounts (id, state, default_workspace) VALUES ('A','active','W')"
    )
    manifest = await saved(pool, tmp_path)
    await write(database, drawn, *drawing(2))  # Not in it.
    await tables.load(empty, tmp_path, manifest)
    again = await saved(empty, tmp_path / "again")

    assert {name: t.sha256 for name, t in manifest.tables.items()} == {
        name: t.sha256 for name, t in again.tables.items()
    }
    assert await problems(empty) == []
    with pytest.raises(BackupError, match="not empty"):
        await tables.load(empty, tmp_path, manifest)


async def test_an_older_backup_is_brought_up_to_date_and_a_newer_one_refused(
    pool: Pool, empty: Pool, tmp_path: Path
) -> None:
    """By the migrations that came since; nothing is guessed about those to come."""
    await migrate(empty, upto=14)
    manifest = await saved(empty, tmp_path)
    await empty.execute("DROP SCHEMA public CASCADE")
    await empty.execute("CREATE SCHEMA public")
    await tables.load(empty, tmp_path, manifest)
    newest = await pool.fetchval("SELECT max(number) FROM migrations")

    assert manifest.migration == 14
    assert await empty.fetchval("SELECT max(number) FROM migrations") == newest
    manifest.migration = 9999
    with pytest.raises(MigrationError, match="newer program"):
        await tables.load(empty, tmp_path, manifest)


async def test_a_damaged_file_is_found_before_anything_is_loaded(
    pool: Pool, empty: Pool, tmp_path: Path
) -> None:
    """One bit suffices; a folder without its last file is no backup."""
    manifest = await saved(pool, tmp_path)
    path = tmp_path / "tables" / "scopes.copy"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)

    with pytest.raises(BackupError, match="scopes"):
        await tables.check_files(tmp_path, manifest)
    with pytest.raises(BackupError, match="no backup"):
        tables.read_manifest(tmp_path)
    (tmp_path / tables.MANIFEST).write_text('{"form": 99}')
    with pytest.raises(BackupError, match="cannot be read"):
        tables.read_manifest(tmp_path)


# -- back in time -----------------------------------------------------------------------------


async def test_documents_go_back_to_a_moment(pool: Pool, database: str) -> None:
    """Rows after it go, what came later too, what was deleted later comes back."""
    notes = await diary(pool, database, "0123456789")
    quiet = await diary(pool, database, "ab")
    deleted = await diary(pool, database, "kept")
    new = (await paper(pool)).id
    await write(database, new, *typing("later"))
    await Compactor(pool).compact(notes)
    await Documents(pool).delete(deleted)
    done = await rewinding.rewind(pool, later(100))

    assert await text(pool, notes) == "012345"
    assert await text(pool, quiet) == "ab"
    assert await text(pool, deleted) == "kept"
    assert await Documents(pool).by_id(new) is None
    assert (done.cut, done.rows, done.removed, done.revived) == (1, 4, 1, 1)
    assert await problems(pool) == []
    record = await Documents(pool).by_id(notes)
    assert record is not None
    assert (record.lineage, record.sync_version) == (1, 2)  # REST clients read it whole again.
    await write(database, notes, *typing("on", client=9))
    assert (await Documents(pool).load(notes)).head == 8


async def test_one_document_goes_back_to_a_row(pool: Pool, database: str) -> None:
    """The others stay; rows that wait for a predecessor still wait."""
    notes = await diary(pool, database, "0123456789")
    gapped = (await paper(pool)).id
    first, missing, third = typing("abc")
    await write(database, gapped, first, third, *typing("xyz", client=9))
    await Compactor(pool).compact(gapped)
    await rewinding.rewind_one(pool, notes, 3)
    await rewinding.rewind_one(pool, gapped, 3)

    assert await text(pool, notes) == "012"
    assert await problems(pool) == []
    await write(database, gapped, missing)
    assert sorted(await text(pool, gapped)) == ["a", "b", "c", "x"]
    with pytest.raises(BackupError, match="no document"):
        await rewinding.rewind_one(pool, UUID(int=1), 1)


async def test_merged_history_is_cut_where_a_version_ends(pool: Pool, database: str) -> None:
    """Never in the middle of a stretch, and never without what came before it."""
    notes = await diary(pool, database, "0123456789")
    await Compactor(pool).compact(notes)
    await thin(pool, notes, NOON + timedelta(days=2), Retention())
    assert await problems(pool) == []
    done = await rewinding.rewind(pool, later(110))  # In the second hour: 3, 4 and 5 are one row.

    assert done.rows == 4
    assert await text(pool, notes) == "012345"
    await rewinding.rewind_one(pool, notes, 5)
    assert await text(pool, notes) == "012"
    assert await problems(pool) == []


async def test_a_rebuilt_document_goes_back_to_its_older_lineage(pool: Pool, database: str) -> None:
    """With the number that it had, so that nothing of the newer one is taken for it."""
    notes = await diary(pool, database, "abc")
    await Documents(pool).replace(notes, typing("new", client=8)[0], "ada")
    assert await problems(pool) == []
    await rewinding.rewind_one(pool, notes, 2)
    loaded = await Documents(pool).load(notes)

    assert await text(pool, notes) == "ab"
    assert (loaded.lineage, loaded.head, loaded.retired) == (1, 2, frozenset())
    assert await problems(pool) == []


async def test_back_to_before_its_first_row_a_document_is_empty(pool: Pool, database: str) -> None:
    """It is there still, and can be written."""
    notes = await diary(pool, database, "abc")
    await Compactor(pool).compact(notes)
    await rewinding.rewind(pool, NOON - timedelta(minutes=5))

    assert await text(pool, notes) == ""
    assert await problems(pool) == []
    await write(database, notes, *typing("x", client=9))
    assert await text(pool, notes) == "x"


# -- verify -----------------------------------------------------------------------------------


async def test_what_a_server_writes_is_sound(pool: Pool, database: str) -> None:
    """Compacted, thinned, waiting, set aside, purged and rebuilt documents alike."""
    for seed in range(3):
        drawn = (await paper(pool)).id
        await write(database, drawn, *drawing(seed))
        if seed:
            await Compactor(pool).compact(drawn)
            await write(database, drawn, *typing("more", client=9))
    broken = (await paper(pool)).id
    await write(database, broken, *typing("ab"), BREAKS, *typing("cd", client=9))
    await Compactor(pool).compact(broken)
    gone = (await paper(pool)).id
    await write(database, gone, *typing("gone"))
    await Documents(pool).delete(gone)
    await Documents(pool).purge(gone)
    done = await verifying.verify(pool)

    assert done.problems == []
    assert (done.documents, done.snapshots) == (5, 3)


DAMAGE = {
    "a row is missing": ("DELETE FROM updates WHERE sequence = 2", "rows 2 to 2 are missing"),
    "the head is ahead": ("UPDATE heads SET head = head + 1", "its head says 6"),
    "bytes are counted wrongly": (
        "UPDATE heads SET log_bytes = log_bytes + 1",
        "bytes follow its snapshot",
    ),
    "a row is another": ("UPDATE updates SET data = $1 WHERE sequence = 1", "do not say what"),
    "the snapshot is another": (
        "UPDATE snapshots SET data = $1, encoding = 0",
        "state vector is not the one",
    ),
    "deletion is said twice": ("UPDATE heads SET deleted = true", "disagree about its deletion"),
    "the lineage is another": ("UPDATE heads SET lineage = 7", "lineage 7"),
    "the feed is silent": ("UPDATE heads SET dirty = false", "feed never told"),
}


@pytest.mark.parametrize("name", DAMAGE)
async def test_damage_is_found(pool: Pool, database: str, name: str) -> None:
    """Each kind that the rows themselves can show."""
    document = (await paper(pool)).id
    await write(database, document, *typing("abc"))
    await Compactor(pool).compact(document)
    await write(database, document, *typing("de", client=9))
    assert await problems(pool) == []
    sql, said = DAMAGE[name]
    other = Document.rebuild(typing("zz", client=8)).encode()
    await pool.execute(sql, *([other] if "$1" in sql else []))

    assert any(said in what for what in await problems(pool)), await problems(pool)
