"""Every route of the running server, visited by every kind of stranger.

The cases are made from the table of routes, so a new route is visited without a line here. Two
people, a viewer, tokens of every kind; the first person's document stands in the place of each
parameter that names one.
"""

import json

from auth.principal import Kind
from server.adapter import Route, undeclared
from tests.stories.world import HANDSHAKE, NAME, World

NOBODY = (
    "anonymous",
    "cookie",
    "site cookie",
    "nonsense",
    "signed challenge",
    "refresh token",
    "disabled account",
    "token never made",
)
"""Callers who show nothing that opens anything."""

PLAIN = ("/api/sitemap/", "/api/robots/")
"""Crawlers ask these, and are told in plain text what there is not."""

EXPECTED: dict[str, dict[str, set[int]]] = {
    "account": {"document token": {403}, "token of another document": {403}},
    "administrator": {
        "document token": {403},
        "token of another document": {403},
        "another account": {403},
        "viewer": {403},
    },
    "document": {"token of another document": {403, 404}, "another account": {403, 404}},
    "file": {"token of another document": {403, 404}, "another account": {403, 404}},
    "socket": {"token of another document": {403}, "another account": {403}},
    "operator": {who: {401, 404} for who in ("owner", "another account", "document token")},
    "refresh": {who: {401} for who in ("owner", "another account", "document token")},
    "session": {who: {401} for who in ("owner", "another account", "viewer", "document token")},
    "personal": {who: {401} for who in ("owner", "another account", "viewer", "document token")},
}
"""What a kind of caller gets at a policy; whoever is not named may be let in."""


def allowed(route: Route, who: str) -> set[int] | None:
    """The statuses that a caller may get at a route; None where there is nothing to expect."""
    policy = route.access.name
    if route.path == "/ws":
        # Hocuspocus clients say which document they want, and who they are, in frames.
        shown_later = {who: {101} for who in ("anonymous", "cookie", "site cookie", *BROWSERS)}
        by_handshake = {"token of another scope": {403}, **shown_later}
        return by_handshake.get(who, {401} if who in NOBODY else {101})
    if who in NOBODY and policy in EXPECTED:
        if policy == "refresh" and who == "refresh token":
            return None
        return {401, 404} if policy == "operator" else {401}
    if policy == "password":
        # Nobody of these shows one; what is missing beside it may be said first.
        return {400, 401, 404}
    if who in PERSONAL or who in BROWSERS:
        return _of_cookie(route, who) if who in BROWSERS else _of_personal_token(route, who)
    return EXPECTED.get(policy, {}).get(who)


BROWSERS = ("browser", "foreign page")
"""The owner's session cookie, shown by a page of ours and by somebody else's."""


def _of_cookie(route: Route, who: str) -> set[int] | None:
    """What the session cookie gets: it counts where the policy names it, and for our pages."""
    access = route.access
    if access.name in {"anyone", "password"} or access.optional:
        return None
    if access.name == "socket":
        return {101} if who == "browser" else {403}
    if Kind.SESSION not in access.kinds:
        return {401, 404} if access.name == "operator" else {401}
    # 401 where another visit has ended the login by then.
    return {401, 403} if who == "foreign page" and route.method not in {"GET", "HEAD"} else None


PERSONAL = ("read token", "write token", "token of another scope")
"""The owner's personal tokens: two for `heaps`, the other one for `ascently`."""


def _of_personal_token(route: Route, who: str) -> set[int] | None:
    """What a personal token gets: its policy names an API, and whether it must be one to write."""
    access = route.access
    if access.name in {"refresh", "operator", "session"}:
        return {401, 404}
    if access.name == "anyone" or access.optional:
        return None
    if access.api == "ascently" and who == "token of another scope":
        return None
    if access.api is None or access.api != "heaps" or who == "token of another scope":
        return {403} if Kind.ACCESS in access.kinds or access.name == "socket" else {401}
    return {403} if access.writes and who == "read token" else None


async def test_every_route_has_a_policy(world: World) -> None:
    """Nothing was put beside the table in the whole application."""
    assert world.server.app is not None
    assert undeclared(world.server.app) == []


async def test_no_stranger_gets_in_anywhere(world: World) -> None:
    """Each gets the status of the policy, never a fault of the server."""
    wrong = []
    for route in world.routes:
        for who in world.headers:
            if route.access.name == "refresh" and who == "refresh token":
                continue
            status, text = await world.visit(route, who)
            expected = allowed(route, who)
            is_fault = status >= 500 and status not in route.errors
            if is_fault or (expected is not None and status not in expected):
                wrong.append(f"{route.method} {route.path} · {who}: {status} {text[:80]}")

    assert not wrong, "\n".join(wrong)


async def test_refusals_are_json_of_the_shape_that_their_api_describes(world: World) -> None:
    """Most say success, error and message."""
    wrong = []
    for route in world.routes:
        fields = world.error_fields(route)
        for who in NOBODY:
            status, text = await world.visit(route, who)
            is_plain = route.path.startswith(PLAIN)
            if status >= 400 and not is_plain and not fields <= set(json.loads(text)):
                wrong.append(f"{route.method} {route.path}: {text[:80]}")

    assert not wrong, "\n".join(wrong)


async def test_another_account_learns_nothing_of_the_first(world: World) -> None:
    """No reply to a stranger holds an id of the owner."""
    leaks = []
    for route in world.routes:
        for who in ("another account", "token of another document"):
            _, text = await world.visit(route, who)
            if world.owner.account in text or world.owner.workspace in text:
                leaks.append(f"{route.method} {route.path} · {who}")

    assert not leaks, "\n".join(leaks)


async def test_a_viewer_writes_nowhere(world: World) -> None:
    """In a shared workspace a viewer reads and changes nothing."""
    name = f"{world.owner.workspace}:{NAME}"
    headers = world.headers["viewer"]
    socket = await world.web.request("GET", f"/ws/{name}", headers=headers | HANDSHAKE)
    socket.close()
    made = await world.web.request(
        "GET", f"/ws/{world.owner.workspace}:new", headers=headers | HANDSHAKE
    )

    assert (socket.status, made.status) == (101, 403)


async def test_what_a_document_token_opens(world: World) -> None:
    """Its document on every door, and nothing but that."""
    headers = world.headers["document token"]
    statuses = {
        path: (await world.web.request("GET", path, headers=headers | more)).status
        for path, more in (
            (f"/d/{NAME}/as-update", {}),
            (f"/ws/{NAME}", HANDSHAKE),
            (f"/d/{NAME}/ws/{NAME}", HANDSHAKE),
            ("/d/other/as-update", {}),
            ("/ws/other", HANDSHAKE),
            ("/d/other/ws/other", HANDSHAKE),
        )
    }

    assert list(statuses.values()) == [200, 101, 101, 404, 403, 403]
