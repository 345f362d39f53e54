"""Who is here and where their cursors are: awareness states, each owned by a session.

Source: y-protocols `awareness.js`. Peers send on what they receive, renew their own state every
15 seconds, and drop a state that is silent for 30.

    awareness = varUint(n) (varUint(client id) varUint(clock) varString(JSON, `null` = gone))*n

A state counts if its clock is above the known one, or equal and the state is null. That alone would
let any peer move or remove anybody's cursor, so each client id has an owner:

- The first session that shows a state under a free id owns it. An id whose state is gone stays
  reserved for its account a while, so that no stranger takes the place of one who reconnects.
- A newer session of the same account takes an id over by showing it as its first word: that is how
  a reconnecting editor begins, and the old session may live on for a minute. Anything else that the
  account's other sessions send on (two tabs share states) may renew the state, never end it.
- What others say of an id they do not own is ignored, silently: peers do so all the time.

When a session leaves, the states it still owns go. Its peers are told with the known clock, which
they take because the state is null, and which the editor surpasses on returning.
"""

import json
from collections.abc import Hashable, Iterable
from typing import Final

import msgspec

from crdt.bounds import BOUNDS, Bounds
from crdt.errors import WireError
from crdt.wire.lib0 import read_var_bytes, read_var_uint, var_bytes, var_uint

SILENCE_S: Final = 30.0
"""A state that is not renewed for so long has lost its editor."""
RESERVED_S: Final = 60.0
"""How long an id stays its account's after its state is gone."""
NULL: Final = b"null"

_validate: Final = msgspec.json.Decoder(msgspec.Raw).decode


class Entry(msgspec.Struct, frozen=True):
    """One client's state as it travels."""

    client: int
    clock: int
    state: bytes
    """JSON text; `null` where the client is gone."""


def decode(payload: bytes, bounds: Bounds = BOUNDS) -> list[Entry]:
    """The entries of an awareness message. Raises WireError.

    States must be JSON: an editor that receives another text stops reading there, and would miss
    what others say behind it.
    """
    count, at = read_var_uint(payload, 0)
    if count > bounds.awareness_entries_per_frame_max:
        raise WireError("too-many")
    entries = []
    for _ in range(count):
        client, at = read_var_uint(payload, at)
        clock, at = read_var_uint(payload, at)
        state, at = read_var_bytes(payload, at)
        if len(state) > bounds.awareness_state_bytes_max:
            raise WireError("too-large")
        if state != NULL:
            _check_json(state)
        entries.append(Entry(client, clock, state))
    if at != len(payload):
        raise WireError("trailing")
    return entries


def encode(entries: Iterable[Entry]) -> bytes:
    """An awareness message of these entries."""
    parts = [
        var_uint(entry.client) + var_uint(entry.clock) + var_bytes(entry.state) for entry in entries
    ]
    return var_uint(len(parts)) + b"".join(parts)


def _check_json(state: bytes) -> None:
    try:
        _validate(state)
        state.decode()
    except UnicodeDecodeError:
        raise WireError("bad-utf8") from None
    except (msgspec.DecodeError, RecursionError):
        # Half of a surrogate pair, escaped: JavaScript writes and reads that, msgspec does not.
        try:
            json.loads(state, parse_constant=_refuse_constant)
        except UnicodeDecodeError:
            raise WireError("bad-utf8") from None
        except (ValueError, RecursionError):
            raise WireError("bad-json") from None


def _refuse_constant(name: str) -> None:
    """NaN and Infinity are Python's, not JSON's."""
    raise ValueError(name)


class _State:
    """What is known of one client id; `owner` is the session whose leaving ends it."""

    __slots__ = ("account", "claim", "clock", "owner", "seen_at", "state")

    def __init__(
        self, entry: Entry, owner: Hashable, account: str | None, now: float, claim: int = 1
    ) -> None:
        self.clock = entry.clock
        self.state = entry.state
        self.owner = owner
        self.account = account
        self.seen_at = now
        self.claim = claim
        """How often the id changed hands: of two who both say that it is theirs, the later is."""


