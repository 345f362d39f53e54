"""Ascently: one climber's gyms, problems, sessions and attempts, synced whole or by delta.

An account's dataset is one document of kind `ascently` in a scope of its own, on `/ws` as
`ascently/ACCOUNT` for its owner. Its collections:

    gyms, problems, sessions, attempts   id -> the item's JSON text, at its updatedAt
    deletedItems                         TYPE:ID -> the tombstone's JSON text, at its deletedAt
    held                                 id -> an attempt whose session is still being climbed
    meta                                 "dataset" -> JSON of what else the last upload said

`at` is in microseconds. The later `updatedAt` wins, a deletion wins over what is not later than it;
who sent what lost is answered with what won.
When the server received what is told by the feed of records, so no item is ever changed here.
Images lie in the blob store. Callers show a personal token scoped `ascently`; errors are worded
`{"error": "<sentence>"}`.
"""

from http import HTTPStatus
from typing import Any

import msgspec

from crdt.layout import Layout
from server.adapter import Adapter
from server.adapters.ascently.datasets import install
from server.adapters.ascently.editing import allows
from server.adapters.ascently.mapping import COLLECTIONS, HELD, META
from server.adapters.ascently.routes import ROUTES
from server.errors import Fault
from storage.ascently import KIND


class Refusal(msgspec.Struct, kw_only=True):
    """An error."""

    error: str
    """One sentence."""


def error_body(fault: Fault) -> dict[str, Any]:
    """One sentence."""
    is_nobody = fault.status == HTTPStatus.UNAUTHORIZED
    return {"error": "Unauthorized" if is_nobody else fault.message}


ADAPTER = Adapter(
    name="ascently",
    routes=ROUTES,
    error_body=error_body,
    error=Refusal,
    about=__doc__,
    records={KIND: COLLECTIONS},
    layouts={KIND: Layout((*COLLECTIONS, HELD, META), allows)},
    is_closed=True,
    install=install,
)
