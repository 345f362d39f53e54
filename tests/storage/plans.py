"""How the database answers a statement, and how many pages that takes."""

import re

from storage.pool import Pool


async def explain(pool: Pool, sql: str, *arguments: str) -> str:
    """How the database answers, with the pages that it touched; the arguments are SQL."""
    for place, argument in enumerate(arguments, 1):
        sql = sql.replace(f"${place}", argument)
    rows = await pool.fetch("EXPLAIN (ANALYZE, BUFFERS, TIMING OFF) " + sql)
    return "\n".join(row[0] for row in rows)


def pages_of(plan: str) -> int:
    """The pages that a plan touched."""
    found = re.search(r"Buffers: shared hit=(\d+)(?: read=(\d+))?", plan)
    assert found, plan
    return int(found[1]) + int(found[2] or 0)
