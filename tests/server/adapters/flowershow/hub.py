"""A small GitHub on loopback: the paths, pages and errors of its REST API that the App uses."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.server.adapters.flowershow.tools import git

APP_ID, SECRET = "4711", "webhook secret"
_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PRIVATE = _KEY.private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.TraditionalOpenSSL,
    serialization.NoEncryption(),
).decode()


class Hub:
    """Installations, repositories with branches, and what was asked."""

    def __init__(self) -> None:
        self.installations: dict[int, dict[str, Any]] = {}
        self.repositories: dict[int, list[str]] = {}
        """Full names, by installation."""
        self.branches: dict[tuple[str, str], Mapping[str, bytes]] = {}
        """Files, by full name and branch."""
        self.asked: list[str] = []
        self.broken = False
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def start(self) -> Hub:
        """Listen on a free port."""
        app = web.Application()
        app.router.add_get("/app/installations/{id}", self._installation)
        app.router.add_post("/app/installations/{id}/access_tokens", self._token)
        app.router.add_get("/installation/repositories", self._repositories)
        app.router.add_get("/repos/{owner}/{name}/branches/{branch}", self._branch)
        app.router.add_get("/repos/{owner}/{name}/git/trees/{commit}", self._tree)
        app.router.add_get("/repos/{owner}/{name}/git/blobs/{sha}", self._blob)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def stop(self) -> None:
        """Listen no more."""
        assert self._runner is not None
        await self._runner.cleanup()

    def install(self, number: int, login: str, *repositories: str) -> None:
        """Somebody installs the App, just now."""
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        self.installations[number] = {
            "id": number, "account": {"login": login, "type": "User"}, "updated_at": now
        }  # fmt: skip
        self.repositories[number] = list(repositories)

    # -- who asks -----------------------------------------------------------------------

    def _by_app(self, request: web.Request) -> None:
        token = request.headers["Authorization"].removeprefix("Bearer ").removeprefix("bearer ")
        claims = jwt.decode(token, _KEY.public_key(), ["RS256"], options={"verify_aud": False})
        assert claims["iss"] == APP_ID
        self._note(request)

    def _by_installation(self, request: web.Request) -> int:
        said = request.headers["Authorization"].partition(" ")[2]
        self._note(request)
        return int(said.removeprefix("ghs_"))

    def _note(self, request: web.Request) -> None:
        self.asked.append(f"{request.method} {request.path_qs}")
        if self.broken:
            raise web.HTTPBadGateway

    def _may(self, request: web.Request) -> str:
        number = self._by_installation(request)
        full = "{owner}/{name}".format(**request.match_info)
        if full not in self.repositories.get(number, []):
            raise web.HTTPNotFound(text='{"message": "Not Found"}', content_type="application/json")
        return full

    # -- answers ------------------------------------------------------------------------

    async def _installation(self, request: web.Request) -> web.Response:
        self._by_app(request)
        found = self.installations.get(int(request.match_info["id"]))
        return web.json_response(found or {"message": "Not Found"}, status=200 if found else 404)

    async def _token(self, request: web.Request) -> web.Response:
        self._by_app(request)
        number = request.match_info["id"]
        return web.json_response(
            {"token": f"ghs_{number}", "expires_at": "2099-01-01T00:00:00Z"}, status=201
        )

    async def _repositories(self, request: web.Request) -> web.Response:
        number = self._by_installation(request)
        size, page = int(request.query["per_page"]), int(request.query.get("page", "1"))
        every = self.repositories[number]
        shown = every[(page - 1) * size : page * size]
        headers = {}
        if page * size < len(every):
            following = f"{self.url}{request.path}?per_page={size}&page={page + 1}"
            headers["Link"] = f'<{following}>; rel="next"'
        body = {"total_count": len(every), "repositories": [_told(name) for name in shown]}
        return web.json_response(body, headers=headers)

    async def _branch(self, request: web.Request) -> web.Response:
        full, branch = self._may(request), request.match_info["branch"]
        if (full, branch) not in self.branches:
            return web.json_response({"message": "Branch not found"}, status=404)
        return web.json_response({"name": branch, "commit": {"sha": _commit(branch)}})

    async def _tree(self, request: web.Request) -> web.Response:
        full, commit = self._may(request), request.match_info["commit"]
        files = self._at(full, commit)
        tree = [
            {"path": path, "mode": "100644", "type": "blob", "sha": git(data), "size": len(data)}
            for path, data in files.items()
        ]
        tree.append({"path": "folder", "mode": "040000", "type": "tree", "sha": "0" * 40})
        tree.append({"path": "l.md", "mode": "120000", "type": "blob", "sha": "1" * 40, "size": 1})
        return web.json_response({"sha": commit, "tree": tree, "truncated": False})

    async def _blob(self, request: web.Request) -> web.Response:
        full, sha = self._may(request), request.match_info["sha"]
        assert "raw" in request.headers["Accept"]
        for (name, _), files in self.branches.items():
            for data in files.values():
                if name == full and git(data) == sha:
                    return web.Response(body=data)
        raise web.HTTPNotFound

    def _at(self, full: str, commit: str) -> Mapping[str, bytes]:
        for (name, branch), files in self.branches.items():
            if name == full and _commit(branch) == commit:
                return files
        raise web.HTTPNotFound


def _commit(branch: str) -> str:
    return hashlib.sha1(branch.encode(), usedforsecurity=False).hexdigest()


def _told(full: str) -> dict[str, Any]:
    number = int.from_bytes(full.encode()[-6:], "big")
    name = full.partition("/")[2]
    return {"id": number, "name": name, "full_name": full, "private": True}


def event(kind: str, body: dict[str, Any], secret: str = SECRET) -> tuple[bytes, dict[str, str]]:
    """An event as GitHub sends it: the body, and its headers."""
    data = json.dumps(body).encode()
    signature = hmac.new(secret.encode(), data, "sha256").hexdigest()
    headers = {"X-GitHub-Event": kind, "X-Hub-Signature-256": f"sha256={signature}"}
    return data, headers
