"""Logging a command line in (RFC 8628): it shows a code, somebody approves it in a browser."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

from aiohttp import web

from auth.opaque import digest
from auth.personal import CLI_PREFIX, Scope
from server.adapter import ANYONE, SESSION, Routes, principal_of
from server.adapters.flowershow import schema
from server.adapters.flowershow.mapping import moment
from server.adapters.flowershow.policy import API, Complaint, invalid
from server.adapters.flowershow.stores import STORES
from server.errors import BadBody, Busy
from server.hosts import HOSTS
from server.http import decoded, read_bytes, reply
from server.identity import IDENTITY
from server.personal import make_token
from storage.sites import DeviceCode

ROUTES = Routes("Device flow")

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Of a user code: none that looks like another one."""
_BODY_BYTES_MAX = 16 * 1024
_TOLERANCE = 0.4
"""Clients that ask at half of the interval are let pass: a real one does."""
_TRIES = 5
_PRIVATE = {"Cache-Control": "no-store"}


@ROUTES.post(
    "/api/cli/device/authorize",
    access=ANYONE.limited("flowershow-codes"),
    body=schema.DeviceClient,
    reply=schema.DeviceStarted,
)
async def start(request: web.Request) -> web.Response:
    """Begin to log a device in: a code for it, and one for somebody to type."""
    identity, settings = request.app[IDENTITY], request.app[IDENTITY].settings
    until = datetime.fromtimestamp(identity.clock(), UTC) + timedelta(
        seconds=settings.device_code_s
    )
    client = await _client(request)
    address = request.app[HOSTS].remote(request)
    codes = request.app[STORES].devices
    for _ in range(_TRIES):
        device, typed = secrets.token_urlsafe(30), _user_code()
        if await codes.add(
            digest(device), typed, client=client, address=address, until=until,
            most=settings.device_codes_max,
        ):  # fmt: skip
            break
    else:
        raise Busy("too many devices wait", 30)
    page = f"{request.app[HOSTS].public_url}/cli/verify"
    started = schema.DeviceStarted(
        device_code=device,
        user_code=typed,
        verification_uri=page,
        verification_uri_complete=f"{page}?user_code={typed}",
        expires_in=settings.device_code_s,
        interval=settings.device_interval_s,
    )
    return reply(started, headers=_PRIVATE)


@ROUTES.post(
    "/api/cli/device/token",
    access=ANYONE.limited("flowershow-polls"),
    body=schema.DeviceQuestion,
    reply=schema.DeviceToken,
    errors={
        400: "invalid_request, unsupported_grant_type, invalid_grant, expired_token, "
        "access_denied, slow_down or authorization_pending."
    },
)
async def token(request: web.Request) -> web.Response:
    """Ask for the token of a device whose code was approved."""
    question = await _question(request)
    if not question.grant_type or not question.device_code:
        raise invalid("device_code and grant_type are needed")
    if question.grant_type != GRANT:
        raise Complaint(400, "unsupported_grant_type", f"grant_type must be {GRANT}")
    identity = request.app[IDENTITY]
    now = datetime.fromtimestamp(identity.clock(), UTC)
    secret = digest(question.device_code)
    codes = request.app[STORES].devices
    found = await codes.poll(secret, now)
    if found is not None and found.expires_at <= now:
        await codes.forget(secret)
        raise Complaint(400, "expired_token", "the code has expired: begin again")
    account = None if found is None else await codes.take(secret, now)
    if account is None:
        raise _refusal(found, now, identity.settings.device_interval_s)
    made = await make_token(
        identity.personal,
        account=account,
        name="CLI Token",
        scopes=(Scope(API, writes=True),),
        now=identity.clock(),
        lifetime_s=None,
        most=identity.settings.access_tokens_per_account_max,
        prefix=CLI_PREFIX,
    )
    if made is None:
        raise Complaint(400, "access_denied", "the account takes no more tokens")
    return reply(schema.DeviceToken(access_token=made[1]), headers=_PRIVATE)


