"""One live document: applied, read, encoded, and complete whatever order its updates came in.

pycrdt bites in these places, and each has its defence:

- A panic or a half applied update ruins the document it happens in: `replica` guards each call, and
  the caller of a Document that raises DocumentBroken rebuilds it from the log without the culprit.
- A transaction has no rollback. So `structure.check` must have passed an update before it comes
  here: then it can be decoded, and only its integration may still fail, which breaks the document.
- Updates whose predecessors are missing wait inside pycrdt, invisible: no encoding holds them, and
  they are not always taken up when the predecessors come. So each applied update is asked whether
  it integrated; if not, its bytes are kept, are part of every encoding, and are tried again.
- `merge_updates` takes quadratic time: see `merging`.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, Final

import pycrdt
from pycrdt._pycrdt import get_update as _difference

from crdt.bounds import BOUNDS, Bounds
from crdt.errors import UpdateError
from crdt.merging import (
    EMPTY_STATE,
    EMPTY_UPDATE,
    decode_state_vector,
    delete_only,
    difference,
    merge,
    state_vector_of,
    waits,
)
from crdt.outline import covers, outline
from crdt.pending import NEWS_BYTES, TURN_BYTES, Pendings
from crdt.replica import Replica
from crdt.surrogates import Pairs, replace

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


class Document:
    """A CRDT document in memory. Every call is synchronous; not for several threads at a time.

    Every method may raise DocumentBroken. Methods that take bytes of a peer may raise UpdateError.
    """

    def __init__(self, *, client_id: int = CLIENT_ID, bounds: Bounds = BOUNDS) -> None:
        self._client_id = client_id
        self._bounds = bounds
        self._replica = Replica(client_id)
        self._pendings = Pendings(bounds)
        self._pairs = Pairs()
        self._turn: list[bytes] = []
        """What the last turn brought, to be merged if anybody asks."""

    @classmethod
    def rebuild(
        cls, rows: Iterable[bytes], *, client_id: int = CLIENT_ID, bounds: Bounds = BOUNDS
    ) -> "Document":
        """The document of a snapshot and the log's rows after it, in order; heals what waited.

        The rows need no check: they passed it before they were stored. Raises DocumentBroken with
        the index of the row that broke it, or UpdateError if a row is no update: either means that
        the stored row must be set aside, and never that the document is empty.
        """
        document = cls(client_id=client_id, bounds=bounds)
        updates = list(rows)
        results, _ = document._apply(updates, observe=False)
        for error in results:
            if error is not None:
                raise error
        document.settle()
        return document

    @property
    def broken(self) -> bool:
        """Whether this document must be discarded."""
        return self._replica.broken

    def apply_turn(self, updates: Sequence[bytes]) -> list[UpdateError | None]:
        """Apply checked updates in one transaction: for each, in order, None or why it was refused.

        A refused update leaves the others and the document as they are. One that waits for its
        predecessors is accepted and kept in `pending`, unless that is full.
        """
        if self._pendings.full:
            results = self._apply_where_none_may_wait(updates)
            self._turn = _accepted(updates, results)
            return results
        waiting = len(self._pendings)
        before = self._replica.state if waiting else None
        observe = waiting > 0 or len(updates) >= _OBSERVED_FROM
        results, news = self._apply(updates, observe=observe)
        if observe:
            self._turn = [*([news] if news else ()), *self._pendings.updates()[waiting:]]
        else:
            self._turn = _accepted(updates, results)
        if self._pendings and before != self._replica.state and self._pendings.allow(TURN_BYTES):
            self._turn += self._settle_once()
        return results

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
        if self._pendings.full:
            error = self._apply_where_none_may_wait([update])[0]
            news = None if error else update
        else:
            waiting = len(self._pendings)
            (error,), news = self._apply([update], observe=True)
            if len(self._pendings) > waiting:
                news = update
        if error is not None:
            raise error
        if news is not None and self._pendings and self._pendings.allow(NEWS_BYTES):
            news = merge([news, *self._settle_once()])
        return news

    def edit(self, change: Callable[["pycrdt.Doc[Any]"], None]) -> bytes | None:
        """Make a change on this server, in one transaction; answers its update, or None.

        What `change` raises is passed on, but what it wrote before stays: pycrdt cannot roll back.
        A change must look first and write last.
        """
        made = self._replica.edit(change)
        if made is not None:
            self._pairs.note(made)
        return made

    def _apply(
        self, updates: Sequence[bytes], *, observe: bool
    ) -> tuple[list[UpdateError | None], bytes | None]:
        """One transaction, then a look at each update: the refusals, and what was new if observed.

        This is the hot path: 2.5 us for one small update, 1.1 us each for sixteen.
        """
        forms = self._prepare(updates) if self._pairs.concerned(updates) else updates
        results, news, state = self._replica.transact(forms, observe=observe)
        for index, update in enumerate(updates):
            if results[index] is None:
                try:
                    rest = _difference(update, state)
                except BaseException as error:  # noqa: BLE001  (a panic is one)
                    self._replica.give_up(error, index)
                if rest != EMPTY_UPDATE:
                    results[index] = self._look_at(update, forms[index], rest, state)
        return results, news

    def _prepare(self, updates: Sequence[bytes]) -> Sequence[bytes]:
        """The forms in which pycrdt may have updates, and the document ready for them."""
        forms, cut = self._pairs.enter(list(updates), self._replica.state)
        if cut:
            whole = self._replica.diff(EMPTY_STATE)
            self._pendings.transform(lambda form: replace(form, cut))
            self._replica = Replica(self._client_id)
            self._replica.transact([replace(whole, cut), *self._pendings.forms()], observe=False)
        return forms

    def _look_at(self, update: bytes, form: bytes, rest: bytes, state: bytes) -> UpdateError | None:
        """Keep an update that left a rest, if that waits."""
        try:
            if waits(rest, state):
                self._pendings.add(update, form)
                self._pairs.wait(form)
        except UpdateError as error:
            return error
        return None

    def _apply_where_none_may_wait(self, updates: Sequence[bytes]) -> list[UpdateError | None]:
        """Apply those that stand on nothing missing, one by one; refuse the others."""
        results: list[UpdateError | None] = []
        for update in updates:
            if outline(update).ready(decode_state_vector(self._replica.state)):
                results += self._apply([update], observe=False)[0]
            else:
                results.append(UpdateError("pending-full"))
        return results

    @property
    def has_pending(self) -> bool:
        """Whether anything waits for its predecessors."""
        return len(self._pendings) > 0

    def pending(self) -> list[bytes]:
        """The updates that wait for their predecessors, as they were received, oldest first."""
        return self._pendings.updates()

    def integrated(self, update: bytes, state_vector: bytes | None = None) -> bool:
        """Whether a replica with this state vector (default: this document's) took it up whole."""
        state = self._replica.state if state_vector is None else state_vector
        rest = difference(update, state)
        return rest == EMPTY_UPDATE or not waits(rest, state)

    def settle(self) -> bytes | None:
        """Try what waits until nothing moves; answers an update for all that went, or None.

        Turns and handshakes do a bounded part of it by themselves; a tick may call this.
        """
        news: list[bytes] = []
        waiting = -1
        while self._pendings and waiting != len(self._pendings):
            waiting = len(self._pendings)
            news += self._settle_once()
            if waiting == len(self._pendings):
                news += self._settle_once(merged=False)
        return merge(news) if news else None

    def _settle_once(self, *, merged: bool = True) -> list[bytes]:
        """Apply again all that waits; answers an update for what went by it, or nothing.

        Merged into one update first, because pycrdt takes up some sets only so: of 100 complete
        sets applied in shuffled order 93 stayed incomplete, and this completed all of them.
        """
        waiting = self._pendings.updates()
        _, news, _ = self._replica.transact(
            [self._pendings.merged()] if merged else self._pendings.forms(), observe=True
        )
        went = []
        for update in waiting:
            with suppress(UpdateError):
                if self.integrated(update):
                    went.append(update)
        self._pendings.remove(went)
        return [news] if news else []

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
        known = self._replica.diff(vector)
        if not self._pendings:
            return known
        try:
            return merge([known, difference(self._pendings.merged(), vector)])
        except UpdateError:
            # What waits contradicts what is known: it is hostile, and nobody may miss the rest.
            return known

    def encode(self) -> bytes:
        """The whole document as one update, with all that waits here."""
        return self.diff(EMPTY_STATE)

    def contains(self, update: bytes) -> bool:
        """Whether an update would change nothing, its deletions included.

        Raises UpdateError if the bytes are not an update.
        """
        state = self._replica.state
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
