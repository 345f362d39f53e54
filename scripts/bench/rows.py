"""The rows of the bench: what is loaded, the figure that counts, and whom it is compared with."""

from collections.abc import Sequence
from dataclasses import dataclass

SERVER, SUM = "server", "sum"
"""What of ours is compared: the server alone (peer not durable), or with PostgreSQL."""


@dataclass(frozen=True)
class Against:
    """One comparison: ours divided by the peer's must be at most `target`.

    Without a target it is measured only where the peer is asked for by name.
    """

    peer: str
    basis: str
    target: float | None


PYCRDT = Against("pycrdt-websocket", SERVER, None)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One scenario of scripts/load and the phase and figure that are compared."""

    title: str
    arguments: Sequence[str]
    phase: str
    unit: str
    """Name of the figure without its `sum_` or `postgres_`."""
    against: Sequence[Against]
    restart: bool = False
    """Whether the document is made, the server restarted, and only then measured."""


ROWS: dict[str, Row] = {
    "fan-out": Row(
        title="1 document, 100 clients, saturated",
        arguments=("fan-out",),
        phase="saturated",
        unit="us_per_delivery",
        against=(Against("hocuspocus", SUM, 0.6), PYCRDT),
    ),
    "fan-out-300": Row(
        title="1 document, 100 clients, 300 updates/s",
        arguments=("fan-out", "--rate", "300"),
        phase="300/s",
        unit="us_per_delivery",
        against=(Against("y-websocket", SERVER, 0.8), PYCRDT),
    ),
    "rooms": Row(
        title="200 documents, 2 clients each, saturated",
        arguments=("rooms",),
        phase="saturated",
        unit="us_per_update",
        against=(
            Against("y-websocket", SERVER, 0.7),
            Against("y-leveldb", SUM, 0.8),
            Against("hocuspocus", SUM, 0.45),
            PYCRDT,
        ),
    ),
    "storm": Row(
        title="connect with first sync",
        arguments=("storm",),
        phase="storm",
        unit="ms_per_connect",
        against=(Against("y-websocket", SERVER, 0.5), PYCRDT),
    ),
    "join": Row(
        title="join of the 260,000-edit document, warm",
        arguments=("join",),
        phase="warm",
        unit="ms_per_join",
        against=(Against("y-websocket", SERVER, 0.3), PYCRDT),
    ),
    "join-restart": Row(
        title="join of the 260,000-edit document, after a restart",
        arguments=("join",),
        phase="first",
        unit="ms_per_join",
        against=(Against("hocuspocus", SUM, 0.15),),
        restart=True,
    ),
    "slow-reader": Row(
        title="one reader stops reading while 160 MB are sent",
        arguments=("slow-reader",),
        phase="slow reader",
        unit="growth_mb",
        against=(Against("y-websocket", SERVER, 0.0),),
    ),
}
GROWTH_MB_MAX = 16.0
"""What a reader that stopped may cost; no ratio, since no peer bounds it."""
