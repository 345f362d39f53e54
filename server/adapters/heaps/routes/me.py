"""Who one is: the account with what it has, its sessions, its devices."""

from __future__ import annotations

import secrets

from aiohttp import web

from auth.errors import Unauthorized
from crdt.ids import make_ulid
from server.adapter import ACCOUNT, Routes, principal_of
from server.adapters.heaps import mapping_me as mapping
from server.adapters.heaps import schema_me as schema
from server.adapters.heaps.policy import LOGIN, READ
from server.errors import ApiError, NotFound
from server.feed import FEED
from server.http import read_body, reply
from server.identity import IDENTITY
from server.rights import is_fit

ROUTES = Routes(section="Account")

CURRENT = "current"
"""Stands for the session that asks."""


@ROUTES.get("/api/me", access=READ.or_session(), reply=schema.Me)
@ROUTES.post("/api/me", access=READ, body=None, reply=schema.Me)
async def me(request: web.Request) -> web.Response:
    """The caller's account, workspaces, usage and limits."""
    identity, principal = request.app[IDENTITY], principal_of(request)
    account = await identity.accounts.get(principal.account)
    if account is None:
        raise Unauthorized("token_revoked")
    settings = identity.settings
    keys = await identity.devices.of(account.id)
    most = settings.workspaces_listed_max
    workspaces = await identity.grants.workspaces(account.id, most)
    if await request.app[FEED].settle_all([one.id for one in workspaces]):
        workspaces = await identity.grants.workspaces(account.id, most)
    usage = await identity.usages.of(account.id, identity.clock())
    told = mapping.me(
        principal, account, keys=keys, workspaces=workspaces, usage=usage, settings=settings
    )
    return reply(told)


# -- sessions -----------------------------------------------------------------------------


@ROUTES.get("/api/sessions", access=LOGIN, reply=schema.Sessions)
async def sessions(request: web.Request) -> web.Response:
    """List the account's logins."""
    identity, principal = request.app[IDENTITY], principal_of(request)
    logins = await identity.credentials.logins(principal.account)
    keys = await identity.devices.of(principal.account)
    return reply(mapping.sessions(principal, logins, keys, identity.clock()))


@ROUTES.delete(
    "/api/sessions/{session_id}",
    access=LOGIN,
    body=None,
    reply=schema.SessionsEnded,
    errors=(404,),
)
async def end_session(request: web.Request) -> web.Response:
    """End one login, `current` the caller's own; its sockets close within two seconds."""
    family = request.match_info["session_id"]
    return await _end(request, principal_of(request).family if family == CURRENT else family)


@ROUTES.post(
    "/api/auth/logout", access=ACCOUNT.limited("auth"), body=None, reply=schema.SessionsEnded
)
async def logout(request: web.Request) -> web.Response:
    """End the login of the access token that is shown."""
    return await _end(request, principal_of(request).family)


@ROUTES.delete("/api/sessions", access=LOGIN, body=None, reply=schema.SessionsEnded)
async def end_others(request: web.Request) -> web.Response:
    """End every login of the account but the caller's."""
    identity, principal = request.app[IDENTITY], principal_of(request)
    ended = await identity.credentials.revoke_others(principal.account, principal.family or "")
    await identity.take_in()
    return reply(schema.SessionsEnded(success=True, ended=ended))


async def _end(request: web.Request, family: str | None) -> web.Response:
    identity, account = request.app[IDENTITY], principal_of(request).account
    if family is None or not is_fit(family):
        raise NotFound
    if not await identity.credentials.revoke(account, family):
        raise NotFound
    await identity.take_in()
    return reply(schema.SessionsEnded(success=True, ended=1))


# -- devices ------------------------------------------------------------------------------


@ROUTES.get("/api/devices", access=ACCOUNT, reply=schema.Devices)
async def devices(request: web.Request) -> web.Response:
    """List the devices of the account, each with its key."""
    principal = principal_of(request)
    keys = await request.app[IDENTITY].devices.of(principal.account)
    found = [mapping.device(principal, key) for key in keys]
    return reply(schema.Devices(success=True, devices=found))


@ROUTES.post(
    "/api/devices",
    access=ACCOUNT.limited("auth"),
    body=schema.AddDevice,
    replies={201: schema.DeviceChanged},
    errors={400: "", 409: "The key has an account already, or there are too many devices."},
)
async def add_device(request: web.Request) -> web.Response:
    """Let a new device in: from now on its key logs in to this account."""
    body = await read_body(request, schema.AddDevice)
    identity, account = request.app[IDENTITY], principal_of(request).account
    key = await identity.logins.prove(body.public_key, body.message, body.signature)
    device = make_ulid(int(identity.clock() * 1000), secrets.token_bytes(10))
    most = identity.settings.keys_per_account_max
    if not await identity.devices.add(account, key, device, mapping.label(body.name), most):
        raise ApiError(409, "key_taken", f"the key has an account, or there are {most} already")
    return await _changed(request, device, 201)


@ROUTES.patch(
    "/api/devices/{device_id}",
    access=ACCOUNT,
    body=schema.RenameDevice,
    reply=schema.DeviceChanged,
    errors=(404,),
)
async def rename_device(request: web.Request) -> web.Response:
    """Give a device a name."""
    body = await read_body(request, schema.RenameDevice)
    device, account = request.match_info["device_id"], principal_of(request).account
    store = request.app[IDENTITY].devices
    if not is_fit(device) or not await store.rename(account, device, mapping.label(body.name)):
        raise NotFound
    return await _changed(request, device)


@ROUTES.delete(
    "/api/devices/{device_id}",
    access=ACCOUNT,
    body=None,
    reply=schema.DeviceRemoved,
    errors={404: "", 409: "It is the only one."},
)
async def remove_device(request: web.Request) -> web.Response:
    """Shut a device out: its key logs in no more, its logins end within two seconds."""
    identity, account = request.app[IDENTITY], principal_of(request).account
    device = request.match_info["device_id"]
    if device not in {key.device for key in await identity.devices.of(account)}:
        raise NotFound
    if not await identity.devices.remove(account, device):
        raise ApiError(409, "last_device", "an account keeps at least one device")
    await identity.take_in()
    return reply(schema.DeviceRemoved(success=True, id=device))


async def _changed(request: web.Request, device: str, status: int = 200) -> web.Response:
    principal = principal_of(request)
    keys = await request.app[IDENTITY].devices.of(principal.account)
    key = next((key for key in keys if key.device == device), None)
    if key is None:
        raise NotFound
    shown = schema.DeviceChanged(success=True, device=mapping.device(principal, key))
    return reply(shown, status)
