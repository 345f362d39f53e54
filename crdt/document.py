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

Nothing is decoded before somebody needs it: see `sleeping`.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeVar

import pycrdt

from crdt.bounds import BOUNDS, Bounds
from crdt.building import built
from crdt.errors import UpdateError
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
from crdt.pending import NEWS_BYTES, TURN_BYTES
from crdt.sameness import same_updates, same_vectors
from crdt.sleeping import Sleeper

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

_OBSERVED_FROM: Final = 33
"""Updates in a turn from which on its merged update is taken from the transaction. Up to here it is
cheaper to merge them when that is asked for: 0.6 us each, where the transaction takes up to 50 us,
the more the longer the text is that they go on with."""

T = TypeVar("T")


class Document(Sleeper):
    """A CRDT document in memory. Every call is synchronous; not for several threads at a time.

    Every method may raise DocumentBroken. Methods that take bytes of a peer may raise UpdateError.
    """

    __slots__ = ()

    def __init__(
        self, *, client_id: int = CLIENT_ID, bounds: Bounds = BOUNDS, exact: bool = False
    ) -> None:
        super().__init__(client_id=client_id, bounds=bounds, exact=exact)

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
        document = cls(client_id=client_id, bounds=bounds, exact=exact)
        document._replica = built(
            list(rows), client_id=client_id, bounds=bounds, exact=exact, careful=careful
        )
        return document

    # -- changes ------------------------------------------------------------------------

    def apply_turn(self, updates: Sequence[bytes]) -> list[UpdateError | None]:
        """Apply checked updates in one transaction: for each, in order, None or why it was refused.

        A refused update leaves the others and the document as they are. One that waits for its
        predecessors is accepted and kept in `pending`, unless that is full.
        """
        replica = self.wake()
        pendings = replica.pendings
        waiting = set(pendings.updates()) if pendings else None
        before = replica.state if waiting else None
        observe = waiting is not None or len(updates) >= _OBSERVED_FROM
        results, news = replica.apply(updates, observe=observe)
        if observe or news is not None:
            late = [update for update in pendings.updates() if update not in (waiting or ())]
            turn = [*([news] if news else ()), *late]
        else:
            turn = _accepted(updates, results)
        if pendings and before != replica.state:
            turn += replica.settle(pendings.allow(TURN_BYTES))
        self._turn = turn
        return results

    def apply_stored(self, rows: Sequence[bytes]) -> list[UpdateError | None]:
        """`apply_turn` for rows that are in the log already: none is refused for what waits."""
        pendings = self.wake().pendings
        pendings.bounded = False
        try:
            return self.apply_turn(rows)
        finally:
            pendings.bounded = True

    @property
    def turn_update(self) -> bytes:
        """One update for all that the last `apply_turn` accepted or that stopped waiting by it."""
        turn = self._turn or []
        if len(turn) != 1:
            turn = self._turn = [merge(turn)]
        return turn[0]

    def apply_observed(self, update: bytes) -> bytes | None:
        """Apply a checked update in a transaction of its own; answers what was new, or None.

        For handshakes and pushes, which repeat what is known: only news are to be stored. An update
        that waits for its predecessors is news as a whole. Raises UpdateError if it is refused.
        """
        replica = self.wake()
        pendings = replica.pendings
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
        return self.wake().edit(change)

    @property
    def has_pending(self) -> bool:
        """Whether anything waits for its predecessors."""
        return self._replica is not None and len(self._replica.pendings) > 0

    def pending(self) -> list[bytes]:
        """The updates that wait for their predecessors, as they were received, oldest first."""
        return self._replica.pendings.updates() if self._replica is not None else []

    def take_poison(self) -> list[bytes]:
        """Updates that waited and then could not be integrated, since the last call.

        They are part of no encoding any more; their rows in the log should be set aside.
        """
        poison: list[bytes] = []
        if self._replica is not None:
            poison, self._replica.poison = self._replica.poison, poison
        return poison

    def integrated(self, update: bytes, state_vector: bytes | None = None) -> bool:
        """Whether a replica with this state vector (default: this document's) took it up whole."""
        replica = self.wake()
        return replica.integrated(update, replica.state if state_vector is None else state_vector)

    def settle(self) -> bytes | None:
        """Try what waits until nothing moves; answers an update for all that went, or None.

        Turns and handshakes do a bounded part of it by themselves; a tick may call this.
        """
        news = self._replica.settle() if self._replica is not None else []
        return merge(news) if news else None

    def diff(self, state_vector: bytes) -> bytes:
        """What a replica that has seen `state_vector` is still missing, with all that waits here.

        Never empty once anything was deleted: the format repeats all deletions. An empty vector
        means a replica that has nothing. Raises UpdateError if the bytes are not a state vector.
        """
        known = self.known_diff(state_vector)
        if known is not None:
            return known
        vector = state_vector or EMPTY_STATE
        if vector[0] >= 0x80 or vector[0] * 2 >= len(vector):  # pycrdt reserves what is declared
            decode_state_vector(vector, self._bounds)
        return self.wake().diff(vector)

    def encode(self) -> bytes:
        """The whole document as one update, with all that waits here."""
        return self.diff(EMPTY_STATE)

    def same(self, other: "Document") -> bool:
        """Whether two documents have integrated the same and wait for the same."""
        return (
            same_vectors(self.state_vector(), other.state_vector())
            and same_updates(self.wake().known(), other.wake().known())
            and all(map(other.contains, self.pending()))
            and all(map(self.contains, other.pending()))
        )

    def look(self, ask: Callable[["pycrdt.Doc[Any]"], T]) -> T:
        """What `ask` finds in the document; it must not write. Its errors pass."""
        return self.glimpse().look(ask)

    def contains(self, update: bytes) -> bool:
        """Whether an update would change nothing, its deletions included.

        Raises UpdateError if the bytes are not an update.
        """
        replica = self.wake()
        state, pendings = replica.state, replica.pendings
        if pendings:
            ready = ready_part(update, decode_state_vector(state))
            if ready.part is None or not pendings.cover(ready):
                return pendings.cover(ready)
            update = ready.part
        rest = difference(update, state)
        if rest[0] != 0:
            return False
        if rest == EMPTY_UPDATE:
            return True
        deletions = self.diff(state)
        return rest == deletions or covers(outline(deletions).deletes, outline(rest).deletes)


def opened(
    known: Sequence[bytes], vector: bytes | None, *, client_id: int, bounds: Bounds, careful: bool
) -> Document:
    """The document of a snapshot and the rows after it; raises as `Document.rebuild` does.

    `vector` is the state vector of the snapshot, where that is whole and proved, else None. A
    snapshot alone then sleeps.
    """
    if vector is not None and len(known) == 1 and not careful:
        document = Document(client_id=client_id, bounds=bounds, exact=True)
        document.lay_down(known[0], vector)
        return document
    return Document.rebuild(known, client_id=client_id, bounds=bounds, exact=True, careful=careful)


def _accepted(updates: Sequence[bytes], results: list[UpdateError | None]) -> list[bytes]:
    """The updates that were not refused."""
    if not any(results):
        return list(updates)
    return [update for update, error in zip(updates, results, strict=True) if error is None]
