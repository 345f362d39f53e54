"""Awareness: golden bytes, who owns a state, and what peers are told when somebody goes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crdt.awareness import NULL, Awareness, Entry, decode, encode
from crdt.bounds import Bounds
from crdt.errors import WireError
from tests.crdt.samples import examples

ADA, BOB = "ada", "bob"
"""Accounts."""


def _state(client: int, clock: int, text: str = '{"user":{}}') -> Entry:
    return Entry(client, clock, text.encode())


def _gone(client: int, clock: int) -> Entry:
    return Entry(client, clock, NULL)


class _Peer:
    """What a provider does with awareness, as y-protocols has it: clocks, and its own state."""

    def __init__(self, client: int) -> None:
        self.client = client
        self.clock = 0
        self.known: dict[int, int] = {}
        self.seen: set[int] = set()

    def say(self, *, renew: bool = True) -> Entry:
        self.clock += renew
        return _state(self.client, self.clock)

    def hear(self, entries: list[Entry]) -> list[Entry]:
        """Take in what the server tells; answers what it says to that."""
        answer = []
        for entry in entries:
            if entry.client == self.client:
                if entry.state == NULL and entry.clock >= self.clock:
                    self.clock = entry.clock + 1
                    answer.append(_state(self.client, self.clock))
                continue
            known = self.known.get(entry.client, 0)
            ends = entry.clock == known and entry.state == NULL and entry.client in self.seen
            if entry.clock > known or ends:
                self.known[entry.client] = entry.clock
                (self.seen.discard if entry.state == NULL else self.seen.add)(entry.client)
        return answer


# --- bytes ---------------------------------------------------------------------------------------

GOLDEN = {
    "a state, not ASCII": (
        b"\x01\x01\x01\x16" + '{"user":{"name":"é"}}'.encode(),
        [_state(1, 1, '{"user":{"name":"é"}}')],
    ),
    "leaving": (b"\x01\x01\x02\x04null", [_gone(1, 2)]),
    "nobody": (b"\x00", []),
    "two, wide ids": (
        b"\x02\xff\xff\xff\xff\x0f\x00\x02{}\x80\x01\x05\x011",
        [_state(4294967295, 0, "{}"), _state(128, 5, "1")],
    ),
    "half a surrogate pair, as JavaScript writes it": (
        b"\x01\x01\x01\x08" + rb'"\ud83d"',
        [_state(1, 1, r'"\ud83d"')],
    ),
}


@pytest.mark.parametrize("case", GOLDEN.values(), ids=list(GOLDEN))
def test_entries_are_their_golden_bytes(case: tuple[bytes, list[Entry]]) -> None:
    """Both ways, as y-protocols writes and reads them."""
    payload, entries = case

    assert decode(payload) == entries
    assert encode(entries) == payload


MALFORMED = {
    "nothing": (b"", "truncated"),
    "fewer than counted": (b"\x02\x01\x01\x02{}", "truncated"),
    "more than counted": (b"\x01\x01\x01\x02{}\x00", "trailing"),
    "state shorter than its length": (b"\x01\x01\x01\x05{}", "truncated"),
    "state that is no JSON": (b"\x01\x01\x01\x02{]", "bad-json"),
    "no state at all": (b"\x01\x01\x01\x00", "bad-json"),
    "Python's own constant": (b"\x01\x01\x01\x03NaN", "bad-json"),
    "text that is not UTF-8": (b'\x01\x01\x01\x04"\xc3("', "bad-utf8"),
    "deeper than anybody needs": (b"\x01\x01\x01\x80\x3e" + b"[" * 8000, "bad-json"),
    "client id of 2^53": (b"\x01" + b"\x80" * 7 + b"\x10\x01\x02{}", "bad-varint"),
    "many entries": (b"\x06" + b"\x01\x01\x02{}" * 6, "too-many"),
    "a long state": (b'\x01\x01\x01\x82\x7d"' + b"x" * 16000 + b'"', "too-large"),
}


@pytest.mark.parametrize("case", MALFORMED.values(), ids=list(MALFORMED))
def test_malformed_awareness_is_refused(case: tuple[bytes, str]) -> None:
    """One peer's bad state would stop all others from reading the ones behind it."""
    bounds = Bounds(awareness_entries_per_frame_max=5, awareness_state_bytes_max=16_001)

    with pytest.raises(WireError) as caught:
        decode(case[0], bounds)
    assert caught.value.reason == case[1]


