"""Items and tombstones as they came: read once, compared by one order, never changed.

What is looked at: id, updatedAt (else createdAt), of sessions the status, of attempts the session,
of tombstones type and deletedAt. Everything is checked here, so that nothing later can fail.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import msgspec

from crdt.entries import AT_MAX
from server.adapters.ascently import instants
from server.adapters.ascently.schema import Changes
from server.errors import BadBody

LISTS: Final = ("gyms", "problems", "sessions", "attempts")
TOMBSTONES: Final = "deletedItems"
COLLECTIONS: Final = (*LISTS, TOMBSTONES)

TYPES: Final = {"gym": "gyms", "problem": "problems", "session": "sessions", "attempt": "attempts"}
"""What tombstones call the lists."""

ID_BYTES_MAX: Final = 200
TYPE_BYTES_MAX: Final = 100
"""Together, with what is escaped in a type, they fit into a record's id."""

_NOTHING: Final = instants.parse("1970-01-01")


class Item(NamedTuple):
    """One item, or one tombstone."""

    at: int
    """Nanoseconds since 1970."""
    text: str
    """Its JSON, as it came."""
    collection: str
    key: str
    """Its id; of a tombstone TYPE:ID."""
    id: str
    type: str
    """What a tombstone is of; nothing: whatever has its id."""
    session: str | None
    """The session of an attempt."""
    is_active: bool
    """A session that is still being climbed."""

    @property
    def stamp(self) -> int:
        """The time by which its record is found: microseconds, within what a record can have."""
        return min(max(self.at // 1000, 0), AT_MAX)

    def is_newer(self, other: Item | None) -> bool:
        """Whether this one stands where both came: the later; of equal ones always the same."""
        if other is None:
            return True
        if self.at != other.at or self.text == other.text:
            return self.at > other.at
        return _canonical(self.text) > _canonical(other.text)


def read_changes(changes: Changes) -> list[Item]:
    """All items and tombstones of a body. Raises BadBody, which names the first bad one."""
    return [
        read_item(collection, bytes(raw), f"{collection}[{place}]")
        for collection in COLLECTIONS
        for place, raw in enumerate(getattr(changes, collection) or ())
    ]


def read_item(collection: str, data: bytes, place: str = "") -> Item:
    """One item of a list. Raises BadBody."""
    try:
        text = data.decode()
        said = msgspec.json.decode(text)
        if not isinstance(said, dict):
            raise BadBody(f"{place} is no object")
        if collection == TOMBSTONES:
            return _tombstone(said, text, place)
        name = "updatedAt" if said.get("updatedAt") is not None else "createdAt"
        identity = _text(said, "id", ID_BYTES_MAX, place)
        session = said.get("sessionId")
        return Item(
            at=_instant(said, name, place),
            text=text,
            collection=collection,
            key=identity,
            id=identity,
            type="",
            session=session if isinstance(session, str) else None,
            is_active=collection == "sessions" and str(said.get("status")).lower() == "active",
        )
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise BadBody(f"{place} is not JSON") from None


def _tombstone(said: dict[str, Any], text: str, place: str) -> Item:
    kind = said.get("type")
    kind = "" if kind is None else _text(said, "type", TYPE_BYTES_MAX, place)
    identity = _text(said, "id", ID_BYTES_MAX, place)
    return Item(
        at=_instant(said, "deletedAt", place),
        text=text,
        collection=TOMBSTONES,
        key=tombstone_key(kind, identity),
        id=identity,
        type=kind,
        session=None,
        is_active=False,
    )


def tombstone_key(kind: str, identity: str) -> str:
    """Under which id a tombstone stands: ids may hold a colon, so one in the type is escaped."""
    return f"{kind.replace('%', '%25').replace(':', '%3A')}:{identity}"


def best(items: Iterable[Item]) -> dict[tuple[str, str], Item]:
    """Of several for one place the one that stands, whatever their order."""
    found: dict[tuple[str, str], Item] = {}
    for item in items:
        place = (item.collection, item.key)
        if item.is_newer(found.get(place)):
            found[place] = item
    return found


def _text(said: dict[str, Any], name: str, bytes_max: int, place: str) -> str:
    value = said.get(name)
    if isinstance(value, str) and 0 < len(value.encode()) <= bytes_max and "\0" not in value:
        return value
    raise BadBody(f"{place}.{name} must be a text of 1 to {bytes_max} bytes")


def _instant(said: dict[str, Any], name: str, place: str) -> int:
    value = said.get(name)
    if value is None:
        return _NOTHING
    try:
        return instants.parse(value)
    except (TypeError, ValueError):
        raise BadBody(f"{place}.{name} is not a time") from None


def _canonical(text: str) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(text), order="deterministic")
