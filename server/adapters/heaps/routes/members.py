"""Members of a workspace: list, change their roles, take them out, leave. Only owners share."""

from __future__ import annotations

from aiohttp import web

from auth.errors import Forbidden
from auth.grants import may_change_member
from auth.keys import encode_base58
from auth.principal import Role
from server.adapter import ACCOUNT, Routes, principal_of
from server.adapters.heaps import schema_sharing as schema
from server.adapters.heaps.admission import admit, heap_of
from server.adapters.heaps.moments import spelled
from server.adapters.heaps.policy import READ
from server.errors import ApiError, NotFound
from server.http import read_body, reply
from server.identity import IDENTITY
from server.rights import is_fit

ROUTES = Routes(section="Sharing")

_STAYS = {
    403: "",
    404: "",
    409: "Somebody has to own the workspace, and an account keeps its default one.",
}


@ROUTES.get("/api/heap/{heap_id}/members", access=READ, reply=schema.Members, errors=(404,))
async def members(request: web.Request) -> web.Response:
    """List the members of a workspace."""
    scope = heap_of(request)
    await admit(request, scope, Role.VIEWER)
    identity = request.app[IDENTITY]
    found = await identity.members.of(scope, identity.settings.members_per_workspace_max)
    caller = principal_of(request).account
    return reply(
        schema.Members(
            success=True,
            heap_id=scope,
            workspace_id=scope,
            members=[
                schema.Member(
                    user_id=member.account,
                    role=member.role.word,  # type: ignore[arg-type]
                    public_key=encode_base58(member.key),
                    since=spelled(member.since),
                    is_you=member.account == caller,
                )
                for member in found
            ],
        )
    )


@ROUTES.patch(
    "/api/heap/{heap_id}/members/{user_id}",
    access=ACCOUNT,
    body=schema.ChangeMember,
    reply=schema.MemberChanged,
    errors=_STAYS,
)
async def change(request: web.Request) -> web.Response:
    """Change a member's role; it holds in open editors within two seconds."""
    body = await read_body(request, schema.ChangeMember)
    return await _change(request, request.match_info["user_id"], Role.of(body.role))


@ROUTES.delete(
    "/api/heap/{heap_id}/members/{user_id}",
    access=ACCOUNT,
    body=None,
    reply=schema.MemberChanged,
    errors=_STAYS,
)
async def remove(request: web.Request) -> web.Response:
    """Take a member out; what he has open ends within two seconds."""
    return await _change(request, request.match_info["user_id"], Role.NONE)


@ROUTES.post(
    "/api/heap/{heap_id}/leave",
    access=ACCOUNT,
    body=None,
    reply=schema.MemberChanged,
    errors=_STAYS,
)
async def leave(request: web.Request) -> web.Response:
    """Leave a workspace."""
    return await _change(request, principal_of(request).account, Role.NONE)


async def _change(request: web.Request, account: str, role: Role) -> web.Response:
    scope, identity = heap_of(request), request.app[IDENTITY]
    own = await admit(request, scope, Role.VIEWER)
    is_self = account == principal_of(request).account
    if not may_change_member(own, is_self=is_self, new=role):
        raise Forbidden
    known = await identity.accounts.get(account) if is_fit(account) else None
    if known is None:
        raise NotFound
    if known.default_workspace == scope and role is not Role.OWNER:
        raise ApiError(409, "default_workspace", "an account keeps its default workspace")
    if not await identity.members.change(scope, account, role):
        raise NotFound
    await identity.take_in()
    return reply(
        schema.MemberChanged(
            success=True,
            heap_id=scope,
            workspace_id=scope,
            user_id=account,
            role=None if role is Role.NONE else role.word,  # type: ignore[arg-type]
        )
    )
