"""Which tables name an account, and as what."""

from __future__ import annotations

import msgspec

from storage.pool import Asked

OWNING = ("account", "owner", "creator", "payer")
"""A row that has the account here is the account's."""
WRITING = ("author",)
"""A row that has the account here says who wrote something."""


class Column(msgspec.Struct, frozen=True):
    """A column that holds accounts."""

    table: str
    name: str
    is_nullable: bool


_COLUMNS = """
SELECT c.table_name, c.column_name, c.is_nullable = 'YES' AS is_nullable
FROM information_schema.columns c
JOIN information_schema.tables t USING (table_schema, table_name)
WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE'
  AND c.column_name = ANY ($1) AND c.data_type = 'text'
ORDER BY c.table_name, c.column_name
"""


async def columns(asked: Asked, names: tuple[str, ...]) -> list[Column]:
    """Every column of one of these names."""
    return [Column(*row) for row in await asked.fetch(_COLUMNS, list(names))]
