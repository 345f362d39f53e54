"""The heaps adapter: routes and spelling of the API page."""

import re

import msgspec
import pytest

from server.adapters.heaps import ADAPTER, schema, schema_me
from server.cors import Cors

PAGE = {
    ("GET", "/api/"): "optional",
    ("GET", "/api"): "optional",
    ("GET", "/api/health"): "anyone",
    ("GET", "/sync/health"): "anyone",
    ("POST", "/api/auth/verify_key"): "anyone",
    ("POST", "/api/auth/create_session"): "anyone",
    ("POST", "/api/auth/verify_session"): "anyone",
    ("POST", "/api/auth/refresh_token"): "refresh",
    ("POST", "/api/me"): "account",
}
"""Routes of the page that are served, and what it says of their authentication."""


@pytest.mark.parametrize(("method", "path"), PAGE)
def test_each_route_of_the_page_is_served_with_its_authentication(method: str, path: str) -> None:
    """Method, path and who may come are the page's."""
    (route,) = [r for r in ADAPTER.routes if (r.method, r.path) == (method, path)]

    assert route.access.name == PAGE[method, path]


def test_the_whole_auth_namespace_is_limited() -> None:
    """Every route below /api/auth counts against the address."""
    auth = [route for route in ADAPTER.routes if route.path.startswith("/api/auth/")]

    assert len(auth) == 5
    assert {route.access.limit for route in auth} == {"auth"}


LOGIN_ONLY = re.compile(
    r"/api/(access-tokens|auth/logout|devices|invite|sessions)(/|$)"
    r"|/api/heap/{heap_id}/(invites|leave|members/)|/api/block/{block_key}/links"
)
"""Paths that no personal token opens: credentials, and who may do what."""


def test_every_guarded_route_names_its_scope_or_wants_a_login() -> None:
    """A personal token opens what its scope says; nothing is open or closed by oversight."""
    wrong = [
        f"{route.method} {route.path}"
        for route in ADAPTER.routes
        if route.access.name == "account"
        and (route.access.api == "heaps") is bool(LOGIN_ONLY.match(route.path))
    ]

    assert not wrong


def test_bearer_routes_mirror_origins() -> None:
    """The API never looks at cookies, so any page may call it."""
    assert ADAPTER.cors is Cors.MIRROR


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (schema.SessionVerified, {"accessToken", "refreshToken", "server_public_key", "user_id"}),
        (schema.KeyVerified, {"access_token", "refresh_token", "approval_required"}),
        (schema.Renewed, {"success", "accessToken", "refreshToken"}),
        (schema.SessionCreated, {"success", "challenge"}),
        (schema.VerifySession, {"public_key", "message", "signature", "server_challenge", "email"}),
        (schema.VerifyKey, {"public_key", "signed_message", "message", "server_challenge"}),
        (schema.Instance, {"status", "version", "public_key", "name", "public_url", "selfhosted"}),
        (
            schema.Health,
            {"server", "database", "version", "name", "public_url", "public_key", "diagnostics"},
        ),
        (schema_me.Me, {"subscriptions", "entitlements", "usage", "limits"}),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_fields_are_spelled_as_the_page_spells_them(body: type, fields: set[str]) -> None:
    """CamelCase where the page has it, snake_case elsewhere."""
    encoded = {field.encode_name for field in msgspec.structs.fields(body)}

    assert fields <= encoded
