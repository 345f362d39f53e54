"""difflog: password-protected profiles of ciphertext that the server cannot read.

A profile is one document of kind `difflog` in a scope of its own. Its collections:

    diffs, stars, tldrs   id -> the item as it was uploaded, with the order in which it came
    profile               name, languages, … and resolved_sources as JSON
    meta                  diffs_hash, stars_hash, tldrs_hash as the client sent them;
                          content_updated_at

The last arrival replaces an item, and a deleted one leaves nothing. The password, its lock-out and
the ciphertext of the API keys stay outside (`storage/difflog.py`), because everybody in the room
reads a document. On `/ws` it is `difflog/PROFILE`, with the same password and lock-out.

Callers show, in a body or a query, the hash that the client made of the password; errors are worded
`{"error": "<sentence>"}` with what else the client shows.
"""

from typing import Any

import msgspec

from crdt.layout import Layout
from server.adapter import Adapter
from server.adapters.difflog.mapping import ITEMS, allows
from server.adapters.difflog.profiles import install
from server.adapters.difflog.routes import ROUTES
from server.errors import Fault
from storage.difflog import KIND


def error_body(fault: Fault) -> dict[str, Any]:
    """One sentence, and what the client shows beside it."""
    return {"error": fault.message, **fault.facts}


class Refusal(msgspec.Struct, kw_only=True):
    """An error. After a wrong password it says how many are left, or for how long it is locked."""

    error: str
    """One sentence."""
    attempts_remaining: int | msgspec.UnsetType = msgspec.UNSET
    locked: bool | msgspec.UnsetType = msgspec.UNSET
    retry_after_seconds: int | msgspec.UnsetType = msgspec.UNSET


ADAPTER = Adapter(
    name="difflog",
    routes=ROUTES,
    error_body=error_body,
    error=Refusal,
    about=__doc__,
    schemes={
        "passwordHash": {
            "type": "apiKey",
            "in": "query",
            "name": "password_hash",
            "description": "What the client made of the password; in the body where there is one.",
        }
    },
    layouts={KIND: Layout((*ITEMS, "profile", "meta"), allows)},
    install=install,
)