@examples(300, 20_000)
@given(st.binary(max_size=80))
def test_no_other_error_leaves_the_decoder(payload: bytes) -> None:
    """And what is decoded survives encoding."""
    try:
        entries = decode(payload)
    except WireError:
        return
    assert decode(encode(entries)) == entries


# --- owners --------------------------------------------------------------------------------------


def test_the_first_state_is_shown_whatever_its_clock() -> None:
    """Clock 0 and `{}` is what a provider sends that has nothing to say yet."""
    awareness = Awareness()

    assert awareness.update("s1", ADA, [_state(7, 0, "{}")], 0) == [_state(7, 0, "{}")]
    assert awareness.states() == [_state(7, 0, "{}")]
    assert awareness.clients() == 1


def test_a_state_counts_by_its_clock() -> None:
    """Newer ones are told to all, the author included; older ones and repeats to nobody."""
    awareness = Awareness()
    awareness.update("s1", ADA, [_state(7, 3)], 0)

    assert awareness.update("s1", ADA, [_state(7, 4, '"new"')], 1) == [_state(7, 4, '"new"')]
    assert awareness.update("s1", ADA, [_state(7, 4, '"again"')], 2) == []
    assert awareness.update("s1", ADA, [_state(7, 3, '"old"')], 3) == []
    assert awareness.states() == [_state(7, 4, '"new"')]


def test_a_client_says_goodbye() -> None:
    """With its clock or a newer one; after that there is nothing more to end."""
    awareness = Awareness()
    awareness.update("s1", ADA, [_state(7, 3), _state(8, 3)], 0)

    assert awareness.update("s1", ADA, [_gone(7, 3), _gone(8, 9)], 1) == [_gone(7, 3), _gone(8, 9)]
    assert awareness.states() == []
    assert awareness.update("s1", ADA, [_gone(7, 10)], 2) == []
    assert awareness.leave("s1", 3) == []


@pytest.mark.parametrize("account", [BOB, None])
@pytest.mark.parametrize("entry", [_gone(7, 3), _gone(7, 99), _state(7, 99), _state(7, 3)])
def test_nobody_moves_or_ends_the_state_of_another(account: str | None, entry: Entry) -> None:
    """What others say of an id is ignored while its owner is there (complaint 28)."""
    awareness = Awareness()
    awareness.update("s1", ADA, [_state(7, 3)], 0)

    assert awareness.update("s2", account, [entry], 1) == []
    assert awareness.leave("s2", 2) == []
    assert awareness.states() == [_state(7, 3)]


def test_nobody_without_an_account_is_like_nobody_else() -> None:
    """Two strangers without an account are two."""
    awareness = Awareness()
    awareness.update("s1", None, [_state(7, 3)], 0)

    assert awareness.update("s2", None, [_state(7, 4)], 1) == []
    assert awareness.update("s1", None, [_state(7, 4)], 1) == [_state(7, 4)]


def test_peers_send_back_what_they_receive() -> None:
    """A y-websocket client repeats every state it hears: that claims nothing and tells nothing."""
    awareness = Awareness()
    awareness.update("s1", ADA, [_state(7, 3)], 0)
    awareness.update("s2", BOB, [_state(8, 1)], 0)

    assert awareness.update("s2", BOB, awareness.states(), 1) == []
    assert awareness.update("s3", ADA, awareness.states(), 1) == []
    assert awareness.leave("s2", 2) == [_gone(8, 1)]
    assert awareness.leave("s3", 2) == []
    assert awareness.leave("s1", 2) == [_gone(7, 3)]


