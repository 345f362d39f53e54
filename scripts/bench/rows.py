"""The rows of the bench: what is loaded, the figure that counts, and whom it is compared with."""

from collections.abc import Sequence
from dataclasses import dataclass

SERVER, SUM = "server", "sum"
"""What of ours is compared: the server alone (peer not durable), or with PostgreSQL."""


@dataclass(frozen=True)
class Against:
    """One comparison: ours divided by the peer's must be at most `target`, where there is one."""

    peer: str
    basis: str
    target: float | None = None


PEERS: dict[str, str] = {
    "y-websocket": SERVER,
    "y-leveldb": SUM,
    "hocuspocus": SUM,
    "pycrdt-websocket": SUM,
}
"""Every peer, and what of ours is compared with it: what keeps nothing is compared with our server
alone, what has a store with server and PostgreSQL together."""
IN_MEMORY = "y-websocket"
"""The one that has nothing left after a restart."""
FLOOR = "relay"
"""The peer that hands frames on and knows of no document: what the loop and the kernel cost."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One scenario of scripts/load and the phase and figure that are compared."""

    title: str
    arguments: Sequence[str]
    phase: str
    unit: str
    """Name of the figure without its `sum_` or `postgres_`."""
    targets: Sequence[Against]
    """What is asked: of the peer that was the best when it was asked, and of others by name."""
    peers: Sequence[str] = tuple(PEERS)
    """Who can do this at all, and in a time that somebody waits for."""
    restart: bool = False
    """Whether the document is made, the server restarted, and only then measured."""
    most: float | None = None
    """What ours may be at most, whatever the peers are."""
    p99_ms_most: float | None = None
    """How late the latest hundredth may be."""
    has_floor: bool = False
    """Whether a bare broadcast can do the same."""
    length: str = "--seconds"
    """How the length of a phase is told, where it has one."""

    @property
    def against(self) -> list[Against]:
        """Each peer of the row once: those with a target first."""
        asked = {one.peer for one in self.targets}
        others = [peer for peer in self.peers if peer not in asked]
        return [*self.targets, *(Against(peer, PEERS[peer]) for peer in others)]


ROWS: dict[str, Row] = {
    "fan-out": Row(
        title="1 document, 100 clients, saturated",
        arguments=("fan-out",),
        phase="saturated",
        unit="us_per_delivery",
        targets=(Against("hocuspocus", SUM, 0.45),),
        has_floor=True,
    ),
    "crowd": Row(
        title="1 document, 300 clients, saturated",
        arguments=("fan-out", "--clients", "300"),
        phase="saturated",
        unit="us_per_delivery",
        targets=(Against("hocuspocus", SUM, 0.6),),
        has_floor=True,
    ),
    "fan-out-300": Row(
        title="1 document, 100 clients, 300 updates/s",
        arguments=("fan-out", "--rate", "300"),
        phase="300/s",
        unit="us_per_delivery",
        targets=(Against("y-websocket", SERVER, 0.7),),
        has_floor=True,
    ),
    "rooms": Row(
        title="200 documents, 2 clients each, saturated",
        arguments=("rooms",),
        phase="saturated",
        unit="us_per_update",
        targets=(
            Against("y-websocket", SERVER, 0.5),
            Against("y-leveldb", SUM, 0.7),
            Against("hocuspocus", SUM, 0.35),
        ),
        has_floor=True,
    ),
    "rooms-2000": Row(
        title="1,000 documents, 2 clients each, 2,000 updates/s",
        arguments=("rooms", "--documents", "1000", "--rate", "2000"),
        phase="2000/s",
        unit="us_per_update",
        targets=(
            Against("y-websocket", SERVER, 0.6),
            Against("y-leveldb", SUM, 0.2),
        ),
        has_floor=True,
    ),
    "cursors": Row(
        title="100 cursors in 1 document, 5 moves/s each",
        arguments=("awareness", "--clients", "100", "--rate", "5"),
        phase="500/s",
        unit="us_per_delivery",
        targets=(Against("y-websocket", SERVER, 0.4),),
        has_floor=True,
    ),
    "cursors-300": Row(
        title="300 cursors in 1 document, 5 moves/s each",
        arguments=("awareness", "--clients", "300", "--rate", "5"),
        phase="1500/s",
        unit="us_per_delivery",
        targets=(Against("hocuspocus", SUM, 0.4),),
        p99_ms_most=60.0,
        has_floor=True,
    ),
    "storm": Row(
        title="connect with first sync",
        arguments=("storm",),
        phase="storm",
        unit="ms_per_connect",
        targets=(Against("y-websocket", SERVER, 0.35),),
        has_floor=True,
    ),
    "join": Row(
        title="join of the 260,000-edit document, warm",
        arguments=("join",),
        phase="warm",
        unit="ms_per_join",
        targets=(Against("y-websocket", SERVER, 0.1),),
    ),
    "join-restart": Row(
        title="join of the 260,000-edit document, after a restart",
        arguments=("join",),
        phase="first",
        unit="ms_per_join",
        targets=(Against("hocuspocus", SUM, 0.05),),
        peers=tuple(peer for peer in PEERS if peer != IN_MEMORY),
        restart=True,
    ),
    "idle": Row(
        title="memory of an idle connection (5,000 of them)",
        arguments=("idle", "--clients", "5000"),
        phase="idle",
        unit="kb_per_client",
        targets=(Against("y-websocket", SERVER, 1.0),),
    ),
    "live-documents": Row(
        title="memory of a small document in use (2,000 of them, one client each)",
        arguments=("documents", "--seconds", "1"),
        phase="live",
        length="",
        unit="kb_per_document",
        targets=(Against("y-websocket", SERVER, 0.3),),
    ),
    "asleep": Row(
        title="memory of a document that nobody has open (three more crowds of 2,000)",
        arguments=("documents", "--crowds", "4"),
        phase="asleep",
        length="",
        unit="kb_per_document",
        targets=(Against("y-websocket", SERVER),),
        peers=("y-websocket",),
        most=0.3,
    ),
    "slow-reader": Row(
        title="one reader stops reading while 160 MB are sent",
        arguments=("slow-reader",),
        phase="slow reader",
        unit="growth_mb",
        targets=(Against("y-websocket", SERVER),),
        peers=("y-websocket", "hocuspocus"),
        most=16.0,
        length="",
    ),
}
