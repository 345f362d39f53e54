"""Array types that connections know without asking."""

from typing import Any

import asyncpg

from storage import arrays
from storage.arrays import KnowingConnection

_CATALOG = "select typname, typelem, typdelim, typtype from pg_type where oid = $1"


async def _connect(database: str) -> tuple[Any, list[str]]:
    """A connection, and the queries that it sends from then on."""
    connection = await asyncpg.connect(database, connection_class=KnowingConnection)
    queries: list[str] = []
    connection.add_query_logger(lambda query: queries.append(query.query))
    return connection, queries


async def test_what_is_known_is_what_the_catalog_says(database: str) -> None:
    """Number, name, element and delimiter of each type are those of the server."""
    connection, _ = await _connect(database)
    for oid in arrays._ELEMENTS:
        told = arrays._told(oid)
        found = await connection.fetchrow(_CATALOG, oid)

        assert (told["name"], told["elemtype"]) == (found["typname"], found["typelem"])
        assert (told["elemdelim"], told["kind"]) == (found["typdelim"].decode(), found["typtype"])
    await connection.close()


async def test_known_arrays_are_used_without_a_question(database: str) -> None:
    """Each type goes there and comes back the same, and only our own query is sent."""
    connection, queries = await _connect(database)
    for name, _ in arrays._ELEMENTS.values():
        made = await connection.fetchval(f"select array[null, null]::{name}[]")

        assert await connection.fetchval(f"select $1::{name}[]", made) == [None, None], name
    assert await connection.fetchval("select $1::bytea[]", [b"a", b""]) == [b"a", b""]
    assert await connection.fetchval("select $1::bigint[]", [1, -(1 << 60)]) == [1, -(1 << 60)]

    await connection.close()  # The logger hears of a query a moment later.
    assert queries
    assert not [query for query in queries if "typeinfo" in query]


async def test_other_arrays_are_asked_for(database: str) -> None:
    """A type that is not on the list is looked up as before."""
    connection, queries = await _connect(database)

    found = await connection.fetchval("select array['1.2.3.4'::inet]")

    assert [str(one) for one in found] == ["1.2.3.4"]
    await connection.close()
    assert [query for query in queries if "typeinfo" in query]
