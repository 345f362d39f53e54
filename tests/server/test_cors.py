"""Which pages of other origins may call an API."""

import pytest

from tests.server.person import Client

PAGE = {"Origin": "https://editor.example.com"}


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/"), ("POST", "/api/me"), ("POST", "/api/nothing"), ("PUT", "/api/me")],
)
async def test_bearer_routes_mirror_the_origin_and_never_take_cookies(
    client: Client, method: str, path: str
) -> None:
    """Errors too; caches are told; credentials are never allowed."""
    response = await client.request(method, path, headers=PAGE)

    assert response.headers["Access-Control-Allow-Origin"] == PAGE["Origin"]
    assert "Origin" in response.headers["Vary"]
    assert "Access-Control-Allow-Credentials" not in response.headers


async def test_without_an_origin_caches_are_told_all_the_same(client: Client) -> None:
    """Vary is there, the permission is not."""
    response = await client.get("/api/")

    assert "Access-Control-Allow-Origin" not in response.headers
    assert response.headers["Vary"] == "Origin"


@pytest.mark.parametrize("path", ["/api/", "/api/me", "/api/auth/verify_session"])
async def test_a_preflight_is_answered_without_a_token(client: Client, path: str) -> None:
    """The browser asks first, and it asks without credentials."""
    response = await client.options(
        path,
        headers={
            **PAGE,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,x-extra",
        },
    )

    assert response.status == 204
    assert response.headers["Access-Control-Allow-Origin"] == PAGE["Origin"]
    assert response.headers["Access-Control-Allow-Headers"] == "authorization,x-extra"
    assert response.headers["Access-Control-Allow-Methods"] in {"GET", "POST", "GET, POST"}
    assert "OPTIONS" in response.headers["Allow"].split(", ")


@pytest.mark.parametrize("origin", ["x" * 600, "https://é.example"])
async def test_odd_origins_are_not_sent_back(client: Client, origin: str) -> None:
    """What no browser sends is not mirrored."""
    response = await client.get("/api/", headers={"Origin": origin})

    assert response.status == 200
    assert "Access-Control-Allow-Origin" not in response.headers
