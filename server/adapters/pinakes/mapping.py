"""Between requests and what is stored, both ways. Pure.

Paths are taken apart here: what could lead out of a library, or be two files on one device and one
on another, is no path.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from server.adapters.pinakes import schema
from server.adapters.pinakes.deciding import CREATED, DELETED, MODIFIED, MOVED, Reported
from server.adapters.pinakes.walks import Seen
from server.errors import ApiError, BadBody, NotFound
from storage.pinakes.devices import Device
from storage.pinakes.libraries import Change
from storage.pinakes.writing import NO_DEVICE, Conflict

PATH_BYTES_MAX = 1024
PART_BYTES_MAX = 255
LIMIT_MAX = 1000
CURSOR_MAX = (1 << 63) - 1
_NUMBER = re.compile(r"\d{1,19}", re.ASCII)
_HASH = re.compile(r"[0-9a-fA-F]{64}")
_LIMIT = 100
_UNFIT = frozenset({"Cc", "Cs"})


# --- reading -------------------------------------------------------------------------------------


def path_of(text: str) -> str | None:
    """A path in its one form; None for what is none."""
    path = unicodedata.normalize("NFC", text)
    parts = path.split("/")
    is_sound = (
        "\\" not in path
        and not any(unicodedata.category(letter) in _UNFIT for letter in path)
        and len(path.encode("utf-8", "replace")) <= PATH_BYTES_MAX
        and all(part not in {"", ".", ".."} for part in parts)
        and all(len(part.encode()) <= PART_BYTES_MAX for part in parts)
    )
    return path if is_sound else None


def read_path(text: str, field: str) -> str:
    """The path that a field of a body says. Raises BadBody."""
    path = path_of(text)
    if path is None:
        raise BadBody(f"{field} is no path inside a library")
    return path


def read_download(text: str) -> str:
    """The path that a URL says. Raises NotFound."""
    path = path_of(text)
    if path is None:
        raise NotFound
    return path


def read_report(said: schema.Report, place: str) -> Reported:
    """A reported change. Raises BadBody."""
    word = said.change_type
    if word in {CREATED, MODIFIED} and said.content_hash is None:
        raise BadBody(f"{place}.content_hash is missing")
    if word == MOVED and said.old_path is None:
        raise BadBody(f"{place}.old_path is missing")
    path = read_path(said.path, f"{place}.path")
    old_path = None
    if word == MOVED:
        old_path = read_path(said.old_path or "", f"{place}.old_path")
        if old_path == path:
            raise BadBody(f"{place}.old_path is its path")
    return Reported(
        path=path,
        change=word,
        hash=None if word == DELETED else _digest(said.content_hash),
        base=_digest(said.base_hash),
        mtime=None if said.local_mtime is None else msgspec.json.encode(said.local_mtime).decode(),
        old_path=old_path,
    )


def read_cursor(text: str | None) -> int:
    """The cursor of a query; 0 without one. Raises ApiError (400)."""
    if text is None:
        return 0
    if not _NUMBER.fullmatch(text) or int(text) > CURSOR_MAX:
        raise ApiError(400, "bad_cursor", "this cursor was never given out")
    return int(text)


def read_limit(text: str | None) -> int:
    """How many changes a page may have. Raises BadBody."""
    if text is None:
        return _LIMIT
    digits = text.removeprefix("+")
    if not (digits.isascii() and digits.isdigit()) or not digits.strip("0"):
        raise BadBody("limit is a whole number from 1", "the query")
    return min(int(digits[:20]), LIMIT_MAX)


def read_digest(text: str) -> bytes:
    """A SHA-256 of a header. Raises BadBody."""
    if not _HASH.fullmatch(text.strip()):
        raise BadBody("X-Chunk-Hash is not 64 hex digits", "the request")
    return bytes.fromhex(text.strip())


def read_index(text: str) -> int:
    """The number of a chunk. Raises BadBody."""
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise BadBody("the index of a chunk is a whole number from 0", "the path")
    return int(text)


def uuid_of(text: str) -> UUID | None:
    """An id in the form in which it was given out; None for what is none."""
    try:
        return UUID(text) if len(text) == 36 else None
    except ValueError:
        return None


def _digest(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text)


# --- writing -------------------------------------------------------------------------------------


def device(found: Device) -> schema.Device:
    """A device."""
    return schema.Device(
        id=str(found.id),
        name=found.name,
        device_type=found.device_type,  # type: ignore[arg-type]
        client_version=found.client_version,
        os_info=found.os_info,
        enabled=found.enabled,
        sync_cursor=found.sync_cursor,
        last_sync_at=_maybe(found.last_sync_at),
        last_seen_at=_maybe(found.last_seen_at),
        created_at=moment(found.created_at),
        updated_at=moment(found.updated_at),
    )


def changes(
    entries: Iterable[Change], seen: Seen, asking: UUID | None, *, has_more: bool
) -> schema.Changes:
    """A page: without what one device did itself, and moves as one line.

    Its cursor is that of the last line. Only a page without any passes over what is not told.
    """
    lines = []
    reached = seen.cursor
    for entry in entries:
        reached = entry.stamp
        is_own = asking is not None and entry.device == asking
        is_told = entry.has_moved and seen.has(entry.born, entry.stamp)
        if not is_own and not is_told:
            lines.append(change(entry, seen))
    if lines:
        reached = lines[-1].sequence
    return schema.Changes(changes=lines, cursor=reached, has_more=has_more)


def change(entry: Change, seen: Seen) -> schema.Change:
    """A line of the feed for a device: what it has not seen was created."""
    word = entry.change
    from_born = entry.from_born
    is_move = word == MOVED and from_born is not None and seen.has(from_born, entry.stamp)
    if entry.hash is not None and not is_move:
        if not seen.has(entry.born, entry.stamp):
            word = CREATED
        elif word in {CREATED, MOVED}:
            word = MODIFIED
    return schema.Change(
        sequence=entry.stamp,
        change_type=word,  # type: ignore[arg-type]
        path=entry.path,
        old_path=entry.old_path if is_move else None,
        content_hash=_hex(entry.hash),
        file_size=None if entry.hash is None else entry.size,
        device_id=None if entry.device is None else str(entry.device),
        timestamp=moment(entry.changed_at),
        local_mtime=None if entry.mtime is None else msgspec.json.decode(entry.mtime),
    )


def conflict(found: Conflict) -> schema.Conflict:
    """An unresolved conflict."""
    return schema.Conflict(**_conflict(found), resolved_at=None, resolution=None)


def resolved(
    found: Conflict, how: schema.Resolution, at: datetime, path: str, wanted: list[str]
) -> schema.Resolved:
    """A conflict that was resolved."""
    return schema.Resolved(
        **_conflict(found),
        resolved_at=moment(at),
        resolution=how.value,
        resolved_path=path,
        upload_required=wanted,
    )


def _conflict(found: Conflict) -> dict[str, Any]:
    return {
        "id": str(found.id),
        "path": found.path,
        "old_path": found.old_path,
        "change_type": found.change,
        "local_hash": _hex(found.local_hash),
        "server_hash": _hex(found.server_hash),
        "device_id": None if found.device == NO_DEVICE else str(found.device),
        "detected_at": moment(found.detected_at),
    }


def upload_status(
    received: list[int], *, failed: bool, published: bool
) -> Literal["pending", "in_progress", "completed", "failed"]:
    """The word for how far an upload is."""
    if published:
        return "completed"
    if failed:
        return "failed"
    return "in_progress" if received else "pending"


def moment(at: datetime) -> str:
    """A time as this API writes it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _maybe(at: datetime | None) -> str | None:
    return None if at is None else moment(at)


def _hex(digest: bytes | None) -> str | None:
    return None if digest is None else digest.hex()