def test_a_connection_that_breaks_takes_its_states_along() -> None:
    """All it owned, and only those, told with the clock that peers know (complaint 28)."""
    awareness = Awareness()
    peer = _Peer(1)
    peer.hear(awareness.update("s1", ADA, [_state(7, 3), _state(9, 1)], 0))
    peer.hear(awareness.update("s2", BOB, [_state(8, 5)], 0))
    assert peer.seen == {7, 8, 9}

    ends = awareness.leave("s1", 1)

    assert ends == [_gone(7, 3), _gone(9, 1)]
    peer.hear(ends)
    assert peer.seen == {8}
    assert awareness.leave("s1", 2) == []


def test_a_session_may_own_several_ids_over_time() -> None:
    """Yjs takes a new id when two replicas collide (complaint 29)."""
    awareness = Awareness()
    for client in (7, 77, 777):
        awareness.update("s1", ADA, [_state(client, 1)], 0)

    assert awareness.clients() == 3
    assert {entry.client for entry in awareness.leave("s1", 1)} == {7, 77, 777}


@pytest.mark.parametrize("clock", [3, 4], ids=["unchanged", "renewed"])
def test_a_reconnecting_editor_keeps_its_cursor(clock: int) -> None:
    """Its old session may live on for a minute, and takes nothing along when it goes."""
    awareness = Awareness()
    awareness.update("old", ADA, [_state(7, 3)], 0)

    assert awareness.update("new", ADA, [_state(7, clock)], 1) == [_state(7, clock)]
    assert awareness.leave("old", 2) == []
    assert awareness.states() == [_state(7, clock)]
    assert awareness.leave("new", 3) == [_gone(7, clock)]


def test_an_editor_that_comes_back_is_seen_at_once() -> None:
    """Its clock is the one its peers hold for ended: told so, it raises it and speaks again."""
    awareness = Awareness()
    editor, peer = _Peer(7), _Peer(8)
    peer.hear(awareness.update("s1", ADA, [editor.say()], 0))
    awareness.update("s2", BOB, [peer.say()], 0)
    peer.hear(awareness.leave("s1", 1))
    assert peer.seen == set()

    told = awareness.update("s3", ADA, [editor.say(renew=False)], 2)
    peer.hear(told)
    again = awareness.update("s3", ADA, editor.hear(told), 2)
    peer.hear(again)

    assert peer.seen == {7}
    assert awareness.leave("s3", 3) == [_gone(7, editor.clock)]


def test_a_program_that_starts_its_clock_anew_is_seen() -> None:
    """Same id, same account, clock 0 again, while its old session still lives."""
    awareness = Awareness()
    peer = _Peer(8)
    peer.hear(awareness.update("old", ADA, [_state(7, 50)], 0))
    editor = _Peer(7)

    told = awareness.update("new", ADA, [editor.say()], 1)
    peer.hear(told)
    peer.hear(awareness.update("new", ADA, editor.hear(told), 1))

    assert peer.seen == {7}
    assert awareness.leave("old", 2) == []


def test_two_tabs_share_their_states() -> None:
    """One sends on what the other says, sooner than that: it renews the state and owns nothing."""
    awareness = Awareness()
    awareness.update("tab1", ADA, [_state(1, 1)], 0)
    awareness.update("tab2", ADA, [_state(2, 1)], 0)

    assert awareness.update("tab1", ADA, [_state(2, 2)], 1) == [_state(2, 2)]
    assert awareness.update("tab2", ADA, [_state(2, 2)], 1) == []
    assert awareness.update("tab1", ADA, [_gone(2, 3)], 1) == []
    assert awareness.leave("tab1", 2) == [_gone(1, 1)]
    assert awareness.states() == [_state(2, 2)]


def test_a_place_is_kept_for_one_who_just_left() -> None:
    """Another account may not take the id over, until it was gone for a minute."""
    awareness = Awareness()
    awareness.update("s1", ADA, [_state(7, 3)], 0)
    awareness.leave("s1", 1)

    assert awareness.update("s2", BOB, [_state(7, 4)], 2) == []
    awareness.expire(62)
    assert awareness.update("s2", BOB, [_state(7, 4)], 62) == [_state(7, 4)]


