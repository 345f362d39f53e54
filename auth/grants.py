"""What a principal may do: one rule for every door."""

from dataclasses import dataclass
from uuid import UUID

from auth.errors import Forbidden
from auth.principal import Principal, Role

_REQUESTS = {"full": Role.EDITOR, "read-only": Role.VIEWER}
"""Y-Sweet's words for what a document token should allow."""


@dataclass(frozen=True, slots=True)
class Member:
    """An account's place in a workspace."""

    account: str
    role: Role


def effective_role(principal: Principal, document: UUID, member: Role, now: float) -> Role:
    """The role of `principal` on `document`, where its account is `member` of the workspace.

    A document token opens its own document and no other, and never more than its issuer may do.
    """
    if principal.is_expired(now):
        return Role.NONE
    if principal.document is not None and principal.document != document:
        return Role.NONE
    return min(member, principal.role_max)


def document_role(authorization: str, own: Role) -> Role:
    """The role for a new document token: what was asked for, never above the caller's own.

    `authorization` is "full" or "read-only". A caller without any right gets Forbidden; an
    unknown word is the schema's business and must not come here.
    """
    if own is Role.NONE:
        raise Forbidden
    return min(_REQUESTS[authorization], own)


def may_change_member(own: Role, *, is_self: bool, new: Role) -> bool:
    """Whether somebody with role `own` may give a member the role `new`; NONE takes him out.

    Only an owner shares. Anybody may leave, and may give up what he has.
    """
    return own is Role.OWNER or (is_self and new < own)
