"""Which pages may read what, and how often an address may ask, at every route of the table."""

import itertools
import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from server.adapter import TABLE, Mounted
from server.app import Server
from server.cors import Cors
from server.settings import Settings
from tests.server.person import Person
from tests.stories.world import HANDSHAKE, NAME, World

PAGE = {"Origin": "https://editor.example.com"}
ATTEMPTS = 5


def mounts(server: Server) -> list[Mounted]:
    """Every route with its adapter, in the order of the table."""
    assert server.app is not None
    return [each for each in server.app[TABLE].values() if each.route.method != "OPTIONS"]


def path_of(mounted: Mounted) -> str:
    """The path with something in the place of each parameter."""
    return re.sub(r"\{\w+(:[^}]*)?\}", NAME, mounted.route.path)


async def test_every_route_answers_pages_of_other_origins_by_its_adapter(world: World) -> None:
    """Bearer APIs mirror the origin, in errors too; sockets and pages allow none; cookies never."""
    wrong = []
    for mounted, who in itertools.product(mounts(world.server), ("anonymous", "another account")):
        route = mounted.route
        headers = world.headers[who] | PAGE
        if route.access.name == "socket":
            headers |= HANDSHAKE
        response = await world.web.request(
            route.method, path_of(mounted), headers=headers, data=b"{"
        )
        response.close()
        allowed = response.headers.get("Access-Control-Allow-Origin")
        expected = PAGE["Origin"] if mounted.adapter.cors is Cors.MIRROR else None
        vary = "Origin" in response.headers.get("Vary", "") or expected is None
        if (
            allowed != expected
            or not vary
            or "Access-Control-Allow-Credentials" in response.headers
        ):
            wrong.append(f"{route.method} {route.path} · {who}: {response.status} {allowed}")

    assert not wrong, "\n".join(wrong)


async def test_every_preflight_names_the_methods_of_its_path(world: World) -> None:
    """Without a token; where no origin is allowed there is no such answer."""
    wrong = []
    for mounted in mounts(world.server):
        asked = PAGE | {"Access-Control-Request-Method": mounted.route.method}
        response = await world.web.request("OPTIONS", path_of(mounted), headers=asked)
        methods = response.headers.get("Access-Control-Allow-Methods", "").split(", ")
        if mounted.adapter.cors is Cors.MIRROR:
            good = response.status == 204 and mounted.route.method in methods
        else:
            good = "Access-Control-Allow-Origin" not in response.headers
        if not good:
            wrong.append(f"{mounted.route.method} {mounted.route.path}: {response.status}")

    assert not wrong, "\n".join(wrong)


async def test_every_route_about_credentials_is_limited_and_no_other(
    database: str, tmp_path: Path
) -> None:
    """After so many calls in a minute 429 says when to come back, to pages of any origin too."""
    settings = Settings(
        data=tmp_path, database_url=database, port=0, login_attempts_per_minute=ATTEMPTS
    )
    server = Server(settings)
    await server.start()
    try:
        async with aiohttp.ClientSession(server.address) as session:
            client: Any = session
            person = await Person().log_in(client)  # Two calls.
            for _ in range(ATTEMPTS - 2):
                await person.challenge(client)
            got = {}
            for mounted in mounts(server):
                got[mounted.route.method, mounted.route.path] = await _status(
                    session, mounted, person.bearer
                )
    finally:
        await server.stop()
    limited = {
        (each.route.method, each.route.path)
        for each in mounts(server)
        if each.route.access.limit == "auth"
    }

    assert {key for key, status in got.items() if status == 429} == limited
    assert len(limited) > 8


async def _status(session: aiohttp.ClientSession, mounted: Mounted, bearer: dict[str, str]) -> int:
    """The status of a call; of a refusal for its number, also the form."""
    headers = bearer | PAGE
    if mounted.route.access.name == "socket":
        headers |= HANDSHAKE
    async with session.request(
        mounted.route.method, path_of(mounted), headers=headers, data=b"{"
    ) as answer:
        if answer.status == 429:
            assert 1 <= int(answer.headers["Retry-After"]) <= 60
            mirrored = PAGE["Origin"] if mounted.adapter.cors is Cors.MIRROR else None
            assert answer.headers.get("Access-Control-Allow-Origin") == mirrored
            assert (await answer.json())["error"] == "rate_limited"
        return answer.status


@pytest.mark.parametrize("path", ["/api/nothing", "/api/me/nothing"])
async def test_unknown_paths_of_the_api_are_answered_in_its_shape(world: World, path: str) -> None:
    """404 with the three fields, readable for any page."""
    response = await world.web.request("GET", path, headers=PAGE)

    assert response.status == 404
    assert {"success", "error", "message"} <= set(await response.json())
    assert response.headers["Access-Control-Allow-Origin"] == PAGE["Origin"]
