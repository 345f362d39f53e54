"""The pretend store: a committed log for each document, and batches on their way to it.

What is committed survives everything. A batch is queued, lands (in one commit, with all before it
in its lane), and is answered some time later; when the node dies in between, nobody is told. Loads
see what is committed at one moment and arrive at a later one. While the store is stalled nothing
lands and nothing is read.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from crdt.document import Document, decode_state_vector
from crdt.errors import OutOfOrder
from crdt.gaps import ready_part
from storage.loading import PACKED
from storage.squeezing import Squeezed, squeeze


@dataclass(frozen=True)
class Landed:
    """The answer to a batch that is committed, by sequence."""

    first: int
    last: int


@dataclass(frozen=True)
class Refused:
    """The answer to a batch that the store will never take."""

    reason: str


Done = Callable[[Landed | Refused], None]


@dataclass
class Batch:
    """What a room asked to append at once."""

    updates: list[bytes]
    done: Done
    answer: Landed | Refused | None = None


@dataclass
class Log:
    """One document's committed rows; `truth` is the document of exactly these."""

    head: int = 0
    snapshot: bytes | None = None
    rows: dict[int, bytes] = field(default_factory=dict)
    """By sequence: those behind the snapshot, and those below it that wait for predecessors."""
    boundary: int = 0
    """Sequence up to which the snapshot stands."""
    truth: Document = field(default_factory=lambda: Document.rebuild([], exact=True))
    received: set[bytes] = field(default_factory=set)

    def append(self, updates: Sequence[bytes]) -> Landed:
        """Commit."""
        first = self.head + 1
        for update in updates:
            self.head += 1
            self.rows[self.head] = update
            self.received.add(update)
        try:
            self.truth.apply_stored(updates)
            self.truth.settle()
        except OutOfOrder:
            self.truth = Document.rebuild(self.read()[0], careful=True)
        return Landed(first, self.head)

    def read(self) -> tuple[list[bytes], int]:
        """What a load finds: the snapshot, the rows, and the sequence up to which they stand."""
        snapshot = [] if self.snapshot is None else [self.snapshot]
        return [*snapshot, *self.rows.values()], self.head

    def rows_after(self, sequence: int) -> tuple[list[bytes], int]:
        """What another node has to catch up with."""
        if sequence < self.boundary:
            return self.read()
        return [data for number, data in self.rows.items() if number > sequence], self.head

    def holds(self, update: bytes) -> bool:
        """Whether all of an update is committed."""
        if update in self.received or self.truth.contains(update):
            return True
        ready = ready_part(update, decode_state_vector(self.truth.state_vector()))
        known = ready.part is None or self.truth.contains(ready.part)
        return known and self.truth.wake().pendings.cover(ready)

    def compact(self, boundary: int) -> str:
        """Put a snapshot in the place of the rows up to `boundary` that do not wait; or why not."""
        covered = [(number, data) for number, data in self.rows.items() if number <= boundary]
        found = squeeze(self.snapshot, covered)
        if not isinstance(found, Squeezed):
            return found
        assert not found.bad, found.bad
        packed = found.encoding == PACKED
        self.snapshot = zlib.decompress(found.data) if packed else found.data
        self.boundary = boundary
        self.rows = {
            number: data
            for number, data in self.rows.items()
            if number > boundary or number in found.pending
        }
        return ""


class Store:
    """All logs, and the lanes of all nodes: a lane is one node's batches for one document."""

    def __init__(self) -> None:
        self.logs: dict[str, Log] = {}
        self.lanes: dict[tuple[int, str], deque[Batch]] = {}
        self.stalled = False

    def log(self, document: str) -> Log:
        """The log of a document, which may be empty."""
        return self.logs.setdefault(document, Log())

    def submit(self, node: int, document: str, updates: list[bytes], done: Done) -> None:
        """Queue a batch behind those before it."""
        self.lanes.setdefault((node, document), deque()).append(Batch(updates, done))

    def landing(self) -> list[tuple[int, str]]:
        """Lanes in which something could be committed now."""
        if self.stalled:
            return []
        return [key for key, lane in self.lanes.items() if lane and lane[-1].answer is None]

    def answering(self) -> list[tuple[int, str]]:
        """Lanes in which somebody could be told."""
        return [key for key, lane in self.lanes.items() if lane and lane[0].answer is not None]

    def land(self, key: tuple[int, str], rng: Random) -> None:
        """Commit the next batch of a lane, and perhaps some behind it."""
        waiting = [batch for batch in self.lanes[key] if batch.answer is None]
        for batch in waiting[: rng.randint(1, 4)]:
            batch.answer = self.log(key[1]).append(batch.updates)

    def answer(self, key: tuple[int, str]) -> None:
        """Tell the node of its oldest settled batch."""
        lane = self.lanes[key]
        batch = lane.popleft()
        if not lane:
            del self.lanes[key]
        assert batch.answer is not None
        batch.done(batch.answer)

    def fence(self, document: str, reason: str) -> None:
        """Refuse, for good, what is on its way to a document."""
        for (_, name), lane in self.lanes.items():
            if name == document:
                for batch in lane:
                    batch.answer = batch.answer or Refused(reason)

    def node_died(self, node: int, rng: Random) -> None:
        """Its batches are lost, save those that were just being committed."""
        for key in [key for key in self.lanes if key[0] == node]:
            if not self.stalled and rng.random() < 0.5:
                self.land(key, rng)
            del self.lanes[key]
