"""A whole server inside the test's own process, on a port of its own, and people who use it."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from auth.principal import Role
from auth.tokens import SKEW_S
from server.app import Server
from server.documents import DOCUMENTS, Documents
from server.files import FILES, Files
from server.metrics import METRICS, Metrics
from server.realtime.register import REALTIME, Realtime
from server.settings import Settings
from storage.accounts import Accounts
from storage.documents import DocumentRecord
from storage.documents import Documents as Store
from storage.grants import Grants
from storage.pool import Pool, close_pool, open_pool
from tests.clients import Visitor
from tests.databases import fresh_database
from tests.server.person import Person

__all__ = ["Guest", "Inside", "fresh_database", "serving"]

_numbers = itertools.count(1)


@dataclass
class Inside:
    """A running server and the parts of it that a test looks at or turns."""

    server: Server
    settings: Settings
    pool: Pool
    """A pool of the test's own on the server's database."""

    @property
    def app(self) -> web.Application:
        """The application."""
        assert self.server.app is not None
        return self.server.app

    @property
    def url(self) -> str:
        """Where it listens."""
        return self.server.address

    @property
    def metrics(self) -> Metrics:
        """Its counters."""
        return self.app[METRICS]

    @property
    def documents(self) -> Documents:
        """Its live documents."""
        return self.app[DOCUMENTS]

    @property
    def realtime(self) -> Realtime:
        """Its connections."""
        return self.app[REALTIME]

    @property
    def files(self) -> Files:
        """Its files."""
        return self.app[FILES]

    @property
    def store(self) -> Store:
        """The stored documents, as another process would change them."""
        return Store(self.pool)

    @property
    def grants(self) -> Grants:
        """Members and roles, likewise."""
        return Grants(self.pool)

    @property
    def accounts(self) -> Accounts:
        """Accounts, likewise."""
        return Accounts(self.pool)

    @asynccontextmanager
    async def visitor(self) -> AsyncIterator[Guest]:
        """Somebody with a fresh account."""
        async with Guest(self) as guest:
            await guest.log_in()
            yield guest

    async def record(self, guest: Guest, name: str) -> DocumentRecord:
        """A document of somebody's default workspace; it must be there."""
        record = await self.store.resolve(guest.workspace, name)
        assert record is not None
        return record


class Guest(Visitor):
    """A visitor with an account, a default workspace and an access token."""

    def __init__(self, inside: Inside) -> None:
        super().__init__(inside.url)
        self.inside = inside
        self.person = Person()

    async def log_in(self) -> Guest:
        """Make the account, or log in again."""
        await self.person.log_in(self.http)  # type: ignore[arg-type]
        self.token = self.person.access
        return self

    @property
    def account(self) -> str:
        """The account's id."""
        return self.person.account

    @property
    def workspace(self) -> str:
        """The default workspace's id."""
        return self.person.workspace

    def ending_token(self, in_s: float) -> str:
        """An access token of the same login that stops holding in so many seconds (whole ones)."""
        tokens = self.inside.realtime.tokens
        family = tokens.verify(self.token, time.time()).fam
        assert family is not None
        return tokens.mint_access(
            account=self.account,
            family=family,
            now=time.time() + in_s - SKEW_S - 60,
            lifetime_s=60,
            random_bytes=os.urandom(16),
        )

    async def ending_document_token(self, name: str, in_s: float, role: Role = Role.EDITOR) -> str:
        """A document token that stops holding in so many seconds."""
        await self.post("/doc/new", json={"docId": name})
        record = await self.inside.record(self, name)
        return self.inside.realtime.tokens.mint_document(
            account=self.account,
            document=record.id,
            scope=record.scope,
            name=record.name,
            role=role,
            now=time.time() + in_s - SKEW_S - 60,
            lifetime_s=60,
            random_bytes=os.urandom(16),
        )

    async def document_token(self, name: str, authorization: str = "full", **more: Any) -> str:
        """A token for one document, which is made if it is new."""
        status, made, _ = await self.post("/doc/new", json={"docId": name})
        assert status == 200, made
        body = {"authorization": authorization, **more}
        status, answer, _ = await self.post(f"/doc/{name}/auth", json=body)
        assert status == 200, answer
        return str(answer["token"])


@asynccontextmanager
async def serving(database: str, folder: Path, **changes: Any) -> AsyncIterator[Inside]:
    """A server with some settings of its own, from start to stop."""
    given = {
        "port": 0,
        "data": folder / f"data-{next(_numbers)}",
        "database_url": database,
        "shutdown_grace_s": 0.1,
        "login_attempts_per_minute": 100_000,
        **{
            f"difflog_{what}_per_minute": 100_000
            for what in ("creations", "reads", "codes", "relays")
        },
        "name": "Test",
    }
    settings = Settings(**(given | changes))
    server = Server(settings)
    await server.start()
    pool = await open_pool(database, connections_max=4)
    try:
        yield Inside(server, settings, pool)
    finally:
        await server.stop()
        await close_pool(pool)