@ROUTES.post(
    "/api/cli/authorize",
    access=SESSION.limited("flowershow-codes"),
    body=schema.DeviceApproval,
    reply=schema.Done,
    errors={400: "invalid_request, invalid_code, expired_code or already_authorized."},
)
async def approve(request: web.Request) -> web.Response:
    """Let the device in that shows a code, or tell it that it may not."""
    try:
        body = decoded(await read_bytes(request, _BODY_BYTES_MAX), schema.DeviceApproval)
    except BadBody as error:
        raise invalid(str(error)) from error
    if not body.user_code:
        raise invalid("user_code is needed")
    found = await _waiting(request, body.user_code)
    now = datetime.fromtimestamp(request.app[IDENTITY].clock(), UTC)
    account = principal_of(request).account
    codes = request.app[STORES].devices
    if found.account is not None or not await codes.settle(
        found.user_code, account, now, denied=body.deny
    ):
        raise Complaint(400, "already_authorized", "this code was used already")
    return reply(schema.Done())


@ROUTES.get(
    "/api/cli/authorize",
    access=SESSION.limited("flowershow-codes"),
    query=schema.DeviceApproval,
    reply=schema.DeviceWaiting,
    errors={400: "invalid_request, invalid_code or expired_code."},
)
async def waiting(request: web.Request) -> web.Response:
    """Which device shows a code: for the page where somebody approves it."""
    text = request.query.get("user_code") or request.query.get("code") or ""
    if not text:
        raise invalid("user_code is needed")
    found = await _waiting(request, text)
    shown = schema.DeviceWaiting(
        user_code=found.user_code,
        client_name=found.client,
        address=found.address,
        created_at=moment(found.created_at),
        expires_at=moment(found.expires_at),
    )
    return reply(shown, headers=_PRIVATE)


async def _waiting(request: web.Request, text: str) -> DeviceCode:
    found = await request.app[STORES].devices.find(spelled(text))
    if found is None or found.denied:
        raise Complaint(400, "invalid_code", "no device shows this code")
    if found.expires_at.timestamp() <= request.app[IDENTITY].clock():
        raise Complaint(400, "expired_code", "the code has expired: begin again on the device")
    return found


def spelled(text: str) -> str:
    """A user code as it is stored, however somebody typed it."""
    letters = re.sub(r"[^A-Za-z0-9]", "", text[:100]).upper()
    return f"{letters[:4]}-{letters[4:]}"


def _user_code() -> str:
    return spelled("".join(secrets.choice(_LETTERS) for _ in range(8)))


def _refusal(found: DeviceCode | None, now: datetime, interval_s: int) -> Complaint:
    if found is None:
        return Complaint(400, "invalid_grant", "this code is unknown, or was used already")
    if found.denied:
        return Complaint(400, "access_denied", "somebody said that this device may not")
    least = timedelta(seconds=interval_s * _TOLERANCE)
    if found.polled_at is not None and now - found.polled_at < least:
        return Complaint(400, "slow_down", "ask less often")
    return Complaint(400, "authorization_pending", "nobody has approved this device yet")


async def _client(request: web.Request) -> str:
    """How a device calls itself; the body is optional, whatever is in it."""
    try:
        said = decoded(await read_bytes(request, _BODY_BYTES_MAX), schema.DeviceClient).client_name
    except BadBody:
        said = None
    name = said if isinstance(said, str) else ""
    shown = "".join(letter for letter in name if letter.isprintable()).strip()
    return shown[:100] or "a command line"


async def _question(request: web.Request) -> schema.DeviceQuestion:
    """The body, as JSON or as the form that RFC 8628 describes."""
    data = await read_bytes(request, _BODY_BYTES_MAX)
    if request.content_type == "application/x-www-form-urlencoded":
        fields = parse_qs(data.decode("utf-8", "replace"))
        first = {name: values[0] for name, values in fields.items()}
        return schema.DeviceQuestion(
            device_code=first.get("device_code", ""), grant_type=first.get("grant_type", "")
        )
    try:
        return decoded(data, schema.DeviceQuestion)
    except BadBody as error:
        raise invalid(str(error)) from error
