"""Awareness that several nodes share: whose an id is, where its owner is, and since which claim.

Each node decides over the sessions that it has (`crdt.awareness`) and tells the others what it has
decided, as claims. A claim is numbered: whenever an id changes hands the number grows, so a later
owner supersedes an earlier one however late the earlier one's goodbye arrives. Of two nodes that
gave one id away at the same moment the one with the greater name wins, at both. An id that is live
is nobody else's account's, whatever another node says.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Iterable
from typing import NamedTuple

import msgspec

from crdt.awareness import NULL, SILENCE_S, Awareness, Entry, _State
from crdt.bounds import BOUNDS, Bounds


class Claim(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One client's state, as one node tells another."""

    client: int
    clock: int
    state: bytes
    """JSON text; `null` where the client is gone."""
    number: int
    node: bytes
    connection: int
    """Of the owner, at its node."""
    account: str | None


class Elsewhere(NamedTuple):
    """The owner of a state that belongs to a session on another node."""

    node: bytes
    connection: int


class SharedAwareness(Awareness):
    """The awareness of a room of which other nodes may have some of the sessions."""

    def __init__(
        self, bounds: Bounds = BOUNDS, *, node: bytes, silence_s: float = SILENCE_S
    ) -> None:
        super().__init__(bounds, silence_s=silence_s)
        self._node = node
        self._connections: dict[Hashable, int] = {}
        self._numbers = itertools.count(1)
        self.reminders: list[Claim] = []
        """Claims that are not believed here, because the id is gone since that claim, at that
        clock: their node is to make a later one, and the editor to raise its clock."""

    def claims(self, entries: Iterable[Entry]) -> list[Claim]:
        """What other nodes are to be told of entries that were decided here."""
        return [self._claim_of(entry) for entry in entries]

    def own_claims(self) -> list[Claim]:
        """All states of this node's own sessions, for a node that may not know them."""
        return [
            self._claim_of(Entry(client, known.clock, known.state))
            for client, known in self._live.items()
            if not isinstance(known.owner, Elsewhere)
        ]

    def hear(self, claims: Iterable[Claim], now: float) -> list[Entry]:
        """Take in what another node says; answers what the sessions here are to be told."""
        told = []
        for claim in claims:
            known = self._live.get(claim.client)
            if claim.state == NULL:
                entry = None if known is None else self._ended(known, claim, now)
            elif known is None:
                entry = self._arrived(claim, now)
            else:
                entry = self._moved(known, claim, now)
            if entry is not None:
                told.append(entry)
        return told

    def lose(self, node: bytes, now: float, *, unheard_since: float = math.inf) -> list[Entry]:
        """A node is gone, or did not say some of its states again; answers their ends."""
        lost = [
            (client, known)
            for client, known in self._live.items()
            if isinstance(known.owner, Elsewhere)
            and known.owner.node == node
            and known.seen_at < unheard_since
        ]
        for client, known in lost:
            self._disown(client, known)
        return [self._end(client, known, now) for client, known in lost]

    def leave(self, session: Hashable, now: float) -> list[Entry]:
        """A session is gone; answers the end of each state it still owned."""
        self._connections.pop(session, None)
        return super().leave(session, now)

    def claim_again(
        self, client: int, clock: int, number: int
    ) -> tuple[Hashable, Entry | None] | None:
        """Another node holds an id for gone since this claim, at this clock: claim it anew.

        A node that was started again does not know how often an id changed hands before. Answers
        the session here that owns the id, and what makes its editor raise the clock where it must.
        """
        known = self._live.get(client)
        if known is None or isinstance(known.owner, Elsewhere):
            return None
        known.claim = max(known.claim, number + 1)
        return known.owner, Entry(client, clock, NULL) if known.clock <= clock else None

    def _claim_of(self, entry: Entry) -> Claim:
        known = self._live.get(entry.client) or self._gone.get(entry.client)
        owner = None if known is None else known.owner
        node, connection = self._node, 0
        if isinstance(owner, Elsewhere):
            node, connection = owner
        elif owner is not None:
            if owner not in self._connections:
                self._connections[owner] = next(self._numbers)
            connection = self._connections[owner]
        return Claim(
            client=entry.client,
            clock=entry.clock,
            state=entry.state,
            number=1 if known is None else known.claim,
            node=node,
            connection=connection,
            account=None if known is None else known.account,
        )

    # -- what another node says ---------------------------------------------------------

    def _ended(self, known: _State, claim: Claim, now: float) -> Entry | None:
        """An id is gone, unless it changed hands since, or its owner's node does not say so."""
        if claim.number < known.claim:
            return None
        if claim.number == known.claim and claim.node != self._place(known.owner).node:
            return None
        known.clock = max(known.clock, claim.clock)
        self._disown(claim.client, known)
        return self._end(claim.client, known, now)

    def _arrived(self, claim: Claim, now: float) -> Entry | None:
        """A state under an id that is free here."""
        gone = self._gone.get(claim.client)
        if gone is not None:
            if (claim.number, claim.clock) <= (gone.claim, gone.clock):
                self.reminders.append(
                    msgspec.structs.replace(claim, clock=gone.clock, state=NULL, number=gone.claim)
                )
                return None
            del self._gone[claim.client]
        if len(self._live) >= self._bounds.awareness_clients_max:
            return None
        entry = Entry(claim.client, claim.clock, claim.state)
        owner = Elsewhere(claim.node, claim.connection)
        self._live[claim.client] = _State(entry, owner, claim.account, now, claim.number)
        self._owned.setdefault(owner, set()).add(claim.client)
        return entry

    def _moved(self, known: _State, claim: Claim, now: float) -> Entry | None:
        """News of an id that has a state here."""
        if claim.account != known.account or claim.number < known.claim:
            return None
        owner = Elsewhere(claim.node, claim.connection)
        if owner != known.owner:
            if claim.number == known.claim and self._place(known.owner) > owner:
                return None
            self._disown(claim.client, known)
            self._owned.setdefault(owner, set()).add(claim.client)
            known.owner, known.claim = owner, claim.number
        entry = Entry(claim.client, claim.clock, claim.state)
        self._refresh(known, entry, now)
        if claim.clock <= known.clock:
            return None
        known.clock, known.state = claim.clock, claim.state
        return entry

    def _place(self, owner: Hashable) -> Elsewhere:
        """Where an owner is, as all nodes name it."""
        if isinstance(owner, Elsewhere):
            return owner
        return Elsewhere(self._node, self._connections.get(owner, 0))
