"""Devices: registered, listed, renamed, switched off, given another token, forgotten."""

from __future__ import annotations

import secrets
from http import HTTPStatus
from uuid import uuid4

from aiohttp import web
from msgspec import UNSET

from server.adapter import Routes
from server.adapters.pinakes import mapping, schema
from server.adapters.pinakes.asking import (
    READ,
    SHELVES,
    WRITE,
    account_of,
    digest_of,
    own_device,
)
from server.errors import ApiError, NotFound
from server.http import read_body, reply
from storage.pinakes.devices import Changed, Device

ROUTES = Routes(section="Devices")

_TOKEN_BYTES = 32
_FOREIGN = {403: "It is somebody else's.", 404: "There is no such device."}


@ROUTES.post(
    "/api/v1/sync/devices",
    "/api/sync/devices",
    access=WRITE,
    body=schema.NewDevice,
    reply=schema.DeviceWithToken,
    errors={400: "A field is wrong, or the account has as many devices as it may."},
)
async def register(request: web.Request) -> web.Response:
    """Register a device; its token is shown here and never again."""
    body = await read_body(request, schema.NewDevice)
    shelves = request.app[SHELVES]
    said = Changed(
        name=body.name,
        device_type=body.device_type,
        client_version=body.client_version,
        os_info=body.os_info,
    )
    token = _new_token()
    most = shelves.settings.pinakes_devices_max
    made = await shelves.devices.add(uuid4(), account_of(request), said, digest_of(token), most)
    if made is None:
        message = f"an account has at most {most} devices: delete one of them"
        raise ApiError(HTTPStatus.BAD_REQUEST, "too_many_devices", message)
    return _with_token(made, token)


@ROUTES.get("/api/v1/sync/devices", "/api/sync/devices", access=READ, reply=list[schema.Device])
async def devices(request: web.Request) -> web.Response:
    """The account's devices, oldest first."""
    found = await request.app[SHELVES].devices.of_account(account_of(request))
    return reply([mapping.device(one) for one in found])


@ROUTES.get(
    "/api/v1/sync/devices/{id}",
    "/api/sync/devices/{id}",
    access=READ,
    reply=schema.Device,
    errors=_FOREIGN,
)
async def device(request: web.Request) -> web.Response:
    """One device."""
    return reply(mapping.device(await own_device(request)))


@ROUTES.put(
    "/api/v1/sync/devices/{id}",
    "/api/sync/devices/{id}",
    access=WRITE,
    body=schema.DeviceUpdate,
    reply=schema.Device,
    errors=_FOREIGN,
)
async def update(request: web.Request) -> web.Response:
    """Change what is said of a device, or switch it off and on."""
    found = await own_device(request)
    body = await read_body(request, schema.DeviceUpdate)
    said = Changed(
        name=None if body.name is UNSET else body.name,
        device_type=None if body.device_type is UNSET else body.device_type,
        client_version=body.client_version,
        os_info=body.os_info,
        enabled=None if body.enabled is UNSET else body.enabled,
    )
    changed = await request.app[SHELVES].devices.update(found.id, said)
    if changed is None:
        raise NotFound
    return reply(mapping.device(changed))


@ROUTES.delete(
    "/api/v1/sync/devices/{id}",
    "/api/sync/devices/{id}",
    access=WRITE,
    replies={204: None},
    errors=_FOREIGN,
)
async def delete(request: web.Request) -> web.Response:
    """Forget a device: its token opens nothing any more, and nothing is kept for it."""
    found = await own_device(request)
    if not await request.app[SHELVES].devices.delete(found.id):
        raise NotFound
    return web.Response(status=HTTPStatus.NO_CONTENT)


@ROUTES.post(
    "/api/v1/sync/devices/{id}/token",
    "/api/sync/devices/{id}/token",
    access=WRITE,
    body=None,
    reply=schema.DeviceWithToken,
    errors=_FOREIGN,
)
async def renew_token(request: web.Request) -> web.Response:
    """Give a device another token; the old one opens nothing from now on."""
    found = await own_device(request)
    token = _new_token()
    changed = await request.app[SHELVES].devices.set_token(found.id, digest_of(token))
    if changed is None:
        raise NotFound
    return _with_token(changed, token)


def _new_token() -> str:
    return secrets.token_urlsafe(_TOKEN_BYTES)


def _with_token(found: Device, token: str) -> web.Response:
    made = schema.DeviceWithToken(device=mapping.device(found), device_token=token)
    return reply(made, headers={"Cache-Control": "no-store"})
