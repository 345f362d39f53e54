"""Full text search by PostgreSQL. What questions mean is tested over HTTP."""

import pytest

from storage.pool import Pool
from storage.search import Piece, Search
from tests.storage.shelves import block, extract, keep


async def find(pool: Pool, query: str, scope: str = "W", **more: object) -> list[str]:
    """The names of what a question finds."""
    given = {"trash": False, "limit": 10, "offset": 0} | more
    return [hit.name for hit in (await Search(pool).find(scope, query, **given)).hits]  # type: ignore[arg-type]


async def test_titles_rank_above_texts(pool: Pool, database: str) -> None:
    """And the total counts all pages."""
    texted, titled = await block(pool, database, "text"), await block(pool, database, "title")
    await keep(pool, extract(texted, "cow here"), extract(titled, "none", title="Cow"))

    assert await find(pool, "cow") == ["title", "text"]
    hits = await Search(pool).find("W", "cow", trash=False, limit=1, offset=1)
    assert ([hit.name for hit in hits.hits], hits.total) == (["text"], 2)


async def test_scopes_do_not_mix(pool: Pool, database: str) -> None:
    """However the scope is called."""
    for scope in ("W", "X'y", "a b"):
        record = await block(pool, database, f"in {scope}", scope=scope)
        await keep(pool, extract(record, "cow"), scope=scope)

    for scope in ("W", "X'y", "a b"):
        assert await find(pool, "cow", scope) == [f"in {scope}"]
    assert await find(pool, "cow", "other") == []
    assert await find(pool, "cow -other", "W") == ["in W"]


async def test_a_search_uses_the_index(pool: Pool, database: str) -> None:
    """Words and scope are looked up together, so other scopes cost nothing."""
    record = await block(pool, database, "a")
    await keep(pool, extract(record, "cow"))
    async with pool.acquire() as connection:
        await connection.execute("SET enable_seqscan = off")
        plan = await connection.fetch(
            "EXPLAIN SELECT FROM block_texts WHERE words @@ ('''@W'''::tsquery && 'cow'::tsquery)"
        )

    assert "block_texts_words" in "".join(row[0] for row in plan)


async def test_snippets_are_plain_text(pool: Pool, database: str) -> None:
    """Matches are told apart by their place, never by characters that a text could hold."""
    record = await block(pool, database, "a")
    await keep(pool, extract(record, "<b>\ue000 cow \ue001</b> & grass"))
    (hit,) = (await Search(pool).find("W", "cow", trash=False, limit=1, offset=0)).hits

    assert Piece("cow", match=True) in hit.snippet
    assert not any("\ue000" in piece.text for piece in hit.snippet)


async def test_a_snippet_shows_the_match_however_late_it_comes(pool: Pool, database: str) -> None:
    """And the words around it; not how the text begins."""
    record = await block(pool, database, "a")
    await keep(pool, extract(record, f"{'grass ' * 200}one brown cow {'grass ' * 200}"))
    (hit,) = (await Search(pool).find("W", "co", trash=False, limit=1, offset=0)).hits

    assert Piece("cow", match=True) in hit.snippet
    assert "one brown" in hit.snippet[0].text


@pytest.mark.parametrize("trashed", [True, False])
async def test_the_trash_is_apart(pool: Pool, database: str, *, trashed: bool) -> None:
    """And what says that it is gone for good is never found."""
    record = await block(
        pool, database, "a", deletedAt=5, **({} if trashed else {"permanentlyDeletedAt": 5})
    )
    await keep(pool, extract(record, "cow"))

    assert await find(pool, "cow") == []
    assert await find(pool, "cow", trash=True) == (["a"] if trashed else [])
