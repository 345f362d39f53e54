"""Every setting of our own with its unit, its default and a sentence, one class for each topic.

`--help` prints the classes as headings and the sentence under each field, so a new setting needs
its line and its sentence here and nothing else. A name ends in its unit and bound; durations are
seconds, sizes are bytes. What peers may send is bounded in `crdt.bounds`.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from crdt.bounds import KIB, MIB


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where the server is reached and where it keeps its files."""

    host: str = "127.0.0.1"
    """Address to listen on; `0.0.0.0` for every IPv4 one, `::` for every one."""

    port: int = 8080
    """Port to listen on; 0 lets the system pick a free one."""

    public_url: str = ""
    """URL by which the world reaches this server; empty means http://HOST:PORT."""

    name: str = "Plait"
    """Name of this server, shown to those who log in."""

    data: Path = Path("data")
    """Folder for keys and the embedded database; made at first start."""

    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks (10.0.0.0/8) whose forwarded headers count; a comma between them."""

    shutdown_grace_s: float = 10.0
    """Seconds over which shutdown spreads the closing of connections, lest all return at once."""

    shutdown_delay_s: float = 0.0
    """Seconds for which a server that was told to stop still takes connections while /readyz says
    no, so that a load balancer turns away first."""


@dataclass(frozen=True, kw_only=True)
class Operation:
    """What the operator sees."""

    compiled: bool = True
    """Whether the machine code that scripts/compile made is used, where it is there and fresh."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least important kind of message that is logged."""

    log_format: Literal["auto", "text", "json"] = "auto"
    """Form of the log on stderr; auto means text on a terminal and JSON otherwise."""

    log_requests: bool = False
    """Whether each request is logged: where it came from, what it asked, how it ended."""

    ready_lag_s: float = 5.0
    """Seconds for which the oldest update may wait for its commit until /readyz says no."""

    tracing_url: str = ""
    """Where traces and metrics are sent (OTLP over HTTP, as http://collector:4318); empty: none."""

    metrics_token: str = field(default="", repr=False)
    """Bearer token that opens /metrics; empty closes it on the main port."""

    metrics_host: str = "127.0.0.1"
    """Address of the listener that serves only /metrics, without a token."""

    metrics_port: int | None = None
    """Port of that listener; empty means there is none, 0 lets the system pick one."""


@dataclass(frozen=True, kw_only=True)
class Database:
    """The database and what is written to it."""

    database_url: str = field(default="", repr=False)
    """URL of a PostgreSQL 15 or newer; empty runs an embedded one in the data folder."""

    database_connections_max: int = 8
    """Connections for requests; those that write the update log are counted apart."""

    database_connect_s: float = 10.0
    """Seconds to wait for a connection."""

    database_command_s: float = 10.0
    """Seconds after which a statement is given up, and a request that needs it gets 503."""

    commit_rows_max: int = 512
    """Updates in one commit of the log."""

    commit_bytes_max: int = 1 * MIB
    """Bytes of updates in one commit of the log; a larger update is committed on its own."""

    commit_lock_ms: int = 50
    """Milliseconds a commit waits for the lock of one document before it goes on without it."""

    commit_apart_ms: int = 8
    """Milliseconds between commits while many write; half of that with a bus. 0: none wait."""

    commit_timeout_s: float = 10.0
    """Seconds a REST write waits for its commit before it is answered with 503."""

    unsaved_bytes_room_soft: int = 4 * MIB
    """Bytes not yet committed in one room above which reading from its writers pauses."""

    unsaved_bytes_room_max: int = 32 * MIB
    """Bytes not yet committed in one room above which its writers are closed with 1013."""

    unsaved_bytes_process_soft: int = 64 * MIB
    """Bytes not yet committed in all rooms above which reading from writers pauses."""

    unsaved_bytes_process_max: int = 256 * MIB
    """Bytes not yet committed in all rooms above which writers are closed with 1013."""

    compact_rows: int = 2000
    """Rows of a document's log after which a snapshot is made."""

    compact_bytes: int = 1 * MIB
    """Bytes of a document's log after which a snapshot is made."""

    compact_idle_rows: int = 200
    """Rows of a document's log after which a snapshot is made when its last session has left."""

    compact_quiet_bytes: int = 64 * KIB
    """Bytes of a document's log after which a snapshot is made as soon as nobody edits it."""

    thin_every_s: float = 60.0
    """Seconds between two looks for history that is old enough to be thinned."""

    history_full_s: float = 86_400.0
    """Seconds for which every edit stays readable; older history is thinned."""

    history_hourly_s: float = 7 * 86_400.0
    """Seconds for which one version an hour stays readable; after that one a day."""

    workspace_restore_s: float = 30 * 86_400.0
    """Seconds for which an administrator can restore a deleted workspace; then its content goes."""


