"""Invitations by link: made, listed and revoked by owners, accepted by whoever has the link."""

from __future__ import annotations

import secrets

from aiohttp import web

from auth.opaque import INVITE_PREFIX, SECRET_BYTES, digest, mint, prefix_in
from auth.principal import Role
from crdt.ids import make_ulid
from server.adapter import ACCOUNT, ANYONE, Routes, principal_of
from server.adapters.heaps import schema_sharing as schema
from server.adapters.heaps.admission import admit, heap_of
from server.adapters.heaps.moments import spelled
from server.errors import ApiError, NotFound
from server.hosts import HOSTS
from server.http import read_body, reply
from server.identity import IDENTITY
from server.rights import is_fit
from storage.members import Invite

ROUTES = Routes(section="Sharing")


@ROUTES.post(
    "/api/heap/{heap_id}/invites",
    access=ACCOUNT,
    body=schema.MakeInvite,
    replies={201: schema.InviteMade},
    errors={403: "", 404: "", 409: "The workspace has too many invitations."},
)
async def make(request: web.Request) -> web.Response:
    """Make an invitation; the reply is the only place where its link is shown."""
    scope, identity = heap_of(request), request.app[IDENTITY]
    await admit(request, scope, Role.OWNER)
    body = await read_body(request, schema.MakeInvite)
    now, most = identity.clock(), identity.settings.invites_per_workspace_max
    token = mint(INVITE_PREFIX, secrets.token_bytes(SECRET_BYTES))
    invite = Invite(
        id=make_ulid(int(now * 1000), secrets.token_bytes(10)),
        scope=scope,
        creator=principal_of(request).account,
        role=Role.of(body.role),
        name="".join(c for c in body.name if c.isprintable()),
        uses=0,
        uses_max=body.max_uses,
        created_at=now,
        expires_at=None if body.expires_in is None else now + body.expires_in,
    )
    if not await identity.members.invite(invite, digest(token), most):
        raise ApiError(409, "too_many_invites", f"a workspace has {most} invitations at most")
    made = schema.InviteMade(
        success=True,
        heap_id=scope,
        workspace_id=scope,
        token=token,
        url=f"{request.app[HOSTS].public_url}/api/invite/{token}",
        invite=_shown(invite, now),
    )
    return reply(made, 201, {"Cache-Control": "no-store"})


@ROUTES.get("/api/heap/{heap_id}/invites", access=ACCOUNT, reply=schema.Invites, errors=(403, 404))
async def listed(request: web.Request) -> web.Response:
    """List the invitations to a workspace, without their secrets."""
    scope, identity = heap_of(request), request.app[IDENTITY]
    await admit(request, scope, Role.OWNER)
    now = identity.clock()
    found = [_shown(invite, now) for invite in await identity.members.invites(scope)]
    return reply(schema.Invites(success=True, heap_id=scope, workspace_id=scope, invites=found))


@ROUTES.delete(
    "/api/heap/{heap_id}/invites/{invite_id}",
    access=ACCOUNT,
    body=None,
    reply=schema.Revoked,
    errors=(403, 404),
)
async def revoke(request: web.Request) -> web.Response:
    """Take an invitation back; who came by it stays."""
    scope, invite = heap_of(request), request.match_info["invite_id"]
    await admit(request, scope, Role.OWNER)
    if not is_fit(invite) or not await request.app[IDENTITY].members.withdraw(scope, invite):
        raise NotFound
    return reply(schema.Revoked(success=True, id=invite))


@ROUTES.get(
    "/api/invite/{token}",
    access=ANYONE.limited("auth"),
    reply=schema.Invitation,
    errors=(404,),
)
async def look(request: web.Request) -> web.Response:
    """What one is invited to; 404 for a link that does not hold (any more)."""
    identity = request.app[IDENTITY]
    found = await identity.members.look(_secret(request), identity.clock())
    if found is None:
        raise NotFound
    invite = found.invite
    return reply(
        schema.Invitation(
            success=True,
            heap_id=invite.scope,
            workspace_id=invite.scope,
            title=found.title,
            role=invite.role.word,  # type: ignore[arg-type]
            expires_at=spelled(invite.expires_at),
            uses_left=None if invite.uses_max is None else invite.uses_max - invite.uses,
        ),
        headers={"Cache-Control": "no-store"},
    )


@ROUTES.post(
    "/api/invite/{token}",
    "/api/invite/{token}/accept",
    access=ACCOUNT.limited("auth"),
    body=None,
    reply=schema.Joined,
    errors={404: "", 409: "The workspace has too many members."},
)
async def accept(request: web.Request) -> web.Response:
    """Become a member; a role that one has already is never lowered."""
    identity = request.app[IDENTITY]
    most = identity.settings.members_per_workspace_max
    joined = await identity.members.accept(
        _secret(request), principal_of(request).account, identity.clock(), most
    )
    if joined is None:
        raise NotFound
    scope, role = joined
    await identity.take_in()
    if role is Role.NONE:
        raise ApiError(409, "too_many_members", f"a workspace has {most} members at most")
    return reply(
        schema.Joined(success=True, heap_id=scope, workspace_id=scope, role=role.word)  # type: ignore[arg-type]
    )


def _secret(request: web.Request) -> bytes:
    """The digest of the link's secret; NotFound for what cannot be one."""
    token = request.match_info["token"]
    if prefix_in(token) != INVITE_PREFIX:
        raise NotFound
    return digest(token)


def _shown(invite: Invite, now: float) -> schema.Invite:
    is_over = invite.expires_at is not None and invite.expires_at <= now
    is_used_up = invite.uses_max is not None and invite.uses >= invite.uses_max
    return schema.Invite(
        id=invite.id,
        role=invite.role.word,  # type: ignore[arg-type]
        name=invite.name,
        created_by=invite.creator,
        created_at=spelled(invite.created_at),
        expires_at=spelled(invite.expires_at),
        uses=invite.uses,
        max_uses=invite.uses_max,
        is_open=not (is_over or is_used_up),
    )
