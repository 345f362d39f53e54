"""Settings of what keeps a service in order; see `server.settings.topics` for the form."""

from dataclasses import dataclass

from crdt.bounds import MIB


@dataclass(frozen=True, kw_only=True)
class Breaking:
    """Documents that cost too much are closed for a while, so that the others go on."""

    document_slow_turn_s: float = 0.1
    """Seconds that a document may keep the server busy at a time before they count."""

    document_slow_s_max: float = 10.0
    """Seconds of such stalls in a minute after which a document is closed for a while."""

    document_failures_max: int = 5
    """Failures of one document (it cannot be read, or a fault of ours) in a minute, likewise."""

    document_closed_s: float = 60.0
    """Seconds for which it is closed; twice as long each time it happens again, an hour at most."""

    closures_poll_s: float = 2.0
    """Seconds between two looks at what other nodes and administrators closed or opened."""


@dataclass(frozen=True, kw_only=True)
class Guarding:
    """What strangers and accounts may use up, besides the bounds of single connections."""

    request_head_s: float = 30.0
    """Seconds in which a new connection must have sent the head of its first request."""

    request_body_s: float = 30.0
    """Seconds that the body of a request may take, and one more for each KiB that has come."""

    http_keepalive_s: float = 75.0
    """Seconds after which a connection without a further request is closed."""

    http_connections_per_address_max: int = 2000
    """Connections of one address that is no trusted proxy; further ones are cut."""

    requests_per_address_per_minute: int = 300_000
    """Requests of one address (of IPv6, one /64) in a minute; more are answered with 429."""

    requests_per_account_per_minute: int = 150_000
    """Those of one account, wherever it asks from."""

    connections_per_account_max: int = 5000
    """Documents that one account may have open by WebSocket at this node (429)."""

    preauth_bytes_process_max: int = 128 * MIB
    """Bytes kept for all connections together until it is known who they are; then those that hold
    most are closed."""

    awareness_per_s_max: int = 2000
    """Presence frames of one connection in one second; above it the connection is not read for the
    rest of that second."""
