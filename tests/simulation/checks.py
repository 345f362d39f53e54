"""What must hold during a run and at its end; the first thing that does not ends it.

During the run, at every acknowledgement: all of the update is in the committed log at that moment,
it is the answer to the oldest unanswered message of its session, and nothing is answered twice.
At the end, see `final`.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from crdt import wire
from crdt.document import decode_state_vector
from crdt.errors import UpdateError
from crdt.events import CHECKED, EDIT, PUSH
from crdt.outline import outline
from tests.simulation.network import Dialect
from tests.simulation.replicas import TOKEN, PlainReplica, Replica, map_of, text_of

if TYPE_CHECKING:
    from tests.simulation.node import Member
    from tests.simulation.peers import Device, Peer
    from tests.simulation.world import World

ANSWERED = (wire.STEP2, wire.UPDATE, wire.VERSION, PUSH, EDIT)


class Broken(AssertionError):
    """A promise was broken in a run."""


class Promises:
    """Keeps account of what was sent, made and promised."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._numbers = itertools.count(1)
        self.made: dict[str, set[str]] = {}
        """By document: tokens that somebody put in, and `-` with tokens that somebody took out."""
        self.counts: Counter[str] = Counter()
        """What happened in the run: a fault that never strikes tests nothing."""
        self._quarantined: list[bytes] = []

    def check(self, holds: bool, claim: str) -> None:
        """End the run if something does not hold."""
        if not holds:
            raise Broken(claim)

    def new_token(self) -> str:
        """A token that nobody used."""
        return f"<{next(self._numbers)}>"

    def deed(self, who: Peer | Device, deed: str) -> None:
        """Somebody changed the text."""
        self.made.setdefault(who.document, set()).add(deed)

    # -- between a node and its room ------------------------------------------------------

    def asked(self, member: Member, kind: int, payload: Any, body: bytes) -> None:
        """A message goes to a room that may have to be answered."""
        kind &= ~CHECKED
        if kind in ANSWERED:
            member.went.append((kind, payload, body))

    def answered(self, document: str, member: Member, body: bytes, *, ok: bool) -> None:
        """A room acknowledges a message, or refuses it."""
        self.counts["acknowledged" if ok else "refused"] += 1
        gone = member.connection is not None and not member.connection.server_open
        while True:
            if not member.went:
                self.check(gone, "answered, but nothing was asked")
                return
            kind, payload, sent = member.went.pop(0)
            brings = kind == wire.STEP2 and body[:2] == sent[:2]  # With its news.
            if brings and ok and not _is_update(payload):
                continue  # Nobody had asked for it, so it is refused in silence: of a later one.
            if kind == EDIT or sent == body or brings:
                break
            self.check(gone or kind == wire.STEP2, "an update was not answered, a later one was")
        if ok and kind == EDIT:
            payload = body
        if ok and isinstance(payload, bytes) and payload and kind != wire.VERSION:
            stored = self._world.store.log(document).holds(payload)
            self.check(stored, f"acknowledged before it was stored: {payload.hex()}")

    def refused(self, member: Member, reason: str) -> None:
        """A room complains of a session."""
        self.counts[f"refused: {reason}"] += 1
        if member.connection is not None and reason in ("read-only", "pending-full"):
            member.connection.peer.estranged = True

    def quarantined(self, update: bytes) -> None:
        """An update broke a document; only those do that are made for it."""
        self.counts["quarantined"] += 1
        self._quarantined.append(update)

    # -- at the end -----------------------------------------------------------------------

    def final(self, document: str, joiners: list[Peer]) -> None:
        """All replicas are equal, nothing acknowledged is missing, nothing is doubled."""
        world = self._world
        peers = [peer for peer in world.peers if peer.document == document]
        together = [peer for peer in peers if peer.alive and not peer.estranged]
        log = world.store.log(document)
        waiting = b"".join(log.truth.pending())
        first = joiners[0]
        # pycrdt by itself may take up what waits before what it waits for; Yjs does not.
        text = text_of(first.replica.doc())
        for peer in [*joiners, *together]:
            if not (waiting and isinstance(peer.replica, PlainReplica)):
                self._equal(first.replica, peer.replica, f"{first.name} and {peer.name}")
        if not waiting:
            self._equal(first.replica, world.rebuilt(document), "a joiner and the stored rows")
        tokens = TOKEN.findall(text)
        made = self.made.get(document, set())
        self.check("".join(tokens) == text, f"torn tokens: {text}")
        self.check(len(set(tokens)) == len(tokens), f"doubled tokens: {text}")
        self.check(made.issuperset(tokens), f"tokens that nobody made: {text}")
        devices = [device for device in world.devices if device.document == document]
        stored = set().union(*(it.stored for it in [*peers, *devices]))
        stored |= world.edits_stored.get(document, set())
        self._in_effect(stored, made, set(tokens), waiting, "acknowledged")
        for peer in together:
            if not (waiting and isinstance(peer.replica, PlainReplica)):
                stored_whole = log.holds(peer.replica.diff(b"\0"))
                self.check(stored_whole, f"{peer.name} has what is not stored")
            self._in_effect(peer.made, made, set(tokens), waiting, f"made by {peer.name}")
            self._at_rest(peer)
        for device in devices:
            self.check(not device.waiting, f"{device.name} is never told that its push is stored")
        for peer in peers:
            if peer.never_wrote:
                self.check(not set(peer.made) & set(tokens), f"{peer.name} may only read")

    def _equal(self, one: Replica, other: Replica, who: str) -> None:
        a, b = one.doc(), other.doc()
        self.check(text_of(a) == text_of(b), f"{who} differ:\n  {text_of(a)}\n  {text_of(b)}")
        self.check(map_of(a) == map_of(b), f"{who} differ: {map_of(a)} {map_of(b)}")
        vectors = [
            {client: clock for client, clock in decode_state_vector(it.vector()).items() if clock}
            for it in (one, other)
        ]
        self.check(vectors[0] == vectors[1], f"{who} differ: {vectors}")

    def _in_effect(
        self, deeds: Iterable[str], made: set[str], tokens: set[str], waiting: bytes, what: str
    ) -> None:
        """What was put in is there, unless somebody took it out; what was taken out is gone."""
        for deed in deeds:
            if deed.startswith("-"):
                self.check(deed[1:] not in tokens, f"{what}, but not gone: {deed[1:]}")
            elif f"-{deed}" not in made:
                there = deed in tokens or deed.encode() in waiting
                self.check(there, f"{what}, but missing: {deed}")

    def _at_rest(self, peer: Peer) -> None:
        """A peer that is left alone has nothing unanswered, and knows who is here."""
        connection = peer.connection
        assert connection is not None
        member = connection.member
        assert member is not None
        open_ = [item for item in member.went if item[0] != wire.STEP2]
        self.check(not open_, f"{peer.name} waits for answers: {open_}")
        if peer.dialect is Dialect.HOCUSPOCUS:
            self.check(
                peer.unsynced == peer.refused,
                f"{peer.name} counts {peer.unsynced} unsynced changes, {peer.refused} refused",
            )
        here = self._here(peer)
        self.check(peer.presence.states == here, f"{peer.name} sees {peer.presence.states}: {here}")

    def no_ghosts(self) -> None:
        """Whoever left is not seen any more, without waiting for half a minute to pass."""
        for peer in self._world.peers:
            if peer.connection is not None:
                ghosts = peer.presence.states.keys() - self._here(peer).keys()
                self.check(not ghosts, f"{peer.name} sees who is not there: {ghosts}")

    def _here(self, peer: Peer) -> dict[int, bytes]:
        """The cursors that a peer should see."""
        assert peer.connection is not None
        return {
            other.presence.client_id: other.presence.states[other.presence.client_id]
            for other in self._world.peers
            if other.connection is not None
            and other.document == peer.document
            and other.presence.client_id in other.presence.states
        }


def _is_update(payload: object) -> bool:
    """Whether these are bytes that a room may take."""
    try:
        return isinstance(payload, bytes) and bool(outline(payload))
    except UpdateError:
        return False
