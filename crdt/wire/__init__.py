"""Frames of the sync protocols as values: y-websocket, Hocuspocus and Y-Sweet, strict on input.

Sources: y-protocols PROTOCOL.md (sync, awareness, auth), `@hocuspocus/provider` 2 to 4, the Y-Sweet
client 0.9. `lib0` says what a varUint, varBytes and a varString are.

    y-websocket frame = 00 sync | 01 varBytes(awareness) | 02 00 varString(reason) | 03
                      | 66 varBytes(version)                            Y-Sweet only
    sync              = 00 varBytes(state vector) | 01 varBytes(update) | 02 varBytes(update)
    Hocuspocus frame  = varString(address) message | 09 | 0a            ping, pong: no address
    address           = document name [ NUL session id ]

A frame that is truncated, that goes on after its message, that is over its bound, or that holds
text which is not UTF-8 is a WireError; no other exception leaves this module on any input. The
number of a message that we do not know gives kind UNKNOWN: newer peers may send some.

Decoded messages are plain tuples `(kind, payload)` and kinds are plain numbers, because a frame
costs less than a microsecond here and an object of its own would double that.
"""

from crdt.wire.frames import (
    address_prefix,
    auth_token,
    authenticated,
    awareness,
    close,
    denied,
    denied_y,
    query_awareness,
    stateless,
    step1,
    step2,
    sync_status,
    token_request,
    update,
    version,
)
from crdt.wire.hocuspocus import (
    PING_FRAME,
    PONG_FRAME,
    decode_hocuspocus,
    decode_hocuspocus_reply,
    is_hocuspocus,
    read_address,
    split_address,
)
from crdt.wire.kinds import (
    AUTH_DENIED,
    AUTH_TOKEN,
    AUTHENTICATED,
    AWARENESS,
    BROADCAST_STATELESS,
    CLOSE,
    PING,
    PONG,
    QUERY_AWARENESS,
    STATELESS,
    STEP1,
    STEP2,
    SYNC_REPLY,
    SYNC_STATUS,
    TOKEN_REQUEST,
    UNKNOWN,
    UPDATE,
    VERSION,
    AuthToken,
)
from crdt.wire.lib0 import (
    UINT_MAX,
    read_var_bytes,
    read_var_string,
    read_var_uint,
    var_bytes,
    var_string,
    var_uint,
)
from crdt.wire.y import (
    decode_y,
    decode_y_all,
)

__all__ = [
    "AUTHENTICATED",
    "AUTH_DENIED",
    "AUTH_TOKEN",
    "AWARENESS",
    "BROADCAST_STATELESS",
    "CLOSE",
    "PING",
    "PING_FRAME",
    "PONG",
    "PONG_FRAME",
    "QUERY_AWARENESS",
    "STATELESS",
    "STEP1",
    "STEP2",
    "SYNC_REPLY",
    "SYNC_STATUS",
    "TOKEN_REQUEST",
    "UINT_MAX",
    "UNKNOWN",
    "UPDATE",
    "VERSION",
    "AuthToken",
    "address_prefix",
    "auth_token",
    "authenticated",
    "awareness",
    "close",
    "decode_hocuspocus",
    "decode_hocuspocus_reply",
    "decode_y",
    "decode_y_all",
    "denied",
    "denied_y",
    "is_hocuspocus",
    "query_awareness",
    "read_address",
    "read_var_bytes",
    "read_var_string",
    "read_var_uint",
    "split_address",
    "stateless",
    "step1",
    "step2",
    "sync_status",
    "token_request",
    "update",
    "var_bytes",
    "var_string",
    "var_uint",
    "version",
]
