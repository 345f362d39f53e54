"""Decoding y-websocket and Y-Sweet frames, strictly."""

from typing import Final

from crdt.bounds import BOUNDS, Bounds
from crdt.errors import WireError
from crdt.wire.kinds import AUTH_DENIED, AWARENESS, QUERY_AWARENESS, UNKNOWN, UPDATE, VERSION
from crdt.wire.lib0 import read_var_bytes, read_var_string, read_var_uint

_Y_SWEET_VERSION: Final = 0x66
_MESSAGES_PER_FRAME_MAX: Final = 10_000


def decode_y(frame: bytes, bounds: Bounds = BOUNDS) -> tuple[int, bytes]:
    """One whole frame that holds exactly one message, in either direction.

    The payload is the state vector, the update, the awareness bytes, the version's body or the
    reason of a denial (as UTF-8); for kind UNKNOWN the whole frame. A frame that goes on after
    its message is "trailing"; where that is legal, use `decode_y_all`.
    """
    size = len(frame)
    if size > bounds.frame_bytes_max:
        raise WireError("too-large")
    # The hot path: a sync message whose length takes one or two bytes and fits exactly.
    if size > 3 and frame[0] == 0 and (kind := frame[1]) < 3:
        length = frame[2]
        if length == size - 3 and length < 0x80:
            return kind, frame[3:]
        if length >= 0x80 and (length & 0x7F | frame[3] << 7) == size - 4 and frame[3] < 0x80:
            return kind, frame[4:]
    kind, payload, end = _read_y(frame, 0, bounds)
    if end != size:
        raise WireError("trailing")
    return kind, payload


def decode_y_all(frame: bytes, bounds: Bounds = BOUNDS) -> list[tuple[int, bytes]]:
    """All messages of a frame, one behind the other, as `@y/websocket` 4 may send and reads them.

    Never empty. An unknown message has no known end, so it is the last one.
    """
    size = len(frame)
    if size > bounds.frame_bytes_max:
        raise WireError("too-large")
    messages = []
    at = 0
    while True:
        kind, payload, at = _read_y(frame, at, bounds)
        messages.append((kind, payload))
        if at == size:
            return messages
        if len(messages) > _MESSAGES_PER_FRAME_MAX:
            raise WireError("too-many")


def _read_y(frame: bytes, at: int, bounds: Bounds) -> tuple[int, bytes, int]:
    """The message at `at`: kind, payload, offset of what follows."""
    number, body = read_var_uint(frame, at)
    if number == 0:
        return read_sync(frame, body)
    if number == 1:
        payload, end = read_var_bytes(frame, body)
        return AWARENESS, payload, end
    if number == 3:
        return QUERY_AWARENESS, b"", body
    if number == _Y_SWEET_VERSION:
        payload, end = read_var_bytes(frame, body)
        if len(payload) > bounds.version_bytes_max:
            raise WireError("too-large")
        return VERSION, payload, end
    if number == 2:
        denied, body = read_var_uint(frame, body)
        if denied != 0:
            raise WireError("unknown-type")
        reason, end = read_var_string(frame, body, bounds.reason_bytes_max)
        return AUTH_DENIED, reason.encode(), end
    return UNKNOWN, frame[at:], len(frame)


def read_sync(frame: bytes, at: int) -> tuple[int, bytes, int]:
    """The sync message whose sub-type stands at `at`: kind, payload, offset of what follows."""
    kind, at = read_var_uint(frame, at)
    if kind > UPDATE:
        raise WireError("unknown-type")
    payload, end = read_var_bytes(frame, at)
    return kind, payload, end
