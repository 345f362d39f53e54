"""What a principal may do."""

from uuid import UUID

import pytest

from auth.errors import Forbidden
from auth.grants import document_role, effective_role, may_change_member
from auth.principal import Kind, Principal, Role

DOCUMENT, OTHER = UUID(int=1), UUID(int=2)
ACCOUNT = Principal(kind=Kind.ACCESS, account="A", expires_at=100.0)


def holder(role: Role) -> Principal:
    """Somebody with a token for DOCUMENT that gives `role`."""
    return Principal(
        kind=Kind.DOCUMENT, account="A", document=DOCUMENT, role_max=role, expires_at=100.0
    )


@pytest.mark.parametrize("member", list(Role))
def test_an_account_has_its_members_role(member: Role) -> None:
    """Owner, editor, viewer and none are what they are in the workspace."""
    assert effective_role(ACCOUNT, DOCUMENT, member, 1.0) is member


@pytest.mark.parametrize("given", [Role.VIEWER, Role.EDITOR])
@pytest.mark.parametrize("issuer", list(Role))
def test_a_document_token_never_gives_more_than_its_issuer_has(given: Role, issuer: Role) -> None:
    """The lower of the two roles holds, so it dies with the issuer's own right."""
    assert effective_role(holder(given), DOCUMENT, issuer, 1.0) is min(given, issuer)


def test_a_document_token_opens_no_other_document() -> None:
    """Even one that its issuer owns."""
    assert effective_role(holder(Role.EDITOR), OTHER, Role.OWNER, 1.0) is Role.NONE


@pytest.mark.parametrize("principal", [ACCOUNT, holder(Role.EDITOR)])
def test_nothing_is_allowed_after_expiry(principal: Principal) -> None:
    """The last moment counts as after."""
    assert effective_role(principal, DOCUMENT, Role.OWNER, 99.9) is not Role.NONE
    assert effective_role(principal, DOCUMENT, Role.OWNER, 100.0) is Role.NONE


@pytest.mark.parametrize(
    ("asked", "own", "given"),
    [
        ("full", Role.OWNER, Role.EDITOR),
        ("full", Role.EDITOR, Role.EDITOR),
        ("full", Role.VIEWER, Role.VIEWER),
        ("read-only", Role.OWNER, Role.VIEWER),
    ],
)
def test_a_document_token_is_never_above_its_maker(asked: str, own: Role, given: Role) -> None:
    """Asking for full access as a viewer gives reading."""
    assert document_role(asked, own) is given


def test_without_a_right_no_document_token_is_made() -> None:
    """Somebody without any right is refused."""
    with pytest.raises(Forbidden):
        document_role("read-only", Role.NONE)


@pytest.mark.parametrize(
    ("own", "is_self", "new", "allowed"),
    [
        (Role.OWNER, False, Role.EDITOR, True),
        (Role.OWNER, False, Role.OWNER, True),
        (Role.OWNER, True, Role.NONE, True),
        (Role.EDITOR, False, Role.VIEWER, False),
        (Role.EDITOR, False, Role.NONE, False),
        (Role.EDITOR, True, Role.NONE, True),
        (Role.EDITOR, True, Role.VIEWER, True),
        (Role.VIEWER, True, Role.EDITOR, False),
        (Role.VIEWER, True, Role.VIEWER, False),
    ],
)
def test_only_owners_share(own: Role, is_self: bool, new: Role, allowed: bool) -> None:
    """An editor changes nobody's role; anybody may leave and nobody rises by himself."""
    assert may_change_member(own, is_self=is_self, new=new) is allowed
