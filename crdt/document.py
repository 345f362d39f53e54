"""One live document: applied, read, encoded, and complete whatever order its updates came in.

pycrdt bites in these places, and each has its defence:

- A panic or a half applied update ruins the document it happens in: `replica` guards each call, and
  the caller of a Document that raises DocumentBroken rebuilds it from the log without the culprit.
- A transaction has no rollback. So `structure.check` must have passed an update before it comes
  here: then it can be decoded, and only its integration may still fail.
- Updates whose predecessors are missing wait inside pycrdt, invisible, some of them for ever: see
  `patience`.
- A cut inside a character of two UTF-16 units shifts the clocks of all that follows: `surrogates`.
- `merge_updates` takes quadratic time: `merging`.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeVar

import pycrdt

from crdt.bounds import BOUNDS, Bounds
from crdt.errors import DocumentBroken, OutOfOrder, UpdateError
from crdt.gaps import ready_part
from crdt.merging import (
    EMPTY_STATE,
    EMPTY_UPDATE,
    decode_state_vector,
    delete_only,
    difference,
    merge,
    state_vector_of,
)
from crdt.outline import covers, outline
from crdt.patience import PatientReplica
from crdt.pending import NEWS_BYTES, TURN_BYTES
from crdt.sameness import same_updates, same_vectors

__all__ = [
    "CLIENT_ID",
    "EMPTY_STATE",
    "EMPTY_UPDATE",
    "Document",
    "decode_state_vector",
    "delete_only",
    "difference",
    "merge",
    "state_vector_of",
]

CLIENT_ID: Final = 1
"""Replica number of a document that is not edited by this server; one that is gets its own."""

_OBSERVED_FROM: Final = 9
"""Updates in a turn from which on its merged update is taken from the transaction: from here that
is cheaper than merging on demand, and below it is hardly asked for."""

T = TypeVar("T")


class Document:
    """A CRDT document in memory. Every call is synchronous; not for several threads at a time.

    Every method may raise DocumentBroken. Methods that take bytes of a peer may raise UpdateError.
    """

    def __init__(self, *, client_id: int = CLIENT_ID, bounds: Bounds = BOUNDS) -> None:
        self._bounds = bounds
        self._replica = PatientReplica(client_id, bounds)
        self._pendings = self._replica.pendings
        self._turn: list[bytes] = []
        """What the last turn brought, to be merged if anybody asks."""

    @classmethod
    def rebuild(
        cls,
        rows: Iterable[bytes],
        *,
        client_id: int = CLIENT_ID,
        bounds: Bounds = BOUNDS,
        exact: bool = False,
        careful: bool = False,
    ) -> "Document":
        """The document of a snapshot and the log's rows after it, in order; heals what waited.

        `exact`: the first update that waits later raises OutOfOrder, for a caller who then rebuilds
        with `careful`. Without it pycrdt has overwritten values before it is told off.

        The rows need no check: they passed it before they were stored. Raises DocumentBroken with
        the index of the row that broke it, or UpdateError if a row is no update: either means that
        the stored row must be set aside, and never that the document is empty.
        """
        updates = list(rows)
        if not updates:  # Most blocks that devices push are new: no transaction is needed.
            document = cls(client_id=client_id, bounds=bounds)
            document._replica.exact, document._replica.careful = exact, careful
            return document
        try:
            document = cls(client_id=client_id, bounds=bounds)
            results = document._rebuild(updates, careful=careful)
        except OutOfOrder:
            document = cls(client_id=client_id, bounds=bounds)
            results = document._rebuild(updates, careful=True)
        for error in results:
            if error is not None:
                raise error
        document.settle()
        document._replica.exact, document._pendings.bounded = exact, True
        return document

    def _rebuild(self, updates: list[bytes], *, careful: bool) -> list[UpdateError | None]:
        """Apply stored rows to an empty document."""
        self._pendings.bounded = False
        replica = self._replica
        replica.exact, replica.careful = True, careful
        if careful:
            return replica.apply(updates, observe=False, waiting=True)[0]
        # The first row is mostly a snapshot: it need not be compared with those behind it.
        results = replica.apply(updates[:1], observe=False, waiting=True)[0]
        try:
            return results + replica.apply(updates[1:], observe=False, waiting=True)[0]
        except OutOfOrder:
            raise
        except DocumentBroken as broken:
            culprit = None if broken.culprit is None else broken.culprit + 1
            raise DocumentBroken(culprit, broken.cause) from None

    @property
    def broken(self) -> bool:
        """Whether this document must be discarded."""
        return self._replica.broken

    def apply_turn(self, updates: Sequence[bytes]) -> list[UpdateError | None]:
        """Apply checked updates in one transaction: for each, in order, None or why it was refused.

        A refused update leaves the others and the document as they are. One that waits for its
        predecessors is accepted and kept in `pending`, unless that is full.
        """
        replica, pendings = self._replica, self._pendings
        waiting = set(pendings.updates()) if pendings else None
        before = replica.state if waiting else None
        observe = waiting is not None or len(updates) >= _OBSERVED_FROM
        results, news = replica.apply(updates, observe=observe)
        if observe:
            late = [update for update in pendings.updates() if update not in (waiting or ())]
            self._turn = [*([news] if news else ()), *late]
        else:
            self._turn = _accepted(updates, results)
        if pendings and before != replica.state:
            self._turn += replica.settle(pendings.allow(TURN_BYTES))
        return results

    def apply_stored(self, rows: Sequence[bytes]) -> list[UpdateError | None]:
        """`apply_turn` for rows that are in the log already: none is refused for what waits."""
        self._pendings.bounded = False
        try:
            return self.apply_turn(rows)
        finally:
            self._pendings.bounded = True

    @property
    def turn_update(self) -> bytes:
        """One update for all that the last `apply_turn` accepted or that stopped waiting by it."""
        if len(self._turn) != 1:
            self._turn = [merge(self._turn)]
        return self._turn[0]

    def apply_observed(self, update: bytes) -> bytes | None:
        """Apply a checked update in a transaction of its own; answers what was new, or None.

        For handshakes and pushes, which repeat what is known: only news are to be stored. An update
        that waits for its predecessors is news as a whole. Raises UpdateError if it is refused.
        """
        replica, pendings = self._replica, self._pendings
        waiting = len(pendings)
        (error,), news = replica.apply([update], observe=True)
        if len(pendings) > waiting:
            news = update
        if error is not None:
            raise error
        if news is not None and pendings:
            news = merge([news, *replica.settle(pendings.allow(NEWS_BYTES))])
        return news

    def edit(self, change: Callable[["pycrdt.Doc[Any]"], None]) -> bytes | None:
        """Make a change on this server, in one transaction; answers its update, or None.

        What `change` raises is passed on, but what it wrote before stays: pycrdt cannot roll back.
        A change must look first and write last.
        """
        return self._replica.edit(change)

    @property
    def has_pending(self) -> bool:
        """Whether anything waits for its predecessors."""
        return len(self._pendings) > 0

    def pending(self) -> list[bytes]:
        """The updates that wait for their predecessors, as they were received, oldest first."""
        return self._pendings.updates()

    def take_poison(self) -> list[bytes]:
        """Updates that waited and then could not be integrated, since the last call.

        They are part of no encoding any more; their rows in the log should be set aside.
        """
        poison, self._replica.poison = self._replica.poison, []
        return poison

    def integrated(self, update: bytes, state_vector: bytes | None = None) -> bool:
        """Whether a replica with this state vector (default: this document's) took it up whole."""
        state = self._replica.state if state_vector is None else state_vector
        return self._replica.integrated(update, state)

    def settle(self) -> bytes | None:
        """Try what waits until nothing moves; answers an update for all that went, or None.

        Turns and handshakes do a bounded part of it by themselves; a tick may call this.
        """
        news = self._replica.settle()
        return merge(news) if news else None

    def state_vector(self) -> bytes:
        """What this replica has integrated. Deletions do not move it; see `delete_only`."""
        return self._replica.state

    def diff(self, state_vector: bytes) -> bytes:
        """What a replica that has seen `state_vector` is still missing, with all that waits here.

        Never empty once anything was deleted: the format repeats all deletions. An empty vector
        means a replica that has nothing. Raises UpdateError if the bytes are not a state vector.
        """
        vector = state_vector or EMPTY_STATE
        if vector[0] >= 0x80 or vector[0] * 2 >= len(vector):  # pycrdt reserves what is declared
            decode_state_vector(vector, self._bounds)
        return self._replica.diff(vector)

    def encode(self) -> bytes:
        """The whole document as one update, with all that waits here."""
        return self.diff(EMPTY_STATE)

    def same(self, other: "Document") -> bool:
        """Whether two documents have integrated the same and wait for the same."""
        return (
            same_vectors(self.state_vector(), other.state_vector())
            and same_updates(self._replica.known(), other._replica.known())  # noqa: SLF001
            and all(map(other.contains, self.pending()))
            and all(map(self.contains, other.pending()))
        )

    def look(self, ask: Callable[["pycrdt.Doc[Any]"], T]) -> T:
        """What `ask` finds in the document; it must not write. Its errors pass."""
        return self._replica.look(ask)

    def contains(self, update: bytes) -> bool:
        """Whether an update would change nothing, its deletions included.

        Raises UpdateError if the bytes are not an update.
        """
        state = self._replica.state
        if self._pendings:
            ready = ready_part(update, decode_state_vector(state))
            if ready.part is None or not self._pendings.cover(ready):
                return self._pendings.cover(ready)
            update = ready.part
        rest = difference(update, state)
        if rest[0] != 0:
            return False
        if rest == EMPTY_UPDATE:
            return True
        deletions = self.diff(state)
        return rest == deletions or covers(outline(deletions).deletes, outline(rest).deletes)


def _accepted(updates: Sequence[bytes], results: list[UpdateError | None]) -> list[bytes]:
    """The updates that were not refused."""
    if not any(results):
        return list(updates)
    return [update for update, error in zip(updates, results, strict=True) if error is None]
