"""Profiles and their documents, both ways. Pure: `write_…` change a document, `read_…` look at one.

Items carry the order in which they came: `at` is the millisecond of their batch, times a thousand,
and of one batch the first counts as the newest, because clients upload the newest first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import UNSET

from crdt.entries import AT_MAX, Entry
from crdt.layout import Change, Find
from crdt.records import Collection
from server.adapters.difflog.counting import ITEMS, Counted, Place, size_of
from server.adapters.difflog.schema import Item, Metadata, Sync

__all__ = ["ITEMS"]

HASHES: Final = ("diffs_hash", "stars_hash", "tldrs_hash")
DIFFS_MAX: Final = 50
"""Diffs that a profile keeps: the newest."""

_LISTS: Final = ("languages", "frameworks", "tools", "topics")
_DEFAULTS: Final[Mapping[str, Any]] = {
    "name": "",
    **{name: [] for name in _LISTS},
    "depth": "standard",
    "custom_focus": None,
}
_PLACES: Final = 1000
"""Places of one batch that are told apart; far more than are kept."""


class Room(msgspec.Struct, frozen=True):
    """What one profile may take."""

    bytes_max: int
    items_max: int


class Stored(msgspec.Struct, frozen=True):
    """What a profile's document says beside its items."""

    metadata: dict[str, Any]
    resolved_sources: str
    """JSON; "null" where there are none."""
    hashes: dict[str, str | None]
    content_updated_at: str | None


# --- metadata ------------------------------------------------------------------------------------


def metadata_of(fields: Metadata, *, whole: bool = False) -> dict[str, Any]:
    """The fields that are to be written: those that were sent, or all with their defaults."""
    found: dict[str, Any] = {}
    for name, default in _DEFAULTS.items():
        value = getattr(fields, name)
        if value is not UNSET:
            found[name] = value or default
        elif whole:
            found[name] = default
    return found


def write_metadata(doc: Any, fields: Mapping[str, Any], sources: str | None = None) -> None:  # noqa: ANN401
    """Set fields of the profile; `sources` is JSON."""
    profile = Collection.of(doc, "profile")
    for name, value in fields.items():
        profile.put(name, value)
    if sources is not None:
        profile.put("resolved_sources", sources)


def write_updated(doc: Any, now: str) -> None:  # noqa: ANN401
    """Say when the content changed last."""
    Collection.of(doc, "meta").put("content_updated_at", now)


def read_stored(doc: Any) -> Stored:  # noqa: ANN401
    """Everything but the items."""
    profile, meta = Collection.of(doc, "profile"), Collection.of(doc, "meta")
    fields = {}
    for name, default in _DEFAULTS.items():
        found = profile.find(name)
        fields[name] = default if found is None else found.value
    return Stored(
        metadata=fields,
        resolved_sources=_text(profile.get("resolved_sources")) or "null",
        hashes={name: _text(meta.get(name)) for name in HASHES},
        content_updated_at=_text(meta.get("content_updated_at")),
    )


# --- items ---------------------------------------------------------------------------------------


def read_items(doc: Any, name: str) -> list[Item]:  # noqa: ANN401
    """The items of one collection, newest first."""
    found = [
        (record.at or 0, key, record.value)
        for key, record in Collection.of(doc, name).all()
        if isinstance(record.value, str)
    ]
    found.sort(key=lambda one: one[0], reverse=True)
    return [Item(key, str(value)) for _, key, value in found]


def read_diff(doc: Any, diff: str) -> str | None:  # noqa: ANN401
    """One diff as it was uploaded."""
    return _text(Collection.of(doc, "diffs").get(diff))


def read_public(doc: Any) -> list[str]:  # noqa: ANN401
    """The ids of the diffs that anybody may read."""
    return [item.id for item in read_items(doc, "diffs") if is_public(item.encrypted_data)]


def is_public(text: str) -> bool:
    """Whether a diff is published: plain JSON, where ciphertext is base64."""
    return text.startswith("{")


def write_sync(doc: Any, sync: Sync, now_ms: int, room: Room) -> bool:  # noqa: ANN401
    """Take in one upload: items, then deletions, then the cap, then what else it says.

    False, and nothing is written, where the profile would take more than it may.
    """
    uploads = {name: getattr(sync, name) or [] for name in ITEMS}
    deletions = {
        "diffs": sync.deleted_diff_ids or [],
        "stars": sync.deleted_star_ids or [],
        "tldrs": sync.deleted_tldr_ids or [],
    }
    if not write_items(doc, uploads, deletions, now_ms, room):
        return False
    meta = Collection.of(doc, "meta")
    for name in HASHES:
        value = getattr(sync, name)
        if value:
            meta.put(name, value)
    sources = None if sync.resolved_sources is UNSET else bytes(sync.resolved_sources).decode()
    fields = metadata_of(sync.profile) if sync.profile is not None else {}
    write_metadata(doc, fields, None if sources in _NOTHING else sources)
    return True