@dataclass(frozen=True, kw_only=True)
class Connections:
    """WebSocket connections."""

    connections_max: int = 10_000
    """Connections at a time; more are refused with 503."""

    connections_per_address_max: int = 1000
    """Connections of one address that have not authenticated yet; more are refused with 429."""

    handshakes_per_s_max: int = 5000
    """WebSocket handshakes in one second; more are told to come back in a moment (503)."""

    handshakes_per_address_per_s_max: int = 2500
    """Those of one address (of IPv6, one /64), so that nobody can use up all of them (429)."""

    frames_per_s_max: int = 20_000
    """Frames of one connection in one second; above it the connection is not read for the rest of
    that second."""

    bytes_per_s_max: int = 128 * MIB
    """Bytes of one connection in one second; likewise."""

    budget_strikes_max: int = 60
    """Seconds in a row over these budgets after which the connection is closed with 4429."""

    notices_per_document_max: int = 10
    """Workspaces whose notices one document's session may ask for."""

    notices_at_once_max: int = 500
    """Changed blocks that a reader is told one by one; of more it is told to ask delta."""

    documents_per_connection_max: int = 100
    """Documents that one Hocuspocus connection may open."""

    auth_deadline_s: float = 60.0
    """Seconds in which a connection must have authenticated for one document."""

    preauth_bytes_max: int = 5 * MIB
    """Bytes kept for one connection until its documents are open."""

    preauth_frames_max: int = 1000
    """Frames kept for one connection until its documents are open."""

    refusals_max: int = 100
    """Refused frames after which a connection is closed."""

    idle_s: float = 60.0
    """Seconds of silence, pongs included, after which a connection is closed."""

    keepalive_s: float = 20.0
    """Seconds without a frame to a peer after which it gets an empty awareness frame."""

    sweep_s: float = 1.0
    """Seconds between two looks at all deadlines."""

    outbox_bytes_max: int = 1 * MIB
    """Bytes waiting for one slow reader, above which it gets one diff later instead of frames."""

    outbox_stuck_s: float = 10.0
    """Seconds after which a reader that takes nothing is cut off."""


@dataclass(frozen=True, kw_only=True)
class Rooms:
    """Documents in memory."""

    room_idle_s: float = 30.0
    """Seconds for which a document that nobody has open stays in memory."""

    room_doze_s: float = 3.0
    """Seconds without an edit after which a small open document is kept as bytes only."""

    rooms_max: int = 20_000
    """Documents in memory at a time; opening one more is refused for now."""

    rooms_warm_max: int = 1000
    """Documents that REST opened and that stay in memory for the next push."""

    awareness_timeout_s: float = 30.0
    """Seconds after which the presence of a silent client is removed."""

    worker_processes: int = 1
    """Helper processes for work that would stop the event loop; compaction has one more."""

    worker_memory_bytes: int = 2048 * MIB
    """Memory that one helper process may use."""

    worker_timeout_s: float = 30.0
    """Seconds after which a helper's piece of work is given up."""

    costly_bytes: int = 256 * KIB
    """Bytes of a document from which it is read in a helper process, unless it is open."""


@dataclass(frozen=True, kw_only=True)
class Sync:
    """What REST clients push, pull and ask for."""

    push_blocks_max: int = 1000
    """Blocks in one push or pull."""

    push_bytes_max: int = 32 * MIB
    """Bytes of the body of one push or pull."""

    push_bytes_in_flight_max: int = 128 * MIB
    """Bytes of such bodies that are worked on at a time; more are answered with 503."""

    pull_bytes_max: int = 32 * MIB
    """Bytes of updates in one reply, after which blocks are left for the next request."""

    delta_entries_max: int = 1000
    """Entries on one page of a delta."""
