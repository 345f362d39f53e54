"""Effects are values, and a session is what a room may keep thousands of."""

from __future__ import annotations

import pytest

from crdt.effects import Acknowledge, CloseAll, Effect, Presence, Refuse, Reload, Send, Session


def test_effects_with_the_same_content_are_equal_and_stay_as_they_are() -> None:
    """So that a test can compare them, and nobody who performs one changes it for the next."""
    ada = Session("ada", can_write=True, greets=False)

    assert Send(ada, b"a") == Send(ada, b"a") != Send(ada, b"b")
    assert Refuse(ada, "read-only") != CloseAll("read-only", [ada])
    for effect in (Send(ada, b"a"), Presence(b"a"), Acknowledge([]), Reload()):
        with pytest.raises(AttributeError):
            effect.body = b"other"  # type: ignore[union-attr]


def test_two_sessions_of_one_account_are_two() -> None:
    """They are keys of a room's members: equal by what they are, not by what they hold."""
    one, other = (Session("ada", can_write=True, greets=True) for _ in range(2))

    assert one != other
    assert len({one, other}) == 2


def test_a_new_session_has_nothing_open() -> None:
    """It is up to date, was asked nothing, and all it sent is stored."""
    session = Session("ada", can_write=False, greets=True)

    assert (session.behind, session.asked) == (None, None)
    assert not session.incomplete
    assert not session.left
    assert not hasattr(session, "__dict__")


def test_every_effect_says_what_it_is_for() -> None:
    """The shell performs each of them; a kind without a sentence would be performed by guess."""
    kinds = Effect.__args__

    assert len(kinds) == 9
    assert all((kind.__doc__ or "").strip().endswith((".", "`.")) for kind in kinds)