_NOTHING: Final = ("null", "false", "0", '""')


def write_anew(
    doc: Any,  # noqa: ANN401
    stored: Stored,
    uploads: Mapping[str, Sequence[Item]],
    now: str,
    room: Room,
) -> bool:
    """Fill a new document with the items of a new password, and what the old one said beside."""
    if not write_items(doc, uploads, {}, 0, room):
        return False
    write_metadata(doc, stored.metadata, stored.resolved_sources)
    meta = Collection.of(doc, "meta")
    for name, value in stored.hashes.items():
        if value is not None:
            meta.put(name, value)
    write_updated(doc, now)
    return True


def write_items(
    doc: Any,  # noqa: ANN401
    uploads: Mapping[str, Sequence[Item]],
    deletions: Mapping[str, Iterable[str]],
    now_ms: int,
    room: Room,
) -> bool:
    """Items and deletions of all collections; False, and nothing is written, where it is full.

    Looks at what is sent, and at the diffs, of which there are few; the others are counted already.
    """
    counted = Counted.of(doc)
    batch = min(max(now_ms, counted.latest // _PLACES + 1), AT_MAX // _PLACES - 1)
    after: dict[str, dict[str, Place | None]] = {name: {} for name in ITEMS}
    texts: dict[str, dict[str, str]] = {name: {} for name in ITEMS}
    for name, items in uploads.items():
        for place, item in enumerate(items):
            at = batch * _PLACES + _PLACES - 1 - min(place, _PLACES - 1)
            after[name][item.id] = Place(size_of(item.id, item.encrypted_data), at)
            texts[name][item.id] = item.encrypted_data
    for name, gone in deletions.items():
        after[name].update(dict.fromkeys(gone))
    _cascade(counted, after["tldrs"], deletions.get("diffs", ()))
    _cap(counted, after["diffs"])
    if not _fits(counted, after, room):
        return False
    for name in ITEMS:
        collection = Collection.of(doc, name)
        for key, wanted in after[name].items():
            if wanted is None:
                collection.forget(key)
            else:
                _put(collection, key, texts[name][key], wanted.at)
    return True


Changes = dict[str, Place | None]
"""What becomes of items; None: they go."""


def _cascade(counted: Counted, tldrs: Changes, diffs: Iterable[str]) -> None:
    """Summaries go with their diff; stars do not."""
    prefixes = tuple(f"{diff}:" for diff in diffs)
    if prefixes:
        for key in [*counted.places("tldrs"), *tldrs]:
            if key.startswith(prefixes):
                tldrs[key] = None


def _cap(counted: Counted, diffs: Changes) -> None:
    merged = {**counted.places("diffs"), **diffs}
    standing = {key: place.at for key, place in merged.items() if place is not None}
    oldest_first = sorted(standing, key=lambda key: standing[key])
    diffs.update(dict.fromkeys(oldest_first[: max(0, len(standing) - DIFFS_MAX)]))


def _fits(counted: Counted, after: Mapping[str, Changes], room: Room) -> bool:
    size = counted.size
    for name, changes in after.items():
        places = counted.places(name)
        count = len(places)
        for key, place in changes.items():
            before = places.get(key)
            count += (place is not None) - (before is not None)
            size += (0 if place is None else place.size) - (0 if before is None else before.size)
        if count > room.items_max:
            return False
    return size <= room.bytes_max


def _put(collection: Collection, key: str, text: str, at: int) -> None:
    """The last arrival stands, whatever time a peer gave to what stood there."""
    found = collection.find(key)
    if found is not None and (found.at or AT_MAX) >= at:
        collection.forget(key)
    collection.put_latest(key, text, at)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


# --- what an editor may write ----------------------------------------------------------------


def allows(change: Change, _: Find) -> bool:
    """Whether a change that a peer made leaves a record of ours, or nothing."""
    return change.new is None or is_sound(change.collection, change.key, change.new)


def is_sound(collection: str, key: str, entry: Entry) -> bool:
    """Whether something that a peer wrote into the document is a record of ours."""
    value = entry.get("value")
    if collection in ITEMS:
        return isinstance(value, str) and "at" in entry
    if "at" in entry:
        return False
    if collection == "meta":
        return key in (*HASHES, "content_updated_at") and isinstance(value, str)
    if key in _LISTS:
        return isinstance(value, list) and all(isinstance(each, str) for each in value)
    if key == "resolved_sources":
        return isinstance(value, str) and _is_json(value)
    return isinstance(value, str) if key in ("name", "depth") else _is_focus(key, value)


def _is_focus(key: str, value: object) -> bool:
    return key == "custom_focus" and (value is None or isinstance(value, str))


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return False
    return True
