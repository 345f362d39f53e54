"""What the real clients do: the command line, and a browser that is logged in."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import aiohttp

from server.session.cookie import NAME
from tests.inside import Guest

CLI = {"X-Flowershow-CLI-Version": "1.0.1"}


def sha1(data: bytes) -> str:
    """What the command line (1.x) and the Obsidian plugin call bytes."""
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


def git(data: bytes) -> str:
    """What the command line (2.x) calls them."""
    return sha1(b"blob %d\0" % len(data) + data)


def sha256(data: bytes) -> str:
    """What a browser calls them."""
    return hashlib.sha256(data).hexdigest()


Files = Mapping[str, bytes]


def manifest(files: Files, digest: Any = sha1) -> dict[str, Any]:
    """What a client says that it has."""
    return {
        "files": [
            {"path": path, "size": len(data), "sha": digest(data)} for path, data in files.items()
        ]
    }


class Answer:
    """Status and JSON of a reply."""

    def __init__(self, response: aiohttp.ClientResponse, body: Any) -> None:
        self.status = response.status
        self.headers = response.headers
        self.cookies = response.cookies
        self.body = body

    def __getitem__(self, name: str) -> Any:
        return self.body[name]


class CommandLine:
    """A folder that is published with a token."""

    def __init__(self, guest: Guest, token: str) -> None:
        self.guest = guest
        self.token = token

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Any request."""
        shown = {"Authorization": f"Bearer {self.token}", **CLI, **headers}
        async with self.guest.http.request(method, path, json=body, headers=shown) as response:
            return Answer(response, await response.json(content_type=None))

    async def make(self, name: str = "notes", **more: Any) -> str:
        """Make a site; its id."""
        answer = await self.ask("POST", "/api/sites", {"projectName": name, **more})
        assert answer.status in {200, 201}, answer.body
        return str(answer["site"]["id"])

    async def put(self, target: Mapping[str, Any], data: bytes) -> int:
        """Bring bytes, as the clients do: no credential, the type as it was told."""
        headers = {"Content-Type": target.get("contentType", "text/plain")}
        async with self.guest.http.put(target["uploadUrl"], data=data, headers=headers) as response:
            return response.status

    async def sync(self, site: str, files: Files, digest: Any = sha1) -> Answer:
        """Sync a folder, and bring what is wanted."""
        answer = await self.ask("POST", f"/api/sites/id/{site}/sync", manifest(files, digest))
        assert answer.status == 200, answer.body
        for target in [*answer["toUpload"], *answer["toUpdate"]]:
            assert await self.put(target, files[target["path"]]) == 200
        return answer

    async def plan(self, site: str, files: Files, digest: Any = sha1) -> Answer:
        """What a sync would do."""
        return await self.ask(
            "POST", f"/api/sites/id/{site}/sync?dryRun=true", manifest(files, digest)
        )

    async def status(self, site: str) -> Answer:
        """How far the site is."""
        return await self.ask("GET", f"/api/sites/id/{site}/status")


class Browser:
    """Somebody with a session cookie."""

    def __init__(self, guest: Guest, cookie: str) -> None:
        self.guest = guest
        self.headers = {"Cookie": f"{NAME}={cookie}", "Origin": guest.inside.url}

    @classmethod
    async def of(cls, guest: Guest) -> Browser:
        """Log a browser of somebody's in."""
        client: Any = guest.http
        message = await guest.person.challenge(client)
        body = {
            "public_key": guest.person.public_key,
            "message": message,
            "signature": guest.person.sign(message),
        }
        async with guest.http.post("/api/session", json=body) as response:
            assert response.status == 200, await response.text()
            cookie = response.cookies[NAME].value
        guest.http.cookie_jar.clear()
        return cls(guest, cookie)

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Any request."""
        shown = self.headers | headers
        async with self.guest.http.request(method, path, json=body, headers=shown) as response:
            return Answer(response, await response.json(content_type=None))


async def ask(guest: Guest, method: str, path: str, body: Any = None, **headers: str) -> Answer:
    """A request of nobody in particular."""
    async with guest.http.request(
        method, path, json=body, headers=headers, allow_redirects=False
    ) as response:
        return Answer(response, await response.json(content_type=None))


async def with_username(guest: Guest, username: str | None = None) -> Browser:
    """A browser of somebody who chose a username."""
    browser = await Browser.of(guest)
    chosen = username or f"u{guest.account[-12:].lower()}"
    answer = await browser.ask("PATCH", "/api/user", {"username": chosen})
    assert answer.status == 200, answer.body
    return browser


async def command_line(guest: Guest) -> CommandLine:
    """A command line that went through the device flow."""
    browser = await with_username(guest)
    started = await ask(guest, "POST", "/api/cli/device/authorize", {"client_name": "laptop"})
    approved = await browser.ask("POST", "/api/cli/authorize", {"user_code": started["user_code"]})
    assert approved.status == 200, approved.body
    token = await ask(
        guest,
        "POST",
        "/api/cli/device/token",
        {
            "device_code": started["device_code"],
            "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        },
    )
    assert token.status == 200, token.body
    return CommandLine(guest, token["access_token"])
