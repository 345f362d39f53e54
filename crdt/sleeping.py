"""A document of which only the bytes are known: decoded when somebody needs more than those.

Most who open a document that nobody had open read it, or look: a first sync from nothing is the
stored snapshot itself. To decode it takes thirty times as long as to send it, and many times the
memory. So the document sleeps until the first news: an update, an edit, a difference.
"""

from collections.abc import Sequence
from typing import Any, Final

from crdt.bounds import Bounds
from crdt.document import EMPTY_STATE, EMPTY_UPDATE, Document, delete_only
from crdt.errors import DocumentBroken, UpdateError
from crdt.events import CHECKED, EDIT, PUSH, Item
from crdt.sameness import same_vectors
from crdt.wire import STEP2, UPDATE

_NEWS: Final = frozenset((UPDATE, STEP2, PUSH, EDIT))


def opened(
    known: Sequence[bytes], vector: bytes | None, *, client_id: int, bounds: Bounds, careful: bool
) -> Document:
    """The document of a snapshot and the rows after it; raises as `Document.rebuild` does.

    `vector` is the state vector of the snapshot, where that is whole and proved, else None. A
    snapshot alone then sleeps.
    """
    if vector is not None and len(known) == 1 and not careful:
        return Sleeping(known[0], vector, client_id=client_id, bounds=bounds)
    return Document.rebuild(known, client_id=client_id, bounds=bounds, exact=True, careful=careful)


def wake_for(document: Document, inbox: Sequence[Item]) -> None:
    """Wake a sleeping document if anything of a turn brings it news.

    Before anything is tried: if the snapshot breaks it, no update of this turn is to blame. Raises
    DocumentBroken then.
    """
    if type(document) is Sleeping:
        for _, kind, payload, _ in inbox:
            if kind & ~CHECKED in _NEWS and payload != EMPTY_UPDATE:
                document.wake()
                return


class Sleeping(Document):
    """Answers first syncs from the snapshot; becomes an ordinary Document when it wakes."""

    def __init__(
        self, snapshot: bytes, state_vector: bytes, *, client_id: int, bounds: Bounds
    ) -> None:
        self._bounds = bounds
        self._snapshot = snapshot
        self._vector = state_vector
        self._client_id = client_id
        self._cause: str | None = None

    def wake(self) -> None:
        """Decode it. Raises DocumentBroken without a culprit."""
        if self._cause is not None:
            raise DocumentBroken(None, self._cause)
        try:
            made = Document.rebuild(
                [self._snapshot], client_id=self._client_id, bounds=self._bounds, exact=True
            )
        except (DocumentBroken, UpdateError) as error:
            self._cause = f"the snapshot: {error}"
            raise DocumentBroken(None, self._cause) from None
        self.__dict__.clear()
        self.__dict__.update(vars(made))
        self.__class__ = Document  # type: ignore[assignment]

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        """Called for what only a document has that is awake: every method not below asks for it."""
        if name not in {"_replica", "_pendings", "_turn"}:
            raise AttributeError(name)
        self.wake()
        return getattr(self, name)

    @property
    def broken(self) -> bool:
        """Whether this document must be discarded."""
        return self._cause is not None

    @property
    def has_pending(self) -> bool:
        """Nothing waits: what did was left out of the snapshot, and is a row of its own."""
        return False

    def pending(self) -> list[bytes]:
        """None."""
        return []

    def take_poison(self) -> list[bytes]:
        """None."""
        return []

    def settle(self) -> None:
        """Nothing waits."""

    def state_vector(self) -> bytes:
        """As it was stored beside the snapshot."""
        return self._vector

    def diff(self, state_vector: bytes) -> bytes:
        """What a replica with this state vector lacks; wakes unless that is all, or deletions.

        Raises UpdateError if the bytes are no state vector.
        """
        if not state_vector or state_vector == EMPTY_STATE:
            return self._snapshot
        if same_vectors(state_vector, self._vector):
            return delete_only(self._snapshot)
        self.wake()
        return self.diff(state_vector)
