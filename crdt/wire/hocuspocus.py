"""Decoding Hocuspocus frames, strictly: the address, then the message, by direction."""

from typing import Final

from crdt.bounds import BOUNDS, Bounds
from crdt.errors import WireError
from crdt.wire.kinds import (
    AUTH_DENIED,
    AUTH_TOKEN,
    AUTHENTICATED,
    AWARENESS,
    BROADCAST_STATELESS,
    CLOSE,
    QUERY_AWARENESS,
    STATELESS,
    SYNC_REPLY,
    SYNC_STATUS,
    TOKEN_REQUEST,
    UNKNOWN,
    AuthToken,
)
from crdt.wire.lib0 import read_var_bytes, read_var_string, read_var_uint
from crdt.wire.y import read_sync

PING_FRAME: Final = b"\x09"
PONG_FRAME: Final = b"\x0a"
"""Hocuspocus 4 liveness: whole frames without an address; compare before `read_address`."""


def is_hocuspocus(frame: bytes) -> bool:
    """Whether the first frame of a connection is Hocuspocus and not y-websocket or Y-Sweet.

    Those always send step 1 first, which begins with 00; an address is never empty.
    """
    return frame[:1] not in (b"", b"\x00")


def read_address(frame: bytes, bounds: Bounds = BOUNDS) -> tuple[str, int]:
    """The address that a frame begins with, and the offset of the message behind it."""
    if len(frame) > bounds.frame_bytes_max:
        raise WireError("too-large")
    address, at = read_var_string(frame, 0, bounds.address_bytes_max)
    if not address:
        raise WireError("empty")
    return address, at


def split_address(address: str) -> tuple[str, str | None]:
    """Document name and session id of an address; None where the provider named no session."""
    name, nul, session = address.partition("\0")
    return name, session if nul else None


def decode_hocuspocus(
    frame: bytes, at: int, bounds: Bounds = BOUNDS
) -> tuple[int, bytes | str | AuthToken]:
    """The message of a client behind its address, which ended at `at`.

    Payloads: bytes of sync, awareness and UNKNOWN; AuthToken of AUTH_TOKEN; text of stateless
    messages; empty bytes else. Kinds that only servers may send (BROADCAST_STATELESS, SYNC_REPLY,
    SYNC_STATUS) are decoded and left to the caller to refuse.
    """
    size = len(frame)
    # The hot path: a sync message whose length takes one or two bytes and fits exactly.
    if size > at + 3 and frame[at] == 0 and (kind := frame[at + 1]) < 3:
        length = frame[at + 2]
        if length == size - at - 3 and length < 0x80:
            return kind, frame[at + 3 :]
        high = frame[at + 3]
        if length >= 0x80 and (length & 0x7F | high << 7) == size - at - 4 and high < 0x80:
            return kind, frame[at + 4 :]
    number, at = read_var_uint(frame, at)
    payload: bytes | str | AuthToken
    if number == 2:
        kind, payload, end = _read_auth_token(frame, at, bounds)
    else:
        kind, payload, end = _read_hocuspocus(number, frame, at, bounds)
    if end != size:
        raise WireError("trailing")
    return kind, payload


def decode_hocuspocus_reply(
    frame: bytes, at: int, bounds: Bounds = BOUNDS
) -> tuple[int, bytes | str | bool]:
    """The message of a server behind its address, which ended at `at`: what clients decode.

    Payloads as `decode_hocuspocus`, and: text of AUTH_DENIED, AUTHENTICATED and CLOSE, bool of
    SYNC_STATUS.
    """
    number, at = read_var_uint(frame, at)
    payload: bytes | str | bool
    if number == 2:
        kind, payload, end = _read_auth_reply(frame, at, bounds)
    elif number == 7:
        kind = CLOSE
        payload, end = read_var_string(frame, at, bounds.reason_bytes_max)
    elif number == 8:
        kind = SYNC_STATUS
        status, end = read_var_uint(frame, at)
        payload = status == 1
    else:
        kind, payload, end = _read_hocuspocus(number, frame, at, bounds)
    if end != len(frame):
        raise WireError("trailing")
    return kind, payload


def _read_hocuspocus(
    number: int, frame: bytes, at: int, bounds: Bounds
) -> tuple[int, bytes | str, int]:
    """A message that looks the same in both directions: kind, payload, offset of what follows."""
    if number == 0:
        return read_sync(frame, at)
    payload: bytes | str = b""
    kind = _HOCUSPOCUS_KINDS.get(number, UNKNOWN)
    if kind == AWARENESS:
        payload, at = read_var_bytes(frame, at)
    elif kind == SYNC_REPLY:
        _, payload, at = read_sync(frame, at)
    elif kind in (STATELESS, BROADCAST_STATELESS):
        payload, at = read_var_string(frame, at, bounds.stateless_bytes_max)
    elif kind == SYNC_STATUS:
        _, at = read_var_uint(frame, at)
    elif kind == UNKNOWN:
        payload, at = frame[at:], len(frame)
    return kind, payload, at


def _read_auth_token(frame: bytes, at: int, bounds: Bounds) -> tuple[int, AuthToken, int]:
    """A client's authentication: sub-type 0, the token, and from provider 4 its version."""
    sub, at = read_var_uint(frame, at)
    if sub != 0:
        raise WireError("unknown-type")
    token, end = read_var_string(frame, at, bounds.token_bytes_max)
    version = None
    if end < len(frame):
        version, end = read_var_string(frame, end, bounds.reason_bytes_max)
    return AUTH_TOKEN, AuthToken(token, version), end


def _read_auth_reply(frame: bytes, at: int, bounds: Bounds) -> tuple[int, str, int]:
    """A server's word on authentication: ask again, denied with a reason, or a scope."""
    sub, at = read_var_uint(frame, at)
    if sub == 0:
        return TOKEN_REQUEST, "", at
    if sub > 2:
        raise WireError("unknown-type")
    text, end = read_var_string(frame, at, bounds.reason_bytes_max)
    return AUTH_DENIED if sub == 1 else AUTHENTICATED, text, end


_HOCUSPOCUS_KINDS: Final = {
    1: AWARENESS,
    3: QUERY_AWARENESS,
    4: SYNC_REPLY,
    5: STATELESS,
    6: BROADCAST_STATELESS,
    7: CLOSE,
    8: SYNC_STATUS,
}
