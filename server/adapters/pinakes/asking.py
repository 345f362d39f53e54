"""Who asks: the account by its own credential, and which of its devices by a token or an id."""

from __future__ import annotations

from hashlib import sha256
from http import HTTPStatus

from aiohttp import web

from auth.errors import Forbidden, Unauthorized
from server.adapter import ACCOUNT, principal_of
from server.adapters.pinakes.libraries import Shelves
from server.adapters.pinakes.mapping import uuid_of
from server.adapters.pinakes.uploading import Uploading
from server.errors import ApiError, NotFound
from storage.pinakes.devices import Device

API = "pinakes"
"""The name in scopes of personal tokens."""
READ = ACCOUNT.reading(API)
WRITE = ACCOUNT.writing(API)

SHELVES = web.AppKey("pinakes libraries", Shelves)
UPLOADING = web.AppKey("pinakes uploads", Uploading)

TOKEN = "X-Device-Token"  # noqa: S105  (the name of a header)
_TOKEN_LETTERS_MAX = 200


def account_of(request: web.Request) -> str:
    """The account that asks."""
    return principal_of(request).account


def digest_of(token: str) -> bytes:
    """What is stored of a device's token."""
    # A header may hold any bytes, which stand in the text as surrogates.
    return sha256(token.encode("utf-8", "surrogateescape")).digest()


async def asking_device(request: web.Request, said: str | None = None) -> Device | None:
    """The device that asks, by its token or the id that body or query say; None where neither does.

    Raises Unauthorized for what is no device of this account's, ApiError (400) for a disabled one.
    """
    devices = request.app[SHELVES].devices
    token = request.headers.get(TOKEN)
    found = None
    if token is not None:
        found = await devices.by_token(digest_of(token[:_TOKEN_LETTERS_MAX]))
        if found is None or found.account != account_of(request):
            raise Unauthorized("device_token_invalid")
    if said is not None:
        device = uuid_of(said)
        if token is not None and (found is None or device != found.id):
            raise ApiError(400, "bad_device", "device_id is not the device of X-Device-Token")
        found = None if device is None else await devices.find(device)
        if found is None or found.account != account_of(request):
            raise ApiError(400, "bad_device", "there is no such device")
    if found is not None:
        if not found.enabled:
            message = "this device was switched off; enable it first"
            raise ApiError(HTTPStatus.BAD_REQUEST, "device_disabled", message)
        await devices.seen(found.id)
    return found


async def own_device(request: web.Request) -> Device:
    """The device of the path. Raises NotFound, or Forbidden for somebody else's."""
    device = uuid_of(request.match_info["id"])
    found = None if device is None else await request.app[SHELVES].devices.find(device)
    if found is None:
        raise NotFound
    if found.account != account_of(request):
        raise Forbidden
    return found
