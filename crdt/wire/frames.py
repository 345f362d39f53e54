"""What we send: message bodies of the sync protocols.

A body is a whole frame for y-websocket and Y-Sweet clients, and what follows the address for
Hocuspocus clients; sync and awareness bodies are the same bytes in both. Written with the names
of `wire`, which passes all of these on: `wire.update(data)`.
"""

from crdt.wire.lib0 import var_bytes, var_string


def address_prefix(address: str) -> bytes:
    """What stands before every message of a Hocuspocus document."""
    return var_string(address)


def step1(state_vector: bytes) -> bytes:
    """Ask for what a replica with this state vector is missing."""
    return b"\x00\x00" + var_bytes(state_vector)


def step2(update: bytes) -> bytes:
    """Answer a step 1."""
    return b"\x00\x01" + var_bytes(update)


def update(update: bytes) -> bytes:
    """Tell of a change."""
    return b"\x00\x02" + var_bytes(update)


def awareness(payload: bytes) -> bytes:
    """Tell of awareness states, as `awareness.encode` made them."""
    return b"\x01" + var_bytes(payload)


def query_awareness() -> bytes:
    """Ask for all awareness states."""
    return b"\x03"


def denied_y(reason: str) -> bytes:
    """Tell a y-websocket client why it may not; it only logs that."""
    return b"\x02\x00" + var_string(reason)


def version(body: bytes) -> bytes:
    """A Y-Sweet version frame: a client's question, and our answer with the same body."""
    return b"\x66" + var_bytes(body)


def auth_token(token: str, provider_version: str | None = None) -> bytes:
    """A Hocuspocus client's authentication; the version only from provider 4 on."""
    tail = b"" if provider_version is None else var_string(provider_version)
    return b"\x02\x00" + var_string(token) + tail


def token_request() -> bytes:
    """Ask a Hocuspocus client to send its token again."""
    return b"\x02\x00"


def denied(reason: str) -> bytes:
    """Refuse a Hocuspocus client one document; its socket stays."""
    return b"\x02\x01" + var_string(reason)


def authenticated(scope: str) -> bytes:
    """Let a Hocuspocus client in, as "readonly" or "read-write"."""
    return b"\x02\x02" + var_string(scope)


def stateless(text: str) -> bytes:
    """A Hocuspocus message that is no part of the document."""
    return b"\x05" + var_string(text)


def close(reason: str | None) -> bytes:
    """Detach one document: from a server with a reason, from a client (None) without."""
    return b"\x07" if reason is None else b"\x07" + var_string(reason)


def sync_status(ok: bool) -> bytes:  # noqa: FBT001  (one flag is all this message is)
    """Acknowledge or refuse exactly one step 2 or update of a Hocuspocus client."""
    return b"\x08\x01" if ok else b"\x08\x00"
