"""What an editor may write into a dataset on `/ws`: what leaves it as phones may see it.

A record is an item's JSON at its own time, and not earlier than what it replaces. One that goes
leaves its tombstone in the same update, and nothing stands beside a tombstone that is not older.
"""

from __future__ import annotations

import msgspec

from crdt.entries import Entry
from crdt.layout import Change, Find
from server.adapters.ascently.items import COLLECTIONS, TOMBSTONES, Item, read_item, tombstone_key
from server.adapters.ascently.mapping import DATASET, HELD, KINDS, META, lists_of
from server.errors import BadBody


def allows(change: Change, find: Find) -> bool:
    """Whether a change that a peer made leaves the dataset sound."""
    if change.collection == META:
        return change.key == DATASET and change.new is not None and _is_object(change.new)
    item = _item_of(change)
    if change.new is not None and (item is None or item.is_active):
        return False
    if item is not None and change.old is not None and change.old.get("at", 0) > item.stamp:
        return False
    if change.collection == TOMBSTONES:
        return item is None or not _outlives(item, find)
    return change.collection == HELD or _fits(change, item, find)


def _outlives(stone: Item, find: Find) -> bool:
    """Whether something stands that a tombstone should have removed."""
    found = (find(name, stone.id) for name in lists_of(stone))
    return any(entry is not None and entry["at"] <= stone.stamp for entry in found)


def _fits(change: Change, item: Item | None, find: Find) -> bool:
    """Whether an item, or its absence, fits its tombstones."""
    keys = (tombstone_key(kind, change.key) for kind in (KINDS[change.collection], ""))
    stones = [each["at"] for each in (find(TOMBSTONES, key) for key in keys) if each is not None]
    if item is not None:
        return all(at < item.stamp for at in stones)
    return change.old is None or any(at >= change.old.get("at", 0) for at in stones)


def _item_of(change: Change) -> Item | None:
    """The item that a change writes, if it stands where it belongs and at its time."""
    value = None if change.new is None else change.new.get("value")
    if change.new is None or not isinstance(value, str):
        return None
    name = "attempts" if change.collection == HELD else change.collection
    try:
        item = read_item(name, value.encode())
    except BadBody:
        return None
    return item if (item.key, item.stamp) == (change.key, change.new.get("at")) else None


def _is_object(entry: Entry) -> bool:
    value = entry.get("value")
    if "at" in entry or not isinstance(value, str):
        return False
    try:
        said = msgspec.json.decode(value)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return False
    return isinstance(said, dict) and not said.keys() & set(COLLECTIONS)
