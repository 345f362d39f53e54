"""Full text search in one scope, over titles and texts, by PostgreSQL itself.

The words of a question must all be there; `"words in a row"`, `or` and `-without` are understood,
and the last word may be unfinished, since people search while they type. Words are not bent to
their stems: a workspace has no one language.
"""

from __future__ import annotations

import msgspec

from storage.errors import reaching
from storage.extracts import storable
from storage.pool import Pool

QUERY_CHARACTERS_MAX = 200
_START, _STOP = "\ue000", "\ue001"
"""Around a match in a snippet; private characters, which are taken out of the text before."""
_HEADLINE = f"StartSel={_START}, StopSel={_STOP}, MaxFragments=2, MinWords=8, MaxWords=24"
_HEADLINE_CHARACTERS = 100_000


class Piece(msgspec.Struct, frozen=True):
    """A piece of a snippet, and whether it is what was searched for."""

    text: str
    match: bool


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """A document that has the words."""

    name: str
    title: str
    trashed_at: int | None
    rank: float
    snippet: list[Piece]


class Hits(msgspec.Struct, frozen=True, kw_only=True):
    """One page of what was found, best first."""

    hits: list[Hit]
    total: int


_FIND = """
WITH asked AS (SELECT websearch_to_tsquery('simple', $2) AS words),
bare AS (
    SELECT CASE
        WHEN words::text ~ '(^|[^!])''[^'']*''$' THEN (words::text || ':*')::tsquery ELSE words
    END AS words
    FROM asked WHERE numnode(words) > 0
),
query AS (
    SELECT ('''' || replace('@' || $1, '''', '''''') || '''')::tsquery && words AS words FROM bare
),
found AS (
    SELECT t.document, d.name, t.title, b.trashed_at, count(*) OVER () AS total,
           ts_rank(t.words, q.words) AS rank
    FROM block_texts t JOIN query q ON t.words @@ q.words
    JOIN documents d ON d.id = t.document AND d.deleted_at IS NULL
    LEFT JOIN blocks b ON b.document = t.document
    WHERE t.scope = $1 AND (b.removed_at IS NULL) AND ($3 OR b.trashed_at IS NULL)
    ORDER BY rank DESC, t.document LIMIT $4 OFFSET $5
)
SELECT f.name, f.title, f.trashed_at, f.rank, f.total,
       ts_headline('simple', translate(left(t.body, $7), $8, ''), bare.words, $6) AS snippet
FROM found f JOIN block_texts t ON t.document = f.document CROSS JOIN bare
ORDER BY f.rank DESC, f.document
"""


class Search:
    """Questions to the words that `extracts` keeps."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, scope: str, query: str, *, trash: bool, limit: int, offset: int) -> Hits:
        """What in a scope has the words of `query`, in the trash too with `trash`.

        Raises Unavailable.
        """
        with reaching():
            rows = await self._pool.fetch(
                _FIND,
                scope,
                storable(query[:QUERY_CHARACTERS_MAX]),
                trash,
                limit,
                offset,
                _HEADLINE,
                _HEADLINE_CHARACTERS,
                _START + _STOP,
            )
        hits = [
            Hit(
                name=row["name"],
                title=row["title"],
                trashed_at=row["trashed_at"],
                rank=round(row["rank"], 6),
                snippet=_pieces(row["snippet"]),
            )
            for row in rows
        ]
        return Hits(hits=hits, total=rows[0]["total"] if rows else 0)


def _pieces(snippet: str) -> list[Piece]:
    first, *rest = snippet.split(_START)
    pieces = [Piece(first, match=False)]
    for part in rest:
        match, _, after = part.partition(_STOP)
        pieces += [Piece(match, match=True), Piece(after, match=False)]
    return [piece for piece in pieces if piece.text]
