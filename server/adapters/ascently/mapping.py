"""A dataset and its document, both ways. Pure: `write_…` change a document, `read_…` look at one.

The document is looked at first and written last, and only where something changes, so that sending
the same again stores nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from crdt.entries import AT_MAX
from crdt.records import Collection
from server.adapters.ascently.items import (
    COLLECTIONS,
    LISTS,
    TOMBSTONES,
    TYPES,
    Item,
    best,
    read_item,
    tombstone_key,
)

__all__ = ["COLLECTIONS"]

HELD: Final = "held"
META: Final = "meta"
DATASET: Final = "dataset"
KINDS: Final = {collection: kind for kind, collection in TYPES.items()}

Texts = dict[str, list[str]]
"""The JSON of items by collection."""
Place = tuple[str, str]
"""A collection and a key in it."""


# --- writing ---------------------------------------------------------------------------------


def write_delta(doc: Any, items: Iterable[Item], now: str) -> list[Place]:  # noqa: ANN401
    """Merge what one device changed: whatever is newest stands, in whatever order it came.

    Answers where something newer stands than was sent: a device whose clock is slow has written
    over that and would else never hear that it lost.
    """
    newer: list[Place] = []
    changed = False
    for item in _without_active(doc, best(items)).values():
        winner = _winner(doc, item)
        if winner is None:
            changed |= _write(doc, item)
        elif winner.text != item.text:
            newer.append((winner.collection, winner.key))
    if changed or Collection.of(doc, META).find(DATASET) is None:
        _put_meta(doc, _said(doc) | {"exportedAt": now})
    return newer


def write_dataset(doc: Any, items: Iterable[Item], said: Mapping[str, Any], now: str) -> None:  # noqa: ANN401
    """Replace the whole dataset by an upload; what is not in it is gone without a tombstone."""
    held = Collection.of(doc, HELD)
    for key, _ in held.all():
        held.forget(key)
    wanted = best(items)
    active = {item.id for item in wanted.values() if item.is_active}
    waiting = {
        place: item
        for place, item in wanted.items()
        if item.collection == "attempts" and item.session in active
    }
    lost = _losers(wanted) | waiting.keys()
    standing = {
        place: item for place, item in wanted.items() if place not in lost and not item.is_active
    }
    for name in COLLECTIONS:
        collection = Collection.of(doc, name)
        gone = {key for key, _ in collection.all()}
        for (place, key), item in standing.items():
            if place == name:
                gone.discard(key)
                _put(collection, item)
        for key in gone:
            collection.forget(key)
    for item in waiting.values():
        _put(held, item)
    defaults = {"exportedAt": now, "version": "2.0", "formatVersion": "2.0"}
    _put_meta(doc, defaults | {key: value for key, value in said.items() if value is not None})


def _losers(wanted: Mapping[Place, Item]) -> set[Place]:
    """What of one upload does not stand: the older of each tombstone and what it is of."""
    lost: set[Place] = set()
    for place, stone in wanted.items():
        for name in lists_of(stone) if stone.collection == TOMBSTONES else ():
            other = wanted.get((name, stone.id))
            if other is not None and not other.is_active:
                lost.add(place if other.at > stone.at else (name, stone.id))
    return lost


def _without_active(
    doc: Any,  # noqa: ANN401
    incoming: dict[tuple[str, str], Item],
) -> dict[tuple[str, str], Item]:
    """Sessions that are being climbed are not taken, and their attempts wait for them."""
    sessions, held = Collection.of(doc, "sessions"), Collection.of(doc, HELD)
    active = {
        item.id for item in incoming.values() if item.is_active and sessions.find(item.id) is None
    }
    ended = {item.id for item in incoming.values() if item.collection == "sessions"} - active
    # Those that wait are read where a session came that they may wait for, and not with each delta.
    waiting = _records(doc, HELD) if ended else {}
    released = [item for item in waiting.values() if item.session in ended]
    for item in released:
        held.forget(item.key)
    taken = best([*released, *(item for item in incoming.values() if not item.is_active)])
    for place, item in list(taken.items()):
        if item.collection == "attempts" and item.session in active:
            del taken[place]
            if item.is_newer(_find_held(doc, item.key)):
                _put(held, item)
        elif item.collection == TOMBSTONES and item.type in ("attempt", ""):
            held.forget(item.id)
    return taken


def _winner(doc: Any, item: Item) -> Item | None:  # noqa: ANN401
    """What stands against an item or a tombstone and is not to be replaced by it."""
    same = _find(doc, item.collection, item.key)
    if item.collection == TOMBSTONES:
        others = [_find(doc, name, item.id) for name in lists_of(item)]
        stronger = [other for other in others if other is not None and other.at > item.at]
    else:
        stones = [_find(doc, TOMBSTONES, key) for key in _stone_keys(item)]
        stronger = [stone for stone in stones if stone is not None and stone.at >= item.at]
    if stronger:
        return stronger[0]
    return None if item.is_newer(same) else same


def _write(doc: Any, item: Item) -> bool:  # noqa: ANN401
    """Put what won into its place, and take away what it won over."""
    if item.collection == TOMBSTONES:
        for name in lists_of(item):
            Collection.of(doc, name).forget(item.id)
    else:
        for key in _stone_keys(item):
            Collection.of(doc, TOMBSTONES).forget(key)
    return _put(Collection.of(doc, item.collection), item)


def lists_of(stone: Item) -> list[str]:
    """The lists that a tombstone is of."""
    return [TYPES[stone.type]] if stone.type in TYPES else [] if stone.type else list(LISTS)


def _stone_keys(item: Item) -> tuple[str, str]:
    return tombstone_key(KINDS[item.collection], item.id), tombstone_key("", item.id)


def _put(collection: Collection, item: Item) -> bool:
    return collection.put(item.key, item.text, item.stamp)


def _put_meta(doc: Any, said: Mapping[str, Any]) -> None:  # noqa: ANN401
    Collection.of(doc, META).put(DATASET, msgspec.json.encode(said).decode())


# --- reading ---------------------------------------------------------------------------------


def read_dataset(doc: Any) -> bytes | None:  # noqa: ANN401
    """The whole dataset as JSON; None where nothing was ever written."""
    if Collection.of(doc, META).find(DATASET) is None and not any(
        len(Collection.of(doc, name)) for name in COLLECTIONS
    ):
        return None
    parts = [f"{_json(key)}:{_json(value)}" for key, value in _said(doc).items()]
    for name in COLLECTIONS:
        texts = [value for _, value in Collection.of(doc, name).items() if isinstance(value, str)]
        parts.append(f"{_json(name)}:[{','.join(texts)}]")
    return f"{{{','.join(parts)}}}".encode()


def read_changed(doc: Any, cursor: int, received: Iterable[Place]) -> Texts:  # noqa: ANN401
    """What is later than the cursor (nanoseconds), and what came here after it."""
    places = dict.fromkeys(received)
    stamp = min(max(cursor // 1000, 0), AT_MAX)
    for name in COLLECTIONS:
        for key, record in Collection.of(doc, name).changed_since(stamp - 1):
            at = record.at or 0
            # Within one microsecond the text decides.
            if at > stamp or _is_later(name, record.value, cursor):
                places[name, key] = None
    found: Texts = {name: [] for name in COLLECTIONS}
    for name, key in places:
        value = Collection.of(doc, name).get(key)
        if isinstance(value, str):
            found[name].append(value)
    return found


def _is_later(name: str, value: object, cursor: int) -> bool:
    return isinstance(value, str) and read_item(name, value.encode()).at > cursor


def _find(doc: Any, collection: str, key: str) -> Item | None:  # noqa: ANN401
    value = Collection.of(doc, collection).get(key)
    return read_item(collection, value.encode()) if isinstance(value, str) else None


def _find_held(doc: Any, key: str) -> Item | None:  # noqa: ANN401
    value = Collection.of(doc, HELD).get(key)
    return read_item("attempts", value.encode()) if isinstance(value, str) else None


def _records(doc: Any, name: str) -> dict[str, Item]:  # noqa: ANN401
    return {
        key: read_item("attempts", value.encode())
        for key, value in Collection.of(doc, name).items()
        if isinstance(value, str)
    }


def _said(doc: Any) -> dict[str, Any]:  # noqa: ANN401
    value = Collection.of(doc, META).get(DATASET)
    said = msgspec.json.decode(value) if isinstance(value, str) else {}
    return {"exportedAt": "", "version": "2.0", "formatVersion": "2.0"} | said


def _json(value: Any) -> str:  # noqa: ANN401
    return msgspec.json.encode(value).decode()
