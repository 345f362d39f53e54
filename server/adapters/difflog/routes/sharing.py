"""What is shared without the password: a profile's outside, public diffs, codes, CLI logins."""

from __future__ import annotations

import re
import secrets
import time
from typing import Any, Final
from urllib.parse import quote

import msgspec
from aiohttp import web

from server.adapter import ANYONE, Routes
from server.adapters.difflog import mapping, schema
from server.adapters.difflog.bodies import read
from server.adapters.difflog.profiles import PROFILES, client_salt
from server.errors import ApiError
from server.http import reply

ROUTES = Routes("Sharing")
_OPEN = ANYONE.limited("difflog_read")
_CODES = ANYONE.limited("difflog_codes")
_RELAY = ANYONE.limited("difflog_relay")

_LETTERS: Final = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
_SHARE, _CLI = "share", "cli"
_SHARE_S = 120
_TRIES = 8
_RELAY_S_MAX = 300
_RELAY_CODE = re.compile(r"[0-9a-f]{12}")


@ROUTES.get("/api/share/{id}", access=_OPEN, reply=schema.Shared)
async def share(request: web.Request) -> web.Response:
    """What a profile shows to somebody who is about to import it."""
    profiles = request.app[PROFILES]
    found = await profiles.find(request.match_info["id"])
    stored = await profiles.look(found, mapping.read_stored)
    fields = {name: value for name, value in stored.metadata.items() if name != "custom_focus"}
    salt = found.secrets.password_salt
    if salt is None and not found.secrets.password_hash.startswith(("argon2id$", "v2:")):
        salt = client_salt(found.secrets.password_hash)
    answer = schema.Shared(id=found.id, password_salt=salt, **fields)
    return reply(answer, headers={"Cache-Control": "no-cache"})


@ROUTES.get(
    "/api/diff/{id}/public",
    access=_OPEN,
    reply=schema.PublicDiff,
    errors={500: "Its owner uploaded something else than JSON."},
)
async def public_diff(request: web.Request) -> web.Response:
    """A diff that its owner published, which is plain JSON."""
    profiles, diff = request.app[PROFILES], request.match_info["id"]
    found = await profiles.store.publisher(diff)
    text = None
    if found is not None:
        text = await profiles.look(found, lambda doc: mapping.read_diff(doc, diff))
    if found is None or text is None or not mapping.is_public(text):
        raise ApiError(404, "not_found", "Diff not found")
    stored = await profiles.look(found, mapping.read_stored)
    headers = {
        "Cache-Control": "public, max-age=86400",
        "Cache-Tag": f"diff-{quote(diff, safe=':')}",
    }
    return reply(_public(diff, text, stored.metadata["name"] or "Anonymous"), headers=headers)


def _public(diff: str, text: str, name: str) -> schema.PublicDiff:
    try:
        said: dict[str, Any] = msgspec.json.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError):
        # What the documented server answers; nobody but the owner can cause it.
        raise ApiError(500, "invalid", "Invalid diff data") from None
    wanted = ("content", "title", "generated_at", "window_days")
    return schema.PublicDiff(
        id=diff, profile_name=name, **{key: said[key] for key in wanted if key in said}
    )


@ROUTES.post(
    "/api/share-code",
    access=_CODES,
    body=schema.ShareCodeRequest,
    replies={201: schema.ShareCode},
)
async def make_share_code(request: web.Request) -> web.Response:
    """Four letters that stand for a profile's id, once, for two minutes."""
    profiles = request.app[PROFILES]
    body = await read(request, schema.ShareCodeRequest)
    if not body.profile_id:
        raise ApiError(400, "missing_fields", "Missing profile_id")
    for _ in range(_TRIES):
        code = "".join(secrets.choice(_LETTERS) for _ in range(4))
        if await profiles.store.put_code(
            _SHARE,
            code,
            body.profile_id,
            seconds=_SHARE_S,
            most=profiles.settings.difflog_codes_max,
            over=False,
        ):
            return reply(schema.ShareCode(code), 201)
    raise ApiError(503, "unavailable", "Failed to generate unique code, try again")


@ROUTES.get("/api/share-code/{code}", access=_CODES, reply=schema.ShareCodeTarget)
async def use_share_code(request: web.Request) -> web.Response:
    """The profile that a code stands for, which uses it up; HEAD only looks."""
    store, code = request.app[PROFILES].store, request.match_info["code"].upper()
    use = store.peek_code if request.method == "HEAD" else store.take_code
    found = await use(_SHARE, code)
    if found is None:
        raise ApiError(404, "not_found", "Invalid or expired share code")
    return reply(schema.ShareCodeTarget(found))


@ROUTES.get("/api/cli/auth/{code}", access=_RELAY, reply=schema.Relayed, errors=(400,))
async def take_session(request: web.Request) -> web.Response:
    """The command line asks whether the browser has sent its session; it is given once."""
    store, code = request.app[PROFILES].store, _relay_code(request)
    use = store.peek_code if request.method == "HEAD" else store.take_code
    found = await use(_CLI, code)
    return reply(schema.Relayed(pending=True) if found is None else schema.Relayed(session=found))


@ROUTES.post("/api/cli/auth/{code}", access=_RELAY, body=schema.Relay, reply=schema.RelayDone)
async def leave_session(request: web.Request) -> web.Response:
    """The browser leaves an encrypted session for the command line."""
    profiles, code = request.app[PROFILES], _relay_code(request)
    body = await read(request, schema.Relay)
    session = body.encrypted_session
    if not session or not isinstance(session, str) or "\0" in session:
        raise ApiError(400, "missing_fields", "Missing encrypted_session")
    if len(session) > profiles.settings.difflog_relay_bytes_max:
        raise ApiError(413, "too_large", "The session is too large")
    seconds = _RELAY_S_MAX if not body.expires else body.expires / 1000 - time.time()
    if not await profiles.store.put_code(
        _CLI,
        code,
        session,
        seconds=min(_RELAY_S_MAX, max(1, seconds)),
        most=profiles.settings.difflog_codes_max,
        over=True,
    ):
        raise ApiError(503, "unavailable", "Too many sessions are waiting, try again")
    return reply(schema.RelayDone(ok=True))


def _relay_code(request: web.Request) -> str:
    code = request.match_info["code"]
    if not _RELAY_CODE.fullmatch(code):
        raise ApiError(400, "bad_code", "Invalid code")
    return code
