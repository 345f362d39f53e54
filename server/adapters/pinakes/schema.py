"""Request and reply bodies. The page names no fields: these are ours, and this is their schema."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

DeviceType = Literal["desktop", "mobile", "tablet", "server", "other"]
Hash = Annotated[
    str,
    Meta(
        pattern="^[0-9a-fA-F]{64}$",
        examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    ),
]
"""SHA-256 of the whole content in hex."""
Name = Annotated[
    str, Meta(min_length=1, max_length=100, pattern=r"^[^\u0000]*[^\s\u0000][^\u0000]*$")
]
Said = Annotated[str, Meta(max_length=200, pattern=r"^[^\u0000]*$")]
Path = Annotated[str, Meta(min_length=1, max_length=1024, examples=["photos/2026/lake.jpg"])]
"""Relative, with `/` between its parts, at most 1,024 bytes of UTF-8; taken in Unicode's form C."""
ChangeType = Literal["created", "modified", "deleted", "moved", "metadata_updated"]
Moment = Annotated[str, Meta(examples=["2026-03-22T20:58:28.000Z"])]
"""RFC 3339."""
Mtime = (
    Annotated[int, Meta(ge=-(1 << 53), le=1 << 53)] | float | Annotated[str, Meta(max_length=64)]
)
"""When the file was changed on the device, in whatever form the device likes: it is given back."""
Cursor = Annotated[int, Meta(ge=0)]

# --- devices -------------------------------------------------------------------------------------


class NewDevice(Struct, kw_only=True):
    """Body of POST /devices."""

    name: Name
    device_type: DeviceType = "other"
    client_version: Said | None = None
    os_info: Said | None = None


class DeviceUpdate(Struct, kw_only=True):
    """Body of PUT /devices/{id}: what is left out stays."""

    name: Name | UnsetType = UNSET
    device_type: DeviceType | UnsetType = UNSET
    client_version: Said | UnsetType | None = UNSET
    os_info: Said | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET
    """A device that is not enabled syncs nothing, and nothing is kept for it."""


class Device(Struct, kw_only=True):
    """A device."""

    id: str
    name: str
    device_type: DeviceType
    client_version: str | None
    os_info: str | None
    enabled: bool
    sync_cursor: int
    """What it has acknowledged; 0: nothing."""
    last_sync_at: Moment | None
    """When it last acknowledged something."""
    last_seen_at: Moment | None
    created_at: Moment
    updated_at: Moment


class DeviceWithToken(Struct, kw_only=True):
    """A device and its token, which is shown this once."""

    device: Device
    device_token: str
    """Says which device asks, as X-Device-Token; it opens nothing without the account's own."""


# --- changes -------------------------------------------------------------------------------------


class ByDevice(Struct, kw_only=True):
    """Headers that say which device asks."""

    device_token: str | None = msgspec.field(name="X-Device-Token", default=None)


class ChangesQuery(Struct, kw_only=True):
    """Query of GET /changes."""

    cursor: str | None = None
    """That of the last page; without one from the start."""
    limit: str | None = None
    """100 without it, 1,000 at most."""
    device_id: str | None = None
    """In place of X-Device-Token."""


class Change(Struct, kw_only=True):
    """The latest state of a path."""

    sequence: int
    change_type: ChangeType
    path: str
    old_path: str | None
    """Of what was moved: where it was, and is no more; nothing else is told of that path. What the
    device has there may be an older version than what was moved: compare the hash."""
    content_hash: Hash | None
    """None where it was deleted."""
    file_size: int | None
    device_id: str | None
    """The device that changed it; None where no device has this version yet, a merge for one."""
    timestamp: Moment
    local_mtime: Mtime | None


class Changes(Struct, kw_only=True):
    """A page of changes, oldest first."""

    changes: list[Change]
    cursor: int
    has_more: bool


class Acknowledge(Struct, kw_only=True):
    """Body of POST /ack."""

    cursor: Cursor
    device_id: str | None = None


class Acknowledged(Struct, kw_only=True):
    """Reply of POST /ack."""

    cursor: int
    """What the device has acknowledged so far: it only moves forward."""


