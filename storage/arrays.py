"""Array types of PostgreSQL, known beforehand.

asyncpg asks each new connection's server what an array type is: a recursive query over the catalogs
that takes PostgreSQL 3 to 10 ms, and whoever waits for that connection as long. The numbers of
built-in types never change.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final, cast

import asyncpg

_ELEMENTS: Final = {
    1000: ("bool", 16),
    1001: ("bytea", 17),
    1005: ("int2", 21),
    1007: ("int4", 23),
    1009: ("text", 25),
    1016: ("int8", 20),
    1022: ("float8", 701),
    1185: ("timestamptz", 1184),
    2951: ("uuid", 2950),
    3807: ("jsonb", 3802),
}
"""By the number of an array type: the name and the number of its elements' type."""


def _told(oid: int) -> Mapping[str, object]:
    """What asyncpg's own query would answer about one of these types."""
    name, element = _ELEMENTS[oid]
    return {
        "oid": oid,
        "ns": "pg_catalog",
        "name": f"_{name}",
        "kind": b"b",
        "basetype": None,
        "elemtype": element,
        "elemdelim": ",",
        "range_subtype": None,
        "attrtypoids": None,
        "attrnames": None,
    }


class _NoStatement:
    """Stands for the query that was not asked; asyncpg wants to know whether it had a name."""

    name = "none"


class KnowingConnection(asyncpg.Connection):
    """A connection that asks its server about types which are not built in, and no others."""

    async def _introspect_types(
        self,
        typeoids: Collection[int],
        timeout: float | None,  # noqa: ASYNC109  asyncpg's
    ) -> tuple[Any, Any]:
        if all(oid in _ELEMENTS for oid in typeoids):
            return [_told(oid) for oid in typeoids], _NoStatement
        asked = super()._introspect_types  # type: ignore[misc]
        return cast("tuple[Any, Any]", await asked(typeoids, timeout))
