"""Security schemes: how a caller shows who is asking, from the policies of the routes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from auth.principal import Kind
from server.adapter import Access, Mounted
from server.session.cookie import NAME

QUERY = "queryToken"
COOKIE = "sessionCookie"

_BY_KIND: dict[str, tuple[str, str]] = {
    "access": (
        "accessToken",
        "An access token (a JWT, short-lived) from `/api/auth/verify_session` or `verify_key`.",
    ),
    "document": (
        "documentToken",
        "A token for one document, from `/doc/{document}/auth` or `/api/block/{block_key}/links`.",
    ),
    "personal": (
        "personalToken",
        "A token from `/api/access-tokens` with the operation's scope; one to write reads, too.",
    ),
    "file": (
        "fileToken",
        "A token for the files of one block, good for minutes, from `/api/file/{key}/token`.",
    ),
}
_BY_POLICY: dict[str, tuple[str, str]] = {
    "refresh": (
        "refreshToken",
        "The refresh token of a login; each is good once and answered with the next.",
    ),
    "operator": ("operatorToken", "The operator's own token, from the setting `metrics_token`."),
    "socket": (
        "socketToken",
        "An access, document or `heaps` personal token: in header, subprotocol or frame.",
    ),
}


def _of_kind(kind: Kind) -> tuple[str, str]:
    word = kind.value
    usual = (word.title().replace("_", "").replace("-", ""), f"A token of the kind `{word}`.")
    name, about = _BY_KIND.get(word, (usual[0][:1].lower() + usual[0][1:] + "Token", usual[1]))
    return name, about


def _bearers(access: Access) -> dict[str, str]:
    """Name → sentence of the bearer tokens that a policy takes."""
    kinds = sorted(access.kinds - {Kind.SESSION}, key=list(Kind).index)
    found = dict(_of_kind(kind) for kind in kinds)
    if access.name in _BY_POLICY:
        name, about = _BY_POLICY[access.name]
        found[name] = about
    return found


def of(mounted: Mounted) -> list[dict[str, list[str]]]:
    """The ways to show who is asking at a route; an empty one where nobody need say."""
    access = mounted.route.access
    names = [*_bearers(access), *access.schemes]
    if access.query_token:
        names.append(QUERY)
    if Kind.SESSION in access.kinds:
        names.append(COOKIE)
    personal, _ = _of_kind(Kind.PERSONAL)
    scope = f"{access.api}:{'write' if access.writes else 'read'}"
    ways: list[dict[str, list[str]]] = [
        {name: [scope] if name == personal else []} for name in names
    ]
    if access.optional or access.name == "socket" or not names:
        ways.insert(0, {})
    return ways


def schemes(mounts: Iterable[Mounted]) -> dict[str, Mapping[str, Any]]:
    """All schemes that the routes of a document name."""
    found: dict[str, Mapping[str, Any]] = {}
    for mounted in mounts:
        found |= mounted.adapter.schemes
        for name, about in _bearers(mounted.route.access).items():
            found[name] = {"type": "http", "scheme": "bearer", "description": about}
        if Kind.SESSION in mounted.route.access.kinds:
            found[COOKIE] = {
                "type": "apiKey",
                "in": "cookie",
                "name": NAME,
                "description": (
                    "The session cookie of a browser, from `POST /api/session`; with the prefix "
                    "`__Secure-` where the server speaks TLS. Writes need our own `Origin`."
                ),
            }
        if mounted.route.access.query_token:
            found[QUERY] = {
                "type": "apiKey",
                "in": "query",
                "name": "token",
                "description": "A short-lived token where a browser cannot send a header.",
            }
    return dict(sorted(found.items()))
