"""Somebody with a key who logs in, as a client of the API does it."""

import base64
import itertools
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient
from nacl.signing import SigningKey

from auth.keys import encode_base58

Client = TestClient[web.Request, web.Application]

_numbers = itertools.count(1)


class Clock:
    """The time of day in epoch seconds, moved by hand."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


class Person:
    """A key, and the last pair of tokens that it logged in with."""

    def __init__(self) -> None:
        self._key = SigningKey(next(_numbers).to_bytes(32))
        self.public = bytes(self._key.verify_key)
        self.public_key = encode_base58(self.public)
        self.access = ""
        self.refresh = ""
        self.reply: dict[str, Any] = {}

    @property
    def bearer(self) -> dict[str, str]:
        """The header that shows the access token."""
        return {"Authorization": f"Bearer {self.access}"}

    @property
    def account(self) -> str:
        """The account's id."""
        return str(self.reply["user_id"])

    @property
    def workspace(self) -> str:
        """The id of the workspace that came with the account."""
        return str(self.reply["workspace_id"])

    def sign(self, text: str) -> str:
        """The signature over a text, in one of the forms that clients use."""
        return base64.b64encode(self._key.sign(text.encode()).signature).decode()

    async def challenge(self, client: Client) -> str:
        """A challenge of the server."""
        response = await client.post(
            "/api/auth/create_session", json={"public_key": self.public_key}
        )
        assert response.status == 200, await response.text()
        return str((await response.json())["challenge"])

    async def attempt(self, client: Client, **more: Any) -> tuple[int, dict[str, Any]]:
        """Try to log in; status and body."""
        message = await self.challenge(client)
        body = {
            "public_key": self.public_key,
            "message": message,
            "signature": self.sign(message),
            **more,
        }
        response = await client.post("/api/auth/verify_session", json=body)
        return response.status, await response.json()

    async def log_in(self, client: Client, **more: Any) -> "Person":
        """Log in, which must succeed, and keep the tokens."""
        status, self.reply = await self.attempt(client, **more)
        assert status == 200, self.reply
        self.access = self.reply["accessToken"]
        self.refresh = self.reply["refreshToken"]
        return self

    async def me(self, client: Client) -> int:
        """The status of asking who one is: whether the access token is good."""
        response = await client.post("/api/me", headers=self.bearer)
        await response.read()
        return response.status
