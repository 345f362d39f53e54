"""Refresh tokens and the rule of rotation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.errors import Unauthorized
from auth.keys import ServerKey
from auth.refresh import (
    CURRENT_MAX,
    GRACE_S,
    Family,
    RefreshTokens,
    Rotation,
    decide,
    digest,
    rotate,
)
from auth.tokens import Tokens

TOKENS = RefreshTokens(b"r" * 32)
NOW = 1000.0
END = 10_000.0


def family(*current: bytes, previous: bytes | None = None, rotated_at: float = NOW) -> Family:
    """A login whose unused tokens are `current`."""
    return Family(current=current, previous=previous, rotated_at=rotated_at, expires_at=END)


def test_a_token_is_read_back_as_its_family_and_digest() -> None:
    """What was minted is ours; the digest is of the whole text."""
    text = TOKENS.mint("01ABC", bytes(32))

    assert TOKENS.read(text).family == "01ABC"
    assert TOKENS.read(text).digest == digest(text)
    assert text != TOKENS.mint("01ABC", bytes(31) + b"\1")


@given(st.text(max_size=300))
def test_no_made_up_text_is_a_token(text: str) -> None:
    """A text that we did not seal is refused, so it can end nobody's login."""
    for made_up in (text, "plr_" + text, f"plr_01ABC_{text}_{text}"):
        with pytest.raises(Unauthorized):
            TOKENS.read(made_up)


def test_a_token_for_another_family_cannot_be_made_from_ours() -> None:
    """The seal covers the family."""
    text = TOKENS.mint("01ABC", bytes(32))

    with pytest.raises(Unauthorized, match="token_invalid"):
        TOKENS.read(text.replace("01ABC", "01ABD"))


def test_a_token_of_a_server_with_another_key_is_refused() -> None:
    """The seal is this server's."""
    with pytest.raises(Unauthorized, match="token_invalid"):
        TOKENS.read(RefreshTokens(b"q" * 32).mint("01ABC", bytes(32)))


def test_an_access_token_never_passes_as_a_refresh_token() -> None:
    """It is refused as a token of the wrong type."""
    key = ServerKey(b"\1" * 32)
    access = Tokens(key, "aud").mint_access(
        account="A", family="F", now=NOW, lifetime_s=900, random_bytes=bytes(16)
    )

    with pytest.raises(Unauthorized, match="token_type"):
        TOKENS.read(access)


def test_a_current_token_is_rotated() -> None:
    """The first use is answered with a successor that takes its place."""
    before = family(b"t0")
    after = rotate(before, b"t0", b"t1", NOW + 1, END)

    assert decide(before, b"t0", NOW + 1) is Rotation.ROTATE
    assert after.current == (b"t1",)
    assert after.previous == b"t0"


def test_a_lost_answer_is_given_again_within_the_grace_time() -> None:
    """The token before may be re-sent for 30 s while its successor is unused, and no longer."""
    after = family(b"t1", previous=b"t0", rotated_at=NOW)

    assert decide(after, b"t0", NOW + GRACE_S) is Rotation.REPEAT
    assert decide(after, b"t0", NOW + GRACE_S + 0.001) is Rotation.REVOKE


def test_resending_does_not_prolong_the_grace_time() -> None:
    """Thirty seconds run from the first use, however often the token is re-sent."""
    after = rotate(family(b"t1", previous=b"t0"), b"t0", b"t1b", NOW + 29, END)

    assert after.current == (b"t1", b"t1b")
    assert decide(after, b"t0", NOW + 31) is Rotation.REVOKE


def test_once_a_successor_was_used_the_token_before_is_dead() -> None:
    """Within the grace time too: the successor's use shows that the answer had arrived."""
    after = rotate(family(b"t1", previous=b"t0"), b"t1", b"t2", NOW + 1, END)

    assert decide(after, b"t0", NOW + 2) is Rotation.REVOKE


def test_using_one_of_two_successors_retires_the_other() -> None:
    """Of two copies that lead two lives, the second to come is found out."""
    two = rotate(family(b"t1", previous=b"t0"), b"t0", b"t1b", NOW + 1, END)
    after = rotate(two, b"t1b", b"t2", NOW + 2, END)

    assert decide(two, b"t1", NOW + 2) is Rotation.ROTATE
    assert decide(after, b"t1", NOW + 3) is Rotation.REVOKE


def test_unused_successors_are_bounded() -> None:
    """However often a token is re-sent, at most eight successors wait, the newest among them."""
    state = family(b"t1", previous=b"t0")
    for number in range(50):
        state = rotate(state, b"t0", b"n%d" % number, NOW + 1, END)

    assert len(state.current) == CURRENT_MAX
    assert state.current[-1] == b"n49"


def test_an_expired_family_answers_nothing_and_is_not_punished() -> None:
    """At its end a login is over, whichever of its tokens is shown."""
    state = family(b"t1", previous=b"t0")

    assert decide(state, b"t1", END) is Rotation.EXPIRED
    assert decide(state, b"old", END) is Rotation.EXPIRED
