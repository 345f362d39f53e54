"""The tables of the database, in an order in which they can be filled, or from the end emptied."""

from __future__ import annotations

from storage.pool import Connection

TABLES = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND c.relkind = 'r'
  AND c.relname NOT IN ('migrations', 'migration_lock')
ORDER BY c.relname
"""
"""Every table but the books of migrations."""
_REFERENCES = """
SELECT k.conrelid::regclass::text AS from_table, k.confrelid::regclass::text AS to_table
FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace
WHERE k.contype = 'f' AND n.nspname = current_schema() AND k.conrelid <> k.confrelid
"""


async def tables_in_order(connection: Connection) -> list[str]:
    """The tables, each behind those that it refers to."""
    rows = await connection.fetch(_REFERENCES)
    needs: dict[str, set[str]] = {row[0]: set() for row in await connection.fetch(TABLES)}
    for row in rows:
        needs[row["from_table"].strip('"')].add(row["to_table"].strip('"'))
    order: list[str] = []
    while needs:
        ready = sorted(name for name, others in needs.items() if not others - set(order))
        assert ready, "the tables refer to one another in a circle"
        order += ready
        for name in ready:
            del needs[name]
    return order
