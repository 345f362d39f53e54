"""Bodies and replies of the routes of sharing: members, invitations, links to one document."""

from typing import Annotated, Literal

import msgspec

WEEK_S = 7 * 86_400
_YEARS_S = 3650 * 86_400

Lifetime = Annotated[int, msgspec.Meta(ge=1, le=_YEARS_S)]
"""Seconds."""
Label = Annotated[str, msgspec.Meta(max_length=100)]
MemberRole = Literal["owner", "editor", "viewer"]
GuestRole = Literal["editor", "viewer"]


class Member(msgspec.Struct, kw_only=True):
    """One member of a workspace."""

    user_id: str
    role: MemberRole
    public_key: str
    """The first key of the account, by which people know one another."""
    since: str
    is_you: bool


class Members(msgspec.Struct, kw_only=True):
    """Reply of GET /api/heap/:id/members, the oldest member first."""

    success: bool
    heap_id: str
    workspace_id: str
    members: list[Member]


class ChangeMember(msgspec.Struct, kw_only=True):
    """Body of PATCH /api/heap/:id/members/:userId."""

    role: MemberRole


class MemberChanged(msgspec.Struct, kw_only=True):
    """Reply of the routes that change a member; role is null for one who is out."""

    success: bool
    heap_id: str
    workspace_id: str
    user_id: str
    role: MemberRole | None


class MakeInvite(msgspec.Struct, kw_only=True):
    """Body of POST /api/heap/:id/invites."""

    role: GuestRole
    name: Label = ""
    """What it is for; shown in the list."""
    expires_in: Lifetime | None = WEEK_S
    """Seconds for which it holds; null: until it is revoked."""
    max_uses: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] | None = None
    """How many may come by it; null: any number."""


class Invite(msgspec.Struct, kw_only=True):
    """An invitation, without its secret."""

    id: str
    role: GuestRole
    name: str
    created_by: str
    created_at: str
    expires_at: str | None
    uses: int
    max_uses: int | None
    is_open: bool
    """Whether somebody may still come by it."""


class InviteMade(msgspec.Struct, kw_only=True):
    """Reply of POST /api/heap/:id/invites: the only time that the link is shown."""

    success: bool
    heap_id: str
    workspace_id: str
    token: str
    url: str
    """The link: GET shows the invitation, POST accepts it."""
    invite: Invite


class Invites(msgspec.Struct, kw_only=True):
    """Reply of GET /api/heap/:id/invites, the newest first."""

    success: bool
    heap_id: str
    workspace_id: str
    invites: list[Invite]


class Revoked(msgspec.Struct, kw_only=True):
    """Reply of the routes that take back an invitation or a link."""

    success: bool
    id: str


class Invitation(msgspec.Struct, kw_only=True):
    """Reply of GET /api/invite/:token: what one is invited to."""

    success: bool
    heap_id: str
    workspace_id: str
    title: str
    role: GuestRole
    expires_at: str | None
    uses_left: int | None


class Joined(msgspec.Struct, kw_only=True):
    """Reply of POST /api/invite/:token: the caller's role in the workspace by now."""

    success: bool
    heap_id: str
    workspace_id: str
    role: MemberRole


class MakeLink(msgspec.Struct, kw_only=True):
    """Body of POST /api/block/:blockKey/links."""

    role: GuestRole
    name: Label = ""
    expires_in: Lifetime | None = None
    """Seconds for which it holds; null: until it is revoked."""


class Link(msgspec.Struct, kw_only=True):
    """A link to one document, without its secret."""

    id: str
    role: GuestRole
    name: str
    created_by: str
    created_at: str
    expires_at: str | None
    is_expired: bool


class LinkMade(msgspec.Struct, kw_only=True):
    """Reply of POST /api/block/:blockKey/links: the only time that its secret is shown."""

    success: bool
    block_id: str
    token: str
    """A document token: it opens this document only, at every socket and at `/d/`."""
    url: str
    """Where a y-websocket provider connects, the token included."""
    link: Link


class Links(msgspec.Struct, kw_only=True):
    """Reply of GET /api/block/:blockKey/links, the newest first."""

    success: bool
    block_id: str
    links: list[Link]
