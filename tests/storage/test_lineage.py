"""A document that starts anew."""

from collections.abc import Callable
from typing import Any

from storage.compaction import Compactor, run_inline
from storage.documents import Documents
from storage.log import Fenced, Flusher, Stored
from storage.pool import Pool
from tests.storage.papers import append, paper, text_of, typing, write


async def test_a_new_lineage_fences_the_old_one_and_remembers_its_clients(
    pool: Pool, database: str
) -> None:
    """Its content is the given update alone; both versions move together."""
    document = (await paper(pool)).id
    await write(database, document, *typing("old", client=7))
    documents = Documents(pool)

    record = await documents.replace(document, typing("n", client=8)[0], "ada")

    loaded = await documents.load(document)
    assert (record.lineage, record.sync_version) == (loaded.lineage, loaded.sync_version) == (2, 2)
    assert text_of([loaded.snapshot or b"", *[row.data for row in loaded.rows]]) == "n"
    assert loaded.retired == {7}
    flusher = Flusher(database)
    await flusher.start()
    assert await append(flusher, document, b"late") == Fenced("lineage")
    assert await append(flusher, document, b"new", lineage=2) == Stored(5, 5, 2, False)
    await flusher.close()


async def test_a_document_that_was_rebuilt_meanwhile_is_left_alone(
    pool: Pool, database: str
) -> None:
    """A snapshot of the old lineage must not come back."""
    document = (await paper(pool)).id
    await write(database, document, *typing("old"))
    documents = Documents(pool)

    async def rebuild_meanwhile(function: Callable[..., Any], *arguments: object) -> Any:
        await documents.replace(document, typing("new", client=8)[0], "ada")
        return await run_inline(function, *arguments)

    assert await Compactor(pool, rebuild_meanwhile).compact(document) is None
    assert text_of([(await documents.load(document)).snapshot or b""]) == "n"
