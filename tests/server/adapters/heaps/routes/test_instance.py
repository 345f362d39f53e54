"""What the server says of itself, over HTTP."""

import asyncio
import re
import time

import pytest

from server.health import HEALTH
from server.identity import Identity
from storage.pool import Pool
from tests.patience import PATIENCE_S, in_time, prompt
from tests.server.person import Client, Person


@pytest.mark.parametrize("path", ["/api", "/api/"])
async def test_instance_is_told_with_and_without_a_slash(
    client: Client, identity: Identity, path: str
) -> None:
    """Status, version, key, name, URL and selfhosted; nothing about anybody."""
    response = await client.get(path)
    body = await response.json()

    assert response.status == 200
    assert set(body) == {"status", "version", "public_key", "name", "public_url", "selfhosted"}
    assert body["public_key"] == identity.keyring.identity.public_text
    assert (body["status"], body["name"], body["selfhosted"]) == ("ok", "Test", True)
    assert body["public_url"] == "http://127.0.0.1:8080"
    assert re.fullmatch(r"\d+\.\d+\.\d+", body["version"])


async def test_instance_tells_administrators_that_they_are(client: Client) -> None:
    """`is_admin` is there for those who are logged in, and right."""
    first = await Person().log_in(client)
    second = await Person().log_in(client)
    told = [
        (await (await client.get("/api/", headers=person.bearer)).json())["is_admin"]
        for person in (first, second)
    ]

    assert told == [True, False]


@pytest.mark.parametrize("header", ["Bearer nonsense", "Basic eDp5", "Bearer", ""])
async def test_instance_is_told_whatever_token_is_shown(client: Client, header: str) -> None:
    """A client whose token has expired still finds the server."""
    response = await client.get("/api/", headers={"Authorization": header})

    assert response.status == 200
    assert "is_admin" not in await response.json()


async def test_health_names_both_parts(client: Client) -> None:
    """Server and database work, and the counters of live sync are there."""
    response = await client.get("/api/health")
    body = await response.json()

    assert response.status == 200
    assert body["status"] == "ok"
    assert body["server"] == {"status": "ok"}
    assert body["database"] == {"status": "ok"}
    assert {"version", "name", "public_url", "public_key"} <= set(body)
    assert body["diagnostics"]["realtime"]["updates_in"] == 0
    assert body["diagnostics"]["engine"] == "interpreted"


async def test_sync_health_answers_without_a_token(client: Client) -> None:
    """The connectivity test of clients is a plain 200."""
    response = await client.get("/sync/health")

    assert (response.status, (await response.json())["status"]) == (200, "ok")


@pytest.mark.parametrize("path", ["/api/health", "/sync/health"])
async def test_a_database_that_is_gone_is_said(client: Client, pool: Pool, path: str) -> None:
    """The answer is 503 with Retry-After and says which part is down."""
    await pool.close()
    response = await client.get(path)
    body = await response.json()

    assert response.status == 503
    assert int(response.headers["Retry-After"]) > 0
    assert "down" in {body["status"], body.get("database", {}).get("status")}


@prompt
async def test_a_database_that_hangs_is_said_within_two_seconds(client: Client, pool: Pool) -> None:
    """While every connection is taken and none comes back, health still answers."""
    held = [await pool.acquire() for _ in range(pool.get_max_size())]
    try:
        started = time.monotonic()
        response = await client.get("/api/health")
        took_s = time.monotonic() - started
        assert response.status == 503
    finally:
        for connection in held:
            await pool.release(connection)

    async with asyncio.timeout(PATIENCE_S):
        while (await client.get("/api/health")).status != 200:
            pass
    in_time(took_s, 2)


async def test_commits_that_fail_make_health_red(client: Client) -> None:
    """A database that answers but cannot commit is down."""
    client.app[HEALTH].failing = lambda: "disk full"

    assert (await client.get("/api/health")).status == 503
    client.app[HEALTH].failing = lambda: None
    assert (await client.get("/api/health")).status == 200


async def test_head_answers_like_get_without_a_body(client: Client) -> None:
    """Probes that send HEAD are served."""
    response = await client.head("/api/health")

    assert (response.status, await response.read()) == (200, b"")


async def test_rest_is_503_with_the_database_down(client: Client, pool: Pool) -> None:
    """A route that needs the database says when to come back."""
    person = await Person().log_in(client)
    await pool.close()
    response = await client.post("/api/me", headers=person.bearer)

    assert response.status == 503
    assert int(response.headers["Retry-After"]) > 0
    assert (await response.json())["error"] == "unavailable"
