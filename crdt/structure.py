"""The check that every update passes before pycrdt may apply it, and small questions about updates.

Why pycrdt's own decoder does not suffice: it takes V2 bytes for an empty update, ignores bytes
behind an update, masks client ids of 2^53 and more so that two peers become one, and a value that
is nested some 13,000 levels deep overflows the native stack, which ends the process.
"""

import re
from typing import Final

import pycrdt

from crdt.bounds import BOUNDS, Bounds
from crdt.errors import UpdateError, WireError
from crdt.merging import decode_state_vector
from crdt.outline import Outline, Range, covers, outline
from crdt.wire.lib0 import read_var_bytes

__all__ = [
    "MIDDLING_BYTES",
    "NOBODY",
    "Outline",
    "Range",
    "check",
    "client_ids",
    "delete_ranges",
    "is_costly",
    "outline",
    "ranges",
]

NOBODY: Final[frozenset[int]] = frozenset()
"""The one empty set of client ids: each new one takes 216 bytes."""
_COSTLY_BYTES: Final = 256 * 1024
MIDDLING_BYTES: Final = 64 * 1024
"""Up to this size no update is costly."""
_V2_COLUMNS: Final = 9
_CLIENT: Final = rb"([\x80-\xff]{0,7}[\x00-\x7f])"
_CLOCK: Final = rb"([\x80-\xff]{0,3}[\x00-\x7f])"
_ID: Final = _CLIENT + _CLOCK
_ONE_STRUCT: Final = re.compile(
    rb"\x01\x01" + _ID + rb"(?:[\x03-\x06\x08\x23-\x26\x28]"
    rb"|[\x83-\x86\x88\xa3-\xa6\xa8\x43-\x46\x48\x63-\x66\x68]" + _ID + rb""
    rb"|[\xc3-\xc6\xc8\xe3-\xe6\xe8]" + _ID + _ID + rb")"
).match
"""One struct of a plain kind: binary, text, embed, format, values; with no origin, one, or two.

Nothing but values nests in those, pycrdt checks them as Yjs does, and clocks are below 2^28.
"""
_VALUES: Final = 8
_WIDE_OBJECT: Final = re.compile(rb"v[\x80-\xff]{3}").search
"""An object that declares two million members or more: pycrdt clears memory for each of them."""


def check(update: bytes, bounds: Bounds = BOUNDS) -> None:
    """Raise UpdateError unless the bytes are exactly one V1 update that is safe to apply.

    The fast path takes a microsecond: what pycrdt decodes and encodes again to the very same bytes
    has no bytes behind it and no masked id. It is for updates that delete only, or that bring one
    struct of a kind that every Yjs can read; those are nearly all that editors send. All others,
    and honest bytes in another form than pycrdt's (-0, gaps, clients in another order), are read
    by our own decoder, and then once by pycrdt: applying them cannot fail to decode, and both see
    the same update.
    """
    if len(update) > bounds.update_bytes_max:
        raise UpdateError("too-large")
    if _is_plain(update, bounds) and _round_trip(update) == update:
        return
    try:
        ours = outline(update, bounds)
    except UpdateError as error:
        raise (UpdateError("v2") if _may_be_v2(update) else error) from None
    again = _round_trip(update)
    if again != update and not _same(ours, outline(again, bounds)):
        raise UpdateError("unsupported")


def is_costly(update: bytes, _bounds: Bounds = BOUNDS) -> bool:
    """Whether checking and applying would hold an event loop for too long: use a helper process.

    Our own decoder takes some 12 ms for 64 KiB of many structs; one struct, or deletions alone, are
    left to pycrdt, which reads them twenty times as fast.
    """
    size = len(update)
    if size <= MIDDLING_BYTES:
        return False
    return size > _COSTLY_BYTES or not (update.startswith(b"\0") or _ONE_STRUCT(update))


def ranges(update: bytes) -> list[Range]:
    """The structs that an update brings, as (client id, first clock, clock behind the last)."""
    return outline(update).ranges


def delete_ranges(update: bytes) -> list[Range]:
    """What an update deletes, as (client id, first clock, clock behind the last)."""
    return outline(update).deletes


def client_ids(update: bytes) -> set[int]:
    """The clients whose structs an update brings: whose work it is, not what it deletes."""
    return {client for client, _, _ in outline(update).ranges}


def vector_clients(state_vector: bytes) -> set[int]:
    """The clients that a state vector knows. Raises UpdateError if it is none."""
    return set(decode_state_vector(state_vector))


def _is_plain(update: bytes, bounds: Bounds) -> bool:
    """Whether the bytes are safe for pycrdt, and hold nothing that it takes and Yjs cannot read.

    A value nested d levels deep holds d bytes `u` (array) or `v` (object).
    """
    if update.startswith(b"\0"):
        return not _may_be_v2(update)
    one = _ONE_STRUCT(update)
    if one is None:
        return False
    client, clock, only, only_clock, left, left_clock, right, right_clock = one.groups()
    if (
        (only == client and not _before(only_clock, clock))
        or (left == client and not _before(left_clock, clock))
        or (right == client and not _before(right_clock, clock))
    ):
        return False
    if update[one.end(2)] & 0x1F == _VALUES:
        letters = update.count(b"u") + update.count(b"v")
        return letters <= bounds.nesting_max and not _WIDE_OBJECT(update)
    return True


def _before(clock: bytes, other: bytes) -> bool:
    """Whether one encoded clock is below another: the last byte counts most."""
    return len(clock) < len(other) or (len(clock) == len(other) and clock[::-1] < other[::-1])


def _same(ours: Outline, theirs: Outline) -> bool:
    """Whether pycrdt read the same update as we did."""
    return (
        covers(ours.ranges, theirs.ranges)
        and covers(theirs.ranges, ours.ranges)
        and covers(ours.deletes, theirs.deletes)
        and covers(theirs.deletes, ours.deletes)
    )


def _round_trip(update: bytes) -> bytes:
    """Decode and encode again by pycrdt. Raises UpdateError where it cannot be decoded."""
    try:
        return pycrdt.get_update(update, b"\0")
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # noqa: BLE001  (pycrdt panics with a BaseException; no document is hurt)
        raise UpdateError("v2" if _may_be_v2(update) else "malformed") from None


def _may_be_v2(update: bytes) -> bool:
    """Whether bytes have the shape of a V2 update: a zero, nine columns, and a rest.

    A V1 update begins with a zero only if it brings no struct, that is, if it only deletes.
    """
    at = 1
    size = len(update)
    for _ in range(_V2_COLUMNS):
        if at >= size or update[0] != 0:
            return False
        length = update[at]
        if length < 0x80:
            at += 1 + length
        else:
            try:
                at = read_var_bytes(update, at)[1]
            except WireError:
                return False
    return at < size