def test_who_is_silent_expires() -> None:
    """Thirty seconds without a word; a repeat of the same clock is a word, a stranger's is none."""
    awareness = Awareness()
    awareness.update("s1", ADA, [_state(7, 1), _state(9, 1)], 0)
    awareness.update("s2", BOB, [_state(8, 1)], 10)
    awareness.update("s1", ADA, [_state(7, 1)], 15)
    awareness.update("s2", BOB, [_state(9, 2)], 29)

    assert awareness.expire(29.9) == []
    assert awareness.expire(30) == [_gone(9, 1)]
    assert awareness.expire(40) == [_gone(8, 1)]
    assert awareness.expire(45) == [_gone(7, 1)]
    assert awareness.clients() == 0
    assert awareness.leave("s1", 46) == []


def test_who_expired_may_speak_again() -> None:
    """A tab that slept in the background wakes up with its next clock."""
    awareness = Awareness()
    awareness.update("s1", ADA, [_state(7, 1)], 0)
    awareness.expire(31)

    assert awareness.update("s1", ADA, [_state(7, 2)], 32) == [_state(7, 2)]
    assert awareness.leave("s1", 33) == [_gone(7, 2)]


def test_a_session_owns_a_bounded_number_of_ids() -> None:
    """Over it, new ids are ignored; renewing goes on, and a goodbye makes room."""
    awareness = Awareness(Bounds(awareness_clients_per_session_max=2, awareness_clients_max=3))
    awareness.update("s1", ADA, [_state(1, 1), _state(2, 1), _state(3, 1)], 0)
    assert awareness.clients() == 2

    assert awareness.update("s1", ADA, [_state(2, 2)], 1) == [_state(2, 2)]
    awareness.update("s1", ADA, [_gone(1, 2)], 1)
    assert awareness.update("s1", ADA, [_state(3, 1)], 1) == [_state(3, 1)]
    awareness.update("s2", BOB, [_state(8, 1), _state(9, 1)], 1)
    assert awareness.clients() == 3


def test_what_is_remembered_is_bounded() -> None:
    """Ten thousand ids that came and went leave no more than the bound."""
    awareness = Awareness(Bounds(awareness_clients_max=100))
    for client in range(10_000):
        awareness.update("s1", ADA, [_state(client, 1)], 0)
        awareness.update("s1", ADA, [_gone(client, 1)], 0)

    assert awareness.clients() == 0
    assert len(awareness._gone) <= 100
    assert not awareness._owned


_sessions = st.sampled_from(["s1", "s2", "s3", "s4"])
_acts = st.one_of(
    st.tuples(
        _sessions,
        st.lists(
            st.builds(
                Entry, st.integers(1, 4), st.integers(0, 5), st.sampled_from([b"{}", b"1", NULL])
            ),
            max_size=3,
        ),
    ),
    st.tuples(_sessions, st.none()),
    st.tuples(st.just("tick"), st.none()),
)


@examples(200, 5_000)
@given(st.lists(_acts, max_size=40))
def test_a_listener_sees_what_a_joiner_is_told(
    acts: list[tuple[str, list[Entry] | None]],
) -> None:
    """Whatever is said and by whom: one who heard it all holds no state that is not there."""
    accounts = {"s1": ADA, "s2": ADA, "s3": BOB, "s4": None}
    awareness = Awareness()
    heard: dict[int, Entry] = {}
    now = 0.0
    for session, entries in acts:
        now += 7
        if session == "tick":
            told = awareness.expire(now)
        elif entries is None:
            told = awareness.leave(session, now)
        else:
            told = awareness.update(session, accounts[session], entries, now)
        for entry in told:
            heard[entry.client] = entry
        live = {entry.client: entry for entry in awareness.states()}
        assert {client for client, entry in heard.items() if entry.state != NULL} <= set(live)
        assert awareness.clients() == len(live)
        assert set().union(*awareness._owned.values(), set()) == set(live)
    for session in accounts:
        awareness.leave(session, now)
    assert awareness.states() == []
