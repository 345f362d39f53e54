"""The one-time text that a person signs."""

import pytest

from auth.challenge import Challenges, read_server_challenge
from auth.errors import BadCredential, Unauthorized

KEY = b"\x07" * 32
NOW = 1_790_000_000.25
RANDOM = bytes(range(32))


@pytest.fixture
def challenges() -> Challenges:
    """Challenges of one server."""
    return Challenges(b"s" * 32, "notes.example.org", lifetime_s=300)


def test_a_challenge_names_server_and_time_and_is_long(challenges: Challenges) -> None:
    """A person who reads it sees where it is for and when, and nobody can guess it."""
    text = challenges.issue(KEY, NOW, RANDOM)

    assert " notes.example.org 2026-09-21T" in text
    assert len(text) >= 32
    assert text != challenges.issue(KEY, NOW, RANDOM[::-1])


def test_a_challenge_holds_until_its_time_is_over(challenges: Challenges) -> None:
    """It is taken up to the last moment of 300 seconds and not at the first moment after."""
    text = challenges.issue(KEY, NOW, RANDOM)
    signed = challenges.check(text, KEY, NOW + 1)

    assert signed.expires_at == 1_790_000_300
    assert challenges.check(text, KEY, signed.expires_at - 0.001) == signed
    with pytest.raises(Unauthorized, match="challenge_expired"):
        challenges.check(text, KEY, signed.expires_at)


def test_a_challenge_from_the_far_future_is_refused(challenges: Challenges) -> None:
    """Another node's clock may be a minute ahead, not an hour."""
    assert challenges.check(challenges.issue(KEY, NOW + 50, RANDOM), KEY, NOW)
    with pytest.raises(Unauthorized, match="challenge_expired"):
        challenges.check(challenges.issue(KEY, NOW + 3600, RANDOM), KEY, NOW)


def test_a_challenge_is_bound_to_its_key(challenges: Challenges) -> None:
    """What was issued for one key is worth nothing to another."""
    text = challenges.issue(KEY, NOW, RANDOM)

    with pytest.raises(Unauthorized, match="challenge_invalid"):
        challenges.check(text, b"\x08" * 32, NOW)


def test_a_challenge_works_on_any_node_and_on_no_other_server(challenges: Challenges) -> None:
    """Nodes share the secret; a server with another one did not issue it."""
    text = challenges.issue(KEY, NOW, RANDOM)

    assert Challenges(b"s" * 32, "other-name").check(text, KEY, NOW)
    with pytest.raises(Unauthorized):
        Challenges(b"t" * 32, "notes.example.org").check(text, KEY, NOW)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "hello",
        "plait-login:v1 notes.example.org 2026-09-21T00:00:00Z x y",
        "é" * 2000,
        "a b c \udcff",
    ],
)
def test_texts_of_others_are_refused(challenges: Challenges, text: str) -> None:
    """A text that this server did not make is no challenge, whatever it looks like."""
    with pytest.raises(Unauthorized, match="challenge_invalid"):
        challenges.check(text, KEY, NOW)


def test_a_changed_challenge_is_refused(challenges: Challenges) -> None:
    """Changing any one letter, the time for instance, breaks the seal."""
    text = challenges.issue(KEY, NOW, RANDOM)

    for at in range(len(text)):
        changed = text[:at] + ("x" if text[at] != "x" else "y") + text[at + 1 :]
        with pytest.raises(Unauthorized, match="challenge_invalid"):
            challenges.check(changed, KEY, NOW)


def test_a_server_name_with_blanks_stays_one_word() -> None:
    """The operator's name for the server cannot move the time to another place."""
    odd = Challenges(b"s" * 32, "My notes 2020-01-01T00:00:00Z\n")

    assert odd.check(odd.issue(KEY, NOW, RANDOM), KEY, NOW)


@pytest.mark.parametrize("size", [16, 512])
def test_a_server_challenge_within_its_bounds_is_taken(size: int) -> None:
    """Sixteen bytes and 512 are both allowed."""
    assert len(read_server_challenge("x" * size)) == size


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("x" * 15, id="short"),
        pytest.param("x" * 513, id="long"),
        pytest.param("é" * 257, id="long-in-bytes"),
        pytest.param("plait-login:v1 other 2026-09-21T00:00:00Z n s", id="login-challenge"),
    ],
)
def test_other_server_challenges_are_refused(text: str) -> None:
    """Shorter, longer, and the login challenge of a server like this one are not signed."""
    with pytest.raises(BadCredential):
        read_server_challenge(text)