class Report(Struct, kw_only=True):
    """A change that a device made."""

    path: Path
    change_type: ChangeType
    content_hash: Hash | None = None
    """Needed for what was created or modified."""
    file_size: Annotated[int, Meta(ge=0, le=1 << 50)] | None = None
    local_mtime: Mtime | None = None
    base_hash: Hash | None = None
    """The version on which it was made. Without one only what is not there is written, and what is
    deleted is deleted whatever it is."""
    old_path: Path | None = None
    """Needed for what was moved."""


class Reports(Struct, kw_only=True):
    """Body of POST /report."""

    changes: list[Report]
    device_id: str | None = None


class Conflict(Struct, kw_only=True):
    """Two versions that cannot be merged; the server's stands until somebody decides."""

    id: str
    path: str
    old_path: str | None
    change_type: ChangeType
    local_hash: Hash | None
    """The device's version; None: it deleted the file. Uploaded, it is kept until then."""
    server_hash: Hash | None
    """None: the file is gone here."""
    device_id: str | None
    detected_at: Moment
    resolved_at: Moment | None
    resolution: str | None


class Reported(Struct, kw_only=True):
    """Reply of POST /report."""

    accepted: list[str]
    conflicts: list[Conflict]
    upload_required: list[str]
    """Accepted, and told to the other devices once their bytes are here."""


class Resolution(Enum):
    """How a conflict is resolved."""

    SERVER_WINS = "server_wins"
    CLIENT_WINS = "client_wins"
    KEEP_BOTH = "keep_both"
    MANUAL = "manual"


class Resolve(Struct, kw_only=True):
    """Body of POST /conflicts/{id}/resolve."""

    resolution: Resolution
    content_hash: Hash | None = None
    """For `manual`: the version that is to stand."""


class Resolved(Conflict, kw_only=True):
    """A conflict that is no more."""

    resolved_path: str
    """Where the device's version is, or will be once it is uploaded."""
    upload_required: list[str]


# --- uploads -------------------------------------------------------------------------------------


class BeginUpload(Struct, kw_only=True):
    """Body of POST /upload."""

    target_path: Path
    expected_size: Annotated[int, Meta(ge=0, le=1 << 50)]
    expected_hash: Hash
    hash_algorithm: Literal["sha256"] = "sha256"
    chunk_size: Annotated[int, Meta(ge=1, le=1 << 50)] | None = None
    """Bytes of each chunk but the last, 64 KiB to 16 MiB; the reply says which are taken."""
    device_id: str | None = None


class Upload(Struct, kw_only=True):
    """An upload in chunks, and how far it is."""

    id: str
    target_path: str
    expected_size: int
    expected_hash: Hash
    hash_algorithm: str
    chunk_size: int
    chunk_count: int
    received_chunks: list[int]
    received_bytes: int
    status: Literal["pending", "in_progress", "completed", "failed"]
    created_at: Moment
    expires_at: Moment
    """Unless another chunk comes before."""
    content_hash: Hash | None
    """Once it is a file: what its path has then; of a merged text not what was uploaded."""
    conflict_id: str | None
    """Somebody else was faster, and the two could not be merged."""


class ChunkHeaders(Struct, kw_only=True):
    """Headers of a chunk."""

    chunk_hash: Hash | None = msgspec.field(name="X-Chunk-Hash", default=None)
    """SHA-256 of the chunk, which is compared."""


class ChunkPath(Struct, kw_only=True):
    """Which chunk."""

    index: Annotated[int, Meta(ge=0)]
    """From 0."""


class ChunkReceived(Struct, kw_only=True):
    """Reply of PUT /upload/{id}/chunks/{index}."""

    chunk_index: int
    received: bool
    received_chunks: list[int]
    chunk_count: int


class Refusal(Struct, kw_only=True):
    """An error."""

    error: str
    """One stable word, for programs."""
    message: str
    """One sentence, for people."""


def refusal(code: str, message: str, facts: dict[str, Any]) -> dict[str, Any]:
    """The body of an error."""
    return {"error": code, "message": message, **facts}
