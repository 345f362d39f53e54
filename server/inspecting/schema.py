"""Bodies and replies of the inspector's routes."""

from typing import Annotated, Literal

import msgspec

LISTED_MAX = 1000
TAIL_MAX = 500
REASON_LETTERS_MAX = 500


class Page(msgspec.Struct, kw_only=True):
    """Query of GET /api/admin/documents."""

    only: Literal["open", "closed"] = "open"
    """`open`: documents in this node's memory. `closed`: those that nobody may open now."""
    sort: Literal["cost", "sessions", "unsaved", "pending"] = "cost"
    """What comes first among the open ones: most time spent, sessions, bytes not yet stored, or
    updates that wait for a predecessor."""
    limit: Annotated[int, msgspec.Meta(ge=1, le=LISTED_MAX)] = 100


class Look(msgspec.Struct, kw_only=True):
    """Query of GET /api/admin/documents/{document_id}."""

    tail: Annotated[int, msgspec.Meta(ge=0, le=TAIL_MAX)] = 50
    """Rows of the log, and likewise of what was set aside, and clients of the state vector."""


class Cost(msgspec.Struct, kw_only=True):
    """What a document in memory costs this node."""

    spent_s: float
    """Seconds for which it kept the process busy since it was opened."""
    slow_turns: int
    """How often that was long enough to be noticed by others (setting document_slow_turn_s)."""
    level: float
    """How near it is to being closed for that: 0 to 1."""


class ClosedFor(msgspec.Struct, kw_only=True):
    """Why nobody may open a document now."""

    author: str
    """`breaker`, or the account of an administrator."""
    reason: str
    times: int
    """How often the breaker closed it without an hour of peace between."""
    closed_at: str
    until: str | None
    """Null: until it is opened."""


class Named(msgspec.Struct, kw_only=True):
    """Which document it is."""

    id: str
    """The id by which the store knows it; it goes into the path of these routes."""
    name: str
    workspace: str
    kind: str


class Open(Named, kw_only=True):
    """A document in this node's memory."""

    phase: str
    """loading, live or over."""
    sessions: int
    unsaved_bytes: int
    pending: int
    """Updates that wait for a predecessor."""
    tail_rows: int
    """Rows of its log above the snapshot."""
    cost: Cost
    closed: ClosedFor | None = None


class Shut(msgspec.Struct, kw_only=True):
    """A document that nobody may open now."""

    id: str
    closed: ClosedFor


class DocumentList(msgspec.Struct, kw_only=True):
    """Reply of GET /api/admin/documents; `documents` or `closed`, as was asked."""

    success: bool
    node: str
    """Which process answered."""
    total: int
    """How many there are; the list may be shorter."""
    documents: list[Open]
    closed: list[Shut]


class Clock(msgspec.Struct, kw_only=True):
    """One client of a state vector."""

    client: int
    clock: int


class StateVector(msgspec.Struct, kw_only=True):
    """What the document has seen."""

    of: Literal["memory", "store"]
    clients: int
    """How many clients ever wrote into it."""
    clocks: list[Clock]
    """The busiest of them first."""


class DocumentSizes(msgspec.Struct, kw_only=True):
    """Bytes."""

    encoded: int | None
    """As one update, as a client gets it; null where it cannot be read."""
    visible: int | None
    """Its title and text, as people read it; the rest of `encoded` is history and structure."""
    snapshot: int
    tail: int
    """Rows above the snapshot: what a load reads beside it."""
    log: int
    history: int
    rows: int


class Log(msgspec.Struct, kw_only=True):
    """How far the log goes."""

    head: int
    snapshot_sequence: int
    snapshot_at: str | None
    lineage: int
    sync_version: int
    merged_stretches: int
    """Stretches of old history that were merged into one row."""
    is_settled: bool
    """Whether the change feed has told of the newest row."""


class Row(msgspec.Struct, kw_only=True):
    """One row of the log, without its bytes."""

    sequence: int
    at: str
    author: str | None
    device: str | None
    bytes: int
    pending: bool
    quarantined: bool


class Quarantined(msgspec.Struct, kw_only=True):
    """Something that was set aside because it breaks the document, without its bytes."""

    digest: str
    sequence: int | None
    """Its row in the log; 0: a snapshot; null: it never got into the log."""
    bytes: int
    reason: str
    author: str | None
    device: str | None
    at: str


class Client(msgspec.Struct, kw_only=True):
    """One session in the document, at this node."""

    dialect: str
    """hocuspocus, y-websocket, y-sweet or rest."""
    account: str
    device: str | None
    address: str | None
    can_write: bool
    connected_s: float | None
    is_behind: bool
    """It reads slowly, and gets one difference when it has caught up."""
    waiting_bytes: int


class Awareness(msgspec.Struct, kw_only=True):
    """One client's presence."""

    client: int
    clock: int
    state: msgspec.Raw


class Pending(msgspec.Struct, kw_only=True):
    """Updates that wait for a predecessor."""

    count: int
    bytes: int
    below_snapshot: int
    """Rows below the snapshot that are read beside it for that reason."""


class Inspected(Named, kw_only=True):
    """One document."""

    owner: str | None
    created_at: str
    deleted_at: str | None
    purged_at: str | None
    sizes: DocumentSizes
    log: Log
    log_tail: list[Row]
    """Newest first."""
    state_vector: StateVector | None
    """Null where the document cannot be read: see `problem`."""
    pending: Pending | None
    quarantine: list[Quarantined]
    open: Open | None
    """Null: it is not in this node's memory."""
    clients: list[Client]
    awareness: list[Awareness]
    closed: ClosedFor | None
    problem: str | None
    """Why the document cannot be read, if so."""


class DocumentShown(msgspec.Struct, kw_only=True):
    """Reply of GET /api/admin/documents/{document_id}."""

    success: bool
    node: str
    document: Inspected


class CompactedNow(msgspec.Struct, kw_only=True):
    """What a compaction did."""

    sequence: int
    """The new load boundary."""
    rows: int
    """Rows that no load reads any more."""
    tail_bytes: int
    snapshot_bytes: int
    pending: int
    quarantined: int


class Compacted(msgspec.Struct, kw_only=True):
    """Reply of POST /api/admin/documents/{document_id}/compact."""

    success: bool
    compacted: CompactedNow | None
    """Null: there was nothing to do, or another node did it meanwhile."""


class CloseIt(msgspec.Struct, kw_only=True):
    """Body of POST /api/admin/documents/{document_id}/close."""

    reason: Annotated[str, msgspec.Meta(max_length=REASON_LETTERS_MAX)] = ""
    seconds: Annotated[float, msgspec.Meta(gt=0, le=10 * 366 * 86_400)] | None = None
    """How long; left out: until it is opened."""


class Changed(msgspec.Struct, kw_only=True):
    """Reply of the routes that close and open."""

    success: bool
    closed: ClosedFor | None
