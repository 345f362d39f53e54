"""Blocks of a push or pull between JSON and documents: what clients mean, and what they are told.

Pure. Whatever a client sent instead of a block becomes the result of that block alone.
"""

from __future__ import annotations

import binascii
import re
from datetime import datetime
from typing import Final, TypeAlias, TypeVar

import msgspec

from crdt import structure
from crdt.bounds import Bounds
from crdt.document import EMPTY_UPDATE
from crdt.errors import BadName, UpdateError
from crdt.ids import DocumentName
from crdt.merging import check_state_vector
from server.adapters.heaps import schema_sync as schema
from server.adapters.heaps.work import Sent
from server.errors import BadBody
from storage.changes import Entry, Page

STAMP_MAX: Final = (1 << 63) - 1

_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
_DIGITS: Final = re.compile(r"[0-9]{1,19}", re.ASCII)


class BadBlock(BadBody):
    """One block of a request that cannot be read; `error` is a stable word."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


Block: TypeAlias = schema.PushBlock | schema.PullBlock | msgspec.Raw
"""As it stands in a request: read with the others, or to be read alone."""

_Item = TypeVar("_Item", schema.PushBlock, schema.PullBlock)
_PUSH: Final = msgspec.json.Decoder(schema.PushBlock)
_PULL: Final = msgspec.json.Decoder(schema.PullBlock)


def read_push(raw: Block, bounds: Bounds) -> Sent:
    """One block of a push. Raises BadBlock."""
    item = _decoded(_PUSH, raw) if isinstance(raw, msgspec.Raw) else raw
    assert isinstance(item, schema.PushBlock)
    try:
        update = binary(item.update)
    except ValueError:
        raise BadBlock("bad_update_encoding") from None
    if update and update != EMPTY_UPDATE and not structure.is_costly(update):
        try:
            structure.check(update, bounds)
        except UpdateError as error:
            raise BadBlock(word_of(error)) from None
    return _sent(item, update if update != EMPTY_UPDATE else b"", bounds)


def read_pull(raw: Block, bounds: Bounds) -> Sent:
    """One block of a pull. Raises BadBlock."""
    item = _decoded(_PULL, raw) if isinstance(raw, msgspec.Raw) else raw
    return _sent(item, b"", bounds)


def block_id_of(raw: Block) -> str | None:
    """The id in a block that cannot be read, if there is one: the client finds its block by it."""
    if not isinstance(raw, msgspec.Raw):
        return raw.block_id
    try:
        block = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        text = msgspec.json.decode(block["block_id"], type=str)
    except (msgspec.MsgspecError, ValueError, KeyError, RecursionError):
        return None
    return text


def binary(value: schema.Binary) -> bytes:
    """The bytes in any of the forms that clients send. Raises ValueError."""
    if value is None:
        return b""
    if isinstance(value, str):
        try:
            return binascii.a2b_base64(value, strict_mode=True)
        except ValueError:
            text = value.encode("ascii").translate(_STANDARD).rstrip(b"=")
        return binascii.a2b_base64(text + b"=" * (-len(text) % 4), strict_mode=True)
    return bytes(value if isinstance(value, list) else value.data)


def marker(value: object) -> int:
    """A `since` of a client; 0 for whatever is none."""
    if isinstance(value, str) and _DIGITS.fullmatch(value.strip()):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        return 0
    return min(value, STAMP_MAX)


def word_of(error: UpdateError) -> str:
    """The word for an update that is refused."""
    return "update_" + error.reason.replace("-", "_")


def is_stale(sent: Sent, current: int) -> bool:
    """Whether a push is made on a document that was rebuilt since.

    A version that was never given out says nothing: clients make blocks with 0 or 1.
    """
    return sent.sync_version is not None and 0 < sent.sync_version < current


def wants_whole(sent: Sent, current: int) -> bool:
    """Whether a pull gets the full state: its version, if it says one, is not the block's."""
    return sent.sync_version is not None and sent.sync_version != current


def delta(scope: str, page: Page) -> schema.Delta:
    """A page of the feed as the API tells it."""
    return schema.Delta(
        changed_blocks=[_changed(scope, entry) for entry in page.entries if not entry.deleted],
        deleted_blocks=[_deleted(scope, entry) for entry in page.entries if entry.deleted],
        server_time=page.marker,
        has_more=page.has_more,
        total_changed=page.changed,
        total_deleted=page.deleted,
    )


def milliseconds(moment: datetime) -> int:
    """Unix milliseconds."""
    return int(moment.timestamp() * 1000)


def _changed(scope: str, entry: Entry) -> schema.ChangedBlock:
    return schema.ChangedBlock(
        block_id=entry.name,
        workspace_id=scope,
        sync_version=entry.sync_version,
        updated_at=entry.stamp,
        created_at=milliseconds(entry.created_at),
        title=entry.title,
    )


def _deleted(scope: str, entry: Entry) -> schema.DeletedBlock:
    at = entry.removed_at or entry.trashed_at
    if not at and entry.deleted_at is not None:
        at = milliseconds(entry.deleted_at)
    return schema.DeletedBlock(
        block_id=entry.name,
        workspace_id=scope,
        sync_version=entry.sync_version,
        updated_at=entry.stamp,
        deleted_at=at or entry.stamp,
        permanently_deleted=entry.removed_at is not None or entry.deleted_at is not None,
    )


def _decoded(decoder: msgspec.json.Decoder[_Item], raw: msgspec.Raw) -> _Item:
    try:
        return decoder.decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise BadBlock("bad_block") from None


def _sent(item: schema.PushBlock | schema.PullBlock, update: bytes, bounds: Bounds) -> Sent:
    try:
        state_vector = binary(item.state_vector)
        check_state_vector(state_vector, bounds)
    except (ValueError, UpdateError):
        raise BadBlock("bad_state_vector") from None
    try:
        name = DocumentName.parse(item.block_id, item.workspace_id, bounds)
    except BadName:
        raise BadBlock("bad_block_id") from None
    return Sent(item.block_id, name, state_vector, update, _version(item.sync_version))


def _version(value: object) -> int | None:
    """A `sync_version` of a client; languages with one kind of number write 1 as 1.0."""
    if type(value) is int:
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise BadBlock("bad_sync_version")
    return value
