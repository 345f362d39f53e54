"""What every request and response passes: host, errors, headers."""

import logging

import pytest
from aiohttp import web

from server.door import setup_http
from server.hosts import HOSTS, Hosts
from server.settings import Settings
from tests.server.conftest import Connect
from tests.server.person import Client


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("localhost:9999", 200),
        ("LOCALHOST.", 200),
        ("[::1]:80", 200),
        ("127.8.9.1", 200),
        ("evil.example.com", 421),
        ("localhost.evil.example.com", 421),
        ("127.0.0.1.evil.example.com", 421),
        ("10.0.0.1", 421),
        ("", 421),
        ("[", 421),
    ],
)
async def test_only_our_hosts_are_answered(client: Client, host: str, status: int) -> None:
    """Another name in Host is 421, which stops DNS rebinding."""
    response = await client.get("/api/", headers={"Host": host})

    assert response.status == status
    if status == 421:
        assert (await response.json())["error"] == "wrong_host"


async def test_the_public_host_is_ours(
    aiohttp_client: Connect, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The host of the public URL is answered, with any port; links keep the public URL."""
    settings = Settings(data=tmp_path_factory.mktemp("d"), public_url="https://Notes.Example.org/")
    app = web.Application()
    setup_http(app)
    app[HOSTS] = Hosts(settings)

    async def url(request: web.Request) -> web.Response:
        return web.Response(text=request.app[HOSTS].public_url)

    app.router.add_get("/url", url)
    client = await aiohttp_client(app)
    response = await client.get("/url", headers={"Host": "notes.example.org:8443"})

    assert await response.text() == "https://Notes.Example.org"


@pytest.mark.parametrize("path", ["/api/nothing", "/api/auth/nothing", "/nothing", "/api/me/x"])
async def test_unmatched_paths_are_404_in_the_shape_of_the_api(client: Client, path: str) -> None:
    """success, error and message, as JSON."""
    response = await client.post(path, data=b"x")

    assert response.status == 404
    assert await response.json() == {
        "success": False,
        "error": "not_found",
        "message": "Not Found",
    }


async def test_another_method_is_405_and_says_which(client: Client) -> None:
    """Allow names the methods; the body has the same shape."""
    response = await client.put("/api/me")

    assert (response.status, (await response.json())["error"]) == (405, "method_not_allowed")
    assert "POST" in response.headers["Allow"]


async def test_a_fault_of_ours_is_500_without_details_and_logged_without_tokens(
    aiohttp_client: Connect, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """The traceback is for the operator; a token in the URL is for nobody."""
    app = web.Application()
    setup_http(app)
    app[HOSTS] = Hosts(settings)

    async def broken(_request: web.Request) -> web.Response:
        raise KeyError("secret detail")

    app.router.add_get("/broken", broken)
    client = await aiohttp_client(app)
    with caplog.at_level(logging.ERROR):
        response = await client.get("/broken?token=abc.def&x=1")

    assert (response.status, (await response.json())["error"]) == (500, "internal")
    assert "secret detail" not in await response.text()
    assert "token=***" in caplog.text
    assert "abc.def" not in caplog.text


@pytest.mark.parametrize("path", ["/api/", "/nothing"])
async def test_no_response_sends_a_referrer_on(client: Client, path: str) -> None:
    """URLs may hold tokens; no other site gets to see them."""
    response = await client.get(path)

    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
