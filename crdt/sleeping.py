"""A document of which only the bytes are known: decoded when somebody needs more than those.

Most who open a document that nobody had open read it, or look: a first sync from nothing is the
stored snapshot itself. To decode it takes thirty times as long as to send it, and many times the
memory. And most documents that are open are not written in at any moment: small ones go back to
sleep then (`Document.doze`).
"""

from typing import Final

from crdt.bounds import Bounds
from crdt.building import built
from crdt.errors import DocumentBroken, UpdateError
from crdt.merging import EMPTY_STATE, EMPTY_UPDATE, delete_only
from crdt.patience import PatientReplica
from crdt.sameness import same_vectors

LIGHT_BYTES: Final = 16 * 1024
"""Up to this size a document is light: decoded in 50 to 200 us, as often as anybody asks."""


class Sleeper:
    """What of a document is known as bytes, and the replica once it is needed."""

    __slots__ = (
        "_bounds",
        "_cause",
        "_client_id",
        "_exact",
        "_replica",
        "_snapshot",
        "_turn",
        "_vector",
    )

    def __init__(self, *, client_id: int, bounds: Bounds, exact: bool) -> None:
        self._bounds = bounds
        self._client_id = client_id
        self._exact = exact
        self._replica: PatientReplica | None = None
        """None while it sleeps."""
        self._snapshot, self._vector = EMPTY_UPDATE, EMPTY_STATE
        """What is known while it sleeps, and the state vector of that."""
        self._cause: str | None = None
        """Why it cannot be woken."""
        self._turn: list[bytes] | None = None
        """What the last turn brought, to be merged if anybody asks."""

    def lay_down(self, snapshot: bytes, state_vector: bytes) -> None:
        """Let it be what a snapshot says that is whole and proved; nothing is decoded."""
        self._replica = self._turn = None
        self._snapshot, self._vector = snapshot, state_vector

    @property
    def is_asleep(self) -> bool:
        """Whether only its bytes are known."""
        return self._replica is None

    @property
    def broken(self) -> bool:
        """Whether this document must be discarded."""
        return self._cause is not None or (self._replica is not None and self._replica.broken)

    def wake(self) -> PatientReplica:
        """Decode it if it sleeps; answers what is known from then on.

        Every method that needs more than bytes does this by itself; who applies what somebody sent
        does it before: if it raises DocumentBroken (without a culprit), nobody is to blame.
        """
        if self._replica is None:
            self._replica = self._decoded()
            self._snapshot, self._vector = EMPTY_UPDATE, EMPTY_STATE
        return self._replica

    def glimpse(self) -> PatientReplica:
        """What to look at and not to change: a small document sleeps on meanwhile."""
        if self._replica is not None or len(self._snapshot) > LIGHT_BYTES:
            return self.wake()
        return self._decoded()

    def _decoded(self) -> PatientReplica:
        if self._cause is not None:
            raise DocumentBroken(None, self._cause)
        try:
            return built(
                [] if self._snapshot == EMPTY_UPDATE else [self._snapshot],
                client_id=self._client_id,
                bounds=self._bounds,
                exact=self._exact,
                careful=False,
            )
        except (DocumentBroken, UpdateError) as error:
            self._cause = f"the snapshot: {error}"
            raise DocumentBroken(None, self._cause) from None

    def doze(self) -> None:
        """Go back to sleep, unless it is large or something waits in it.

        What observes it hears nothing from then on.
        """
        replica = self._replica
        if replica is not None and replica.is_settled:
            snapshot = replica.diff(EMPTY_STATE)
            if len(snapshot) <= LIGHT_BYTES:
                self.lay_down(snapshot, replica.state)

    def state_vector(self) -> bytes:
        """What this replica has integrated. Deletions do not move it; see `delete_only`."""
        return self._vector if self._replica is None else self._replica.state

    def known_diff(self, state_vector: bytes) -> bytes | None:
        """What a replica with this state vector lacks, where the snapshot alone can tell.

        Raises UpdateError if the bytes are no state vector.
        """
        if self._replica is None:
            if not state_vector or state_vector == EMPTY_STATE:
                return self._snapshot
            if same_vectors(state_vector, self._vector):
                return delete_only(self._snapshot)
        return None
