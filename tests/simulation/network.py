"""The pretend network: connections whose two directions keep their order and nothing else.

A frame waits in its queue until the world lets it arrive, so delay is a matter of chance and frames
of different connections overtake each other. A connection that is cut delivers some of what was
under way, loses the rest, and each end learns of it in its own time: the server may hold a dead
connection for long while the peer is back on a new one.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulation.node import Member, Node
    from tests.simulation.peers import Peer


class Dialect(Enum):
    """How a peer speaks, and how it learns that what it sent is stored."""

    Y_WEBSOCKET = "y-websocket"
    """Gets its own update back after the commit."""
    HOCUSPOCUS = "hocuspocus"
    """Gets exactly one SyncStatus for each step 2 and each update."""
    Y_SWEET = "y-sweet"
    """Asks with a version frame, which comes back when all before it is stored."""


CUT = None
"""What the end of a connection receives last."""


class Connection:
    """One WebSocket between a peer and a node; here it carries one document."""

    def __init__(self, number: int, peer: Peer, node: Node) -> None:
        self.number = number
        self.peer = peer
        self.node = node
        self.member: Member | None = None
        self.up: deque[bytes | None] = deque()
        """On the way to the server."""
        self.down: deque[bytes | None] = deque()
        """On the way to the peer."""
        self.peer_open = True
        self.server_open = True
        self.blocked = False
        """The peer does not read: the server's outbox is full."""

    def __repr__(self) -> str:
        return f"connection {self.number} of {self.peer.name}"

    def to_server(self, frame: bytes) -> None:
        """The peer sends."""
        if self.peer_open:
            self.up.append(frame)

    def to_peer(self, frame: bytes) -> None:
        """The server sends; a dead connection swallows it."""
        if self.server_open:
            self.down.append(frame)

    def cut(self, rng: Random) -> None:
        """Neither end closed it: some of what is under way still arrives."""
        for queue in (self.up, self.down):
            _lose(queue, rng)

    def close_at_peer(self, rng: Random) -> None:
        """The peer goes; what it sent may still arrive, what was sent to it does not."""
        self.peer_open = False
        self.down.clear()
        _lose(self.up, rng)

    def close_at_server(self, rng: Random) -> None:
        """The server closes, or its process is gone."""
        self.server_open = False
        self.blocked = False
        self.up.clear()
        if self.peer_open:
            _lose(self.down, rng)

    @property
    def over(self) -> bool:
        """Nobody is at either end."""
        return not self.peer_open and not self.server_open


def _lose(queue: deque[bytes | None], rng: Random) -> None:
    """Lose the newer part of what is under way, and end the direction."""
    if queue and queue[-1] is CUT:
        return
    for _ in range(rng.randint(0, len(queue))):
        queue.pop()
    queue.append(CUT)


class Network:
    """All connections that are not over."""

    def __init__(self) -> None:
        self.connections: list[Connection] = []
        self._numbers = 0

    def connect(self, peer: Peer, node: Node) -> Connection:
        """A new connection; the server learns of it with the first frame."""
        self._numbers += 1
        connection = Connection(self._numbers, peer, node)
        self.connections.append(connection)
        return connection

    def sweep(self) -> None:
        """Forget what is over."""
        self.connections = [c for c in self.connections if not c.over]

    def sending_up(self) -> list[Connection]:
        """Connections with something on the way to the server."""
        return [c for c in self.connections if c.up and c.server_open]

    def sending_down(self) -> list[Connection]:
        """Connections with something on the way to a peer that reads."""
        return [c for c in self.connections if c.down and c.peer_open and not c.blocked]