class Awareness:
    """The awareness states of one room. `now` is any clock that counts seconds and never back."""

    __slots__ = ("_bounds", "_gone", "_live", "_owned", "_silence_s")

    def __init__(self, bounds: Bounds = BOUNDS, *, silence_s: float = SILENCE_S) -> None:
        self._bounds = bounds
        self._silence_s = silence_s
        self._live: dict[int, _State] = {}
        """By client id, longest silent first."""
        self._gone: dict[int, _State] = {}
        """Ids that are reserved for their account, longest gone first."""
        self._owned: dict[Hashable, set[int]] = {}

    @property
    def is_empty(self) -> bool:
        """Nobody is shown, and no id is reserved: time changes nothing."""
        return not (self._live or self._gone)

    def update(
        self, session: Hashable, account: str | None, entries: Iterable[Entry], now: float
    ) -> list[Entry]:
        """Take in what a session says; answers what all its peers, itself included, are to be told.

        `account` is whose session it is; None is nobody's, and equal to no other.
        """
        entries = list(entries)
        first_word = len(entries) == 1 and session not in self._owned
        told = []
        for entry in entries:
            known = self._live.get(entry.client)
            if known is None:
                news = self._claim(session, account, entry, now, first_word=first_word)
            elif known.owner == session:
                news = self._renew(known, entry, now)
            elif account is not None and known.account == account and entry.state != NULL:
                news = self._renew_of_sibling(session, known, entry, now, first_word=first_word)
            else:
                continue
            if news is not None:
                told.append(news)
        return told

    def leave(self, session: Hashable, now: float) -> list[Entry]:
        """A session is gone; answers the end of each state it still owned."""
        owned = sorted(self._owned.pop(session, ()))
        return [self._end(client, self._live[client], now) for client in owned]

    def expire(self, now: float) -> list[Entry]:
        """End the states that were silent for too long; answers those ends."""
        while self._gone:
            client, known = next(iter(self._gone.items()))
            if known.seen_at > now - RESERVED_S:
                break
            del self._gone[client]
        ended = []
        for client, known in self._live.items():
            if known.seen_at > now - self._silence_s:
                break
            ended.append((client, known))
        for client, known in ended:
            self._disown(client, known)
        return [self._end(client, known, now) for client, known in ended]

    def states(self) -> list[Entry]:
        """All states, for one who joins."""
        return [Entry(client, known.clock, known.state) for client, known in self._live.items()]

    def clients(self) -> int:
        """How many client ids have a state."""
        return len(self._live)

    def _claim(
        self,
        session: Hashable,
        account: str | None,
        entry: Entry,
        now: float,
        *,
        first_word: bool,
    ) -> Entry | None:
        """A state under an id that nobody uses."""
        owned = self._owned.get(session, ())
        if (
            entry.state == NULL
            or len(owned) >= self._bounds.awareness_clients_per_session_max
            or len(self._live) >= self._bounds.awareness_clients_max
        ):
            return None
        gone = self._gone.get(entry.client)
        if gone is not None:
            if gone.account is not None and gone.account != account:
                return None
            if entry.clock <= gone.clock:
                # Who comes back continues at the clock that its peers hold for ended, so they would
                # not see it for up to half a minute. Told that it is gone, an editor raises its
                # clock above the one it is told, and says so at once.
                return Entry(entry.client, gone.clock, NULL) if first_word else None
            del self._gone[entry.client]
        claim = 1 if gone is None else gone.claim + 1
        self._live[entry.client] = _State(entry, session, account, now, claim)
        self._owned.setdefault(session, set()).add(entry.client)
        return entry

    def _renew(self, known: _State, entry: Entry, now: float) -> Entry | None:
        """What the owner says of its own state."""
        if entry.clock < known.clock:
            return None
        if entry.state == NULL:
            known.clock = entry.clock
            self._disown(entry.client, known)
            return self._end(entry.client, known, now)
        self._refresh(known, entry, now)
        if entry.clock == known.clock:
            return None
        known.clock = entry.clock
        known.state = entry.state
        return entry

    def _renew_of_sibling(
        self, session: Hashable, known: _State, entry: Entry, now: float, *, first_word: bool
    ) -> Entry | None:
        """What another session of the owner's account says of a state."""
        if first_word:
            self._disown(entry.client, known)
            self._owned.setdefault(session, set()).add(entry.client)
            known.owner = session
            known.claim += 1
            if entry.clock < known.clock:
                return Entry(entry.client, known.clock, NULL)  # as in `_claim`
        elif entry.clock <= known.clock:
            return None
        self._refresh(known, entry, now)
        known.clock = entry.clock
        known.state = entry.state
        return entry

    def _refresh(self, known: _State, entry: Entry, now: float) -> None:
        """The state was heard of just now: it is the last to expire."""
        known.seen_at = now
        del self._live[entry.client]
        self._live[entry.client] = known

    def _disown(self, client: int, known: _State) -> None:
        """The owner of a state has it no more."""
        owned = self._owned.get(known.owner)
        if owned is not None:
            owned.discard(client)
            if not owned:
                del self._owned[known.owner]

    def _end(self, client: int, known: _State, now: float) -> Entry:
        """A state is over; its id stays its account's for a while."""
        del self._live[client]
        known.owner = None
        known.state = NULL
        known.seen_at = now
        self._gone[client] = known
        if len(self._gone) > self._bounds.awareness_clients_max:
            del self._gone[next(iter(self._gone))]
        return Entry(client, known.clock, NULL)
