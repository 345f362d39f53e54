"""What every connection needs, and the register of open ones."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web

from crdt.bounds import Bounds
from server.tasks import Tasks

if TYPE_CHECKING:
    from auth.tokens import Tokens
    from server.documents import Documents
    from server.entrance import Entrance
    from server.identify import Identify
    from server.metrics import Metrics
    from server.notices import Notices
    from server.outbox import Turns
    from server.realtime.connection import Connection
    from server.rights import Rights
    from server.settings import Settings


@dataclass(slots=True)
class Realtime:
    """What every connection needs, and the register of open ones."""

    settings: Settings
    bounds: Bounds
    documents: Documents
    identify: Identify
    rights: Rights
    entrance: Entrance
    tokens: Tokens
    metrics: Metrics
    turns: Turns
    connections: set[Connection] = field(default_factory=set)
    pending: dict[str, int] = field(default_factory=dict)
    """Connections of each address that have not opened a document yet."""
    draining: bool = False
    tasks: Tasks = field(default_factory=Tasks)
    notices: Notices | None = None
    """Who wants to hear of changes in workspaces; there once the feed runs."""
    _second: int = 0
    _handshakes: Counter[str] = field(default_factory=Counter)
    """Handshakes of each address in this second; under an empty name, of all."""

    def pending_of(self, remote: str) -> int:
        """Connections of one address that have not yet opened a document."""
        return self.pending.get(remote, 0)

    def handshake_fits(self, remote: str) -> str | None:
        """Count one handshake; the limit that it is over, if it is over one in this second.

        What an address has tried beyond its own share is not taken from that of the others.
        """
        second = int(self.turns.clock())
        if second != self._second:
            self._second = second
            self._handshakes.clear()
        counts = self._handshakes
        counts[remote] += 1
        if counts[remote] > self.settings.handshakes_per_address_per_s_max:
            return "address"
        counts[""] += 1
        return "all" if counts[""] > self.settings.handshakes_per_s_max else None


REALTIME = web.AppKey("realtime", Realtime)
