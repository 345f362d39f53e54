"""Turns an editing history into the updates that real editors would send, in causal order.

A sequential history is dealt out in turns: one client types `turn` transactions, then the next one
goes on, on a replica that has everything before. A concurrent history is built with one replica
per author, on exactly the merged state of each transaction's parents; an author who went back to an
older state gets a new replica. Updates are made before anything is sent, so that the replay
measures the server and not the making of updates.

Positions in a history are Unicode code points, pycrdt's are UTF-8 bytes.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pycrdt import Doc, Text, TransactionEvent

from .codec import state_vector_clocks
from .trace import Trace
from .typing_work import ROOT, Edit

Progress = Callable[[int], None]
"""Told how many transactions were prepared since the last call."""
UPDATES_PER_TRANSACTION = 1000
REPLICAS_PER_AUTHOR = 1000
FIRST_IDS = range(1 << 20, 1 << 30)


@dataclass
class Step:
    """Updates that one client sends once it has seen `needs` (Yjs client id to clock)."""

    client: int
    needs: dict[int, int]
    updates: list[bytes] = field(default_factory=list)


class Replica:
    """One author's copy of the document, which hands out the update of each transaction."""

    def __init__(self, number: int) -> None:
        self.document: Doc[Any] = Doc(client_id=number)
        self.text = self.document.get(ROOT, type=Text)
        self.made = b""
        self.document.observe(self._keep)

    def _keep(self, event: TransactionEvent) -> None:
        self.made = event.update

    def receive(self, updates: list[bytes]) -> None:
        """Apply what others made, in one transaction."""
        for first in range(0, len(updates), UPDATES_PER_TRANSACTION):
            with self.document.transaction():
                for update in updates[first : first + UPDATES_PER_TRANSACTION]:
                    self.document.apply_update(update)

    def edit(self, edits: tuple[Edit, ...], *, ascii_only: bool) -> bytes:
        """Make one transaction; positions in code points. Empty bytes if nothing changed."""
        self.made = b""
        with self.document.transaction():
            for position, deleted, inserted in edits:
                start, stop = position, position + deleted
                if not ascii_only:
                    text = str(self.text)
                    stop = len(text[:stop].encode())
                    start = len(text[:start].encode())
                if stop > start:
                    del self.text[start:stop]
                if inserted:
                    self.text.insert(start, inserted)
        return self.made

    def seen(self) -> dict[int, int]:
        """What this replica has, as clocks."""
        return state_vector_clocks(self.document.get_state())


def is_ascii(trace: Trace) -> bool:
    """Whether code points and bytes count the same."""
    return trace.start.isascii() and all(
        inserted.isascii() for one in trace.transactions for _, _, inserted in one.edits
    )


class Ids:
    """Yjs client ids that a document has not seen, as far as chance can tell.

    Yjs orders what is inserted at the same place at the same time by client id. The end of a
    concurrent history was computed with authors in their order, so their ids ascend.
    """

    def __init__(self, chance: random.Random) -> None:
        self._first = chance.choice(FIRST_IDS)
        self._made: dict[int, int] = {}

    def next(self, author: int) -> int:
        """The id of one more replica of an author."""
        made = self._made[author] = self._made.get(author, -1) + 1
        return self._first + author * REPLICAS_PER_AUTHOR + made


def prepare(trace: Trace, clients: int, turn: int, progress: Progress) -> list[Step]:
    """The steps of a replay through `clients` connections."""
    ids = Ids(random.SystemRandom())
    start = Replica(ids.next(0))
    steps = []
    if trace.start:
        steps.append(Step(0, {}, [start.edit(((0, 0, trace.start),), ascii_only=True)]))
    base = [update for step in steps for update in step.updates]
    if trace.concurrent:
        return steps + _concurrent(trace, base, clients, ids, progress)
    return steps + _sequential(trace, base, clients, turn, ids, progress)


def _sequential(  # noqa: PLR0917 - one caller
    trace: Trace, base: list[bytes], clients: int, turn: int, ids: Ids, progress: Progress
) -> list[Step]:
    replicas = [Replica(ids.next(number)) for number in range(clients)]
    ascii_only = is_ascii(trace)
    news = [list(base) for _ in replicas]
    steps = []
    for number, first in enumerate(range(0, len(trace.transactions), turn)):
        who = number % clients
        replica = replicas[who]
        replica.receive(news[who])
        news[who] = []
        step = Step(who, replica.seen())
        for transaction in trace.transactions[first : first + turn]:
            update = replica.edit(transaction.edits, ascii_only=ascii_only)
            if update:
                step.updates.append(update)
        for other, waiting in enumerate(news):
            if other != who:
                waiting.extend(step.updates)
        steps.append(step)
        progress(min(turn, len(trace.transactions) - first))
    return steps


@dataclass
class _Author:
    """A replica of a concurrent history and the transactions in it, one bit each."""

    replica: Replica
    has: int = 0


def _concurrent(
    trace: Trace, base: list[bytes], clients: int, ids: Ids, progress: Progress
) -> list[Step]:
    ascii_only = is_ascii(trace)
    histories: list[int] = []
    made: list[bytes] = []
    authors: dict[int, _Author] = {}
    steps: list[Step] = []
    for index, transaction in enumerate(trace.transactions):
        needed = 0
        for parent in transaction.parents:
            needed |= histories[parent]
        author = authors.get(transaction.agent)
        if author is None or author.has & ~needed:
            author = authors[transaction.agent] = _Author(Replica(ids.next(transaction.agent)))
            author.replica.receive(base)
        missing = needed & ~author.has
        author.replica.receive([made[k] for k in bits(missing) if made[k]])
        steps.append(Step(transaction.agent % clients, author.replica.seen()))
        made.append(author.replica.edit(transaction.edits, ascii_only=ascii_only))
        steps[-1].updates += [made[-1]] if made[-1] else []
        histories.append(needed | 1 << index)
        author.has = histories[-1]
        progress(1)
    return steps


def bits(number: int) -> list[int]:
    """Positions of the bits that are set, lowest first."""
    out = []
    while number:
        low = number & -number
        out.append(low.bit_length() - 1)
        number ^= low
    return out
