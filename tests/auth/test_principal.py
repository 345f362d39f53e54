"""Roles and principals."""

import pytest

from auth.principal import Kind, Principal, Role


@pytest.mark.parametrize("role", list(Role))
def test_a_role_is_read_back_from_its_word(role: Role) -> None:
    """What is stored as a word is the same role when read."""
    assert Role.of(role.word) is role


@pytest.mark.parametrize("word", ["", "Owner", "admin", "3"])
def test_an_unknown_word_gives_no_right(word: str) -> None:
    """A word that is no role is no right."""
    assert Role.of(word) is Role.NONE


def test_roles_are_ordered_by_what_they_allow() -> None:
    """Owner includes editor includes viewer includes nothing."""
    assert Role.NONE < Role.VIEWER < Role.EDITOR < Role.OWNER


def test_a_principal_without_an_end_does_not_expire() -> None:
    """No expiry is no expiry; an expiry is kept to the moment."""
    assert not Principal(kind=Kind.ACCESS, account="A").is_expired(1e12)
    assert Principal(kind=Kind.ACCESS, account="A", expires_at=5.0).is_expired(5.0)
