"""Everything about who is asking, put together: keys, tokens, accounts, rights, and their watch.

The composition root makes one `Identity`, lets it `install` what routes look up, awaits `start`
(which begins to watch and to clear away), tells `hosts.listening_on(port)`, awaits `greet` (which
prints the setup code where one is needed) once the port is ours, and `stop` at the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import time
from collections.abc import Callable

from aiohttp import web

from auth.links import Links as Signed
from auth.personal import CLI_PREFIX
from auth.registration import setup_code
from auth.tokens import Tokens
from server.hosts import HOSTS, Hosts
from server.http import BODY_S
from server.identify import IDENTIFY, Identify
from server.keyring import Keyring, open_keyring
from server.limits import LIMITS, Limit
from server.logins import Logins
from server.rights import RIGHTS, Rights
from server.settings import Settings
from server.watch import Watch
from storage.access_tokens import AccessTokens
from storage.accounts import Accounts
from storage.credentials import Credentials
from storage.devices import Devices
from storage.documents import Documents
from storage.errors import StorageError
from storage.grants import Grants
from storage.links import Links
from storage.members import Members
from storage.pool import Pool
from storage.usage import Usages

log = logging.getLogger("plait.identity")

SWEEP_S = 60.0
"""Seconds between two clearings of expired credentials and unused memory."""


class Identity:
    """The part of a server that knows people."""

    def __init__(
        self,
        settings: Settings,
        pool: Pool,
        documents: Documents,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.keyring: Keyring = open_keyring(settings)
        self.hosts = Hosts(settings)
        self._keep_in(pool)
        self.cookies = Signed(self.keyring.signing, "session")
        self.tokens = _tokens_of(self.keyring)
        self.watch = Watch(self.grants.moved, period_s=settings.rights_poll_s)
        self.limits = _limits_of(settings)
        self.identify = Identify(
            tokens=self.tokens,
            cookies=self.cookies,
            credentials=self.credentials,
            personal=self.personal,
            links=self.links,
            watch=self.watch,
            hosts=self.hosts,
            entries_max=settings.rights_cache_max,
            clock=clock,
        )
        self.rights = Rights(
            identify=self.identify,
            grants=self.grants,
            documents=documents,
            watch=self.watch,
            entries_max=settings.rights_cache_max,
            clock=clock,
        )
        self.logins = Logins(
            settings=settings,
            keyring=self.keyring,
            hosts=self.hosts,
            tokens=self.tokens,
            cookies=self.cookies,
            accounts=self.accounts,
            credentials=self.credentials,
            clock=clock,
        )
        self._tasks: list[asyncio.Task[None]] = []

    def _keep_in(self, pool: Pool) -> None:
        """Where all that lasts is stored."""
        self.accounts = Accounts(pool)
        self.devices = Devices(pool)
        self.credentials = Credentials(pool)
        self.personal = AccessTokens(pool)
        self.links = Links(pool)
        self.members = Members(pool)
        self.grants = Grants(pool)
        self.usages = Usages(pool)

    def install(self, app: web.Application) -> None:
        """Put into an application what its routes look up."""
        app[IDENTITY] = self
        app[HOSTS] = self.hosts
        app[IDENTIFY] = self.identify
        app[RIGHTS] = self.rights
        app[LIMITS] = self.limits
        app[BODY_S] = self.settings.request_body_s

    async def start(self) -> None:
        """Look at all versions once, then keep looking."""
        await self.watch.look()
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self.watch.run(), name="watch rights"),
            loop.create_task(self._sweep(), name="sweep credentials"),
        ]

    async def greet(self) -> None:
        """Say how to become the administrator, while there is none."""
        if self._needs_code() and not await self.accounts.has_administrator():
            code = setup_code(self.keyring.signing)
            sys.stderr.write(
                f"This server has no administrator yet. Log in with the setup code {code}\n"
                "(field setup_code of the login) to become it.\n"
            )
            sys.stderr.flush()

    async def stop(self) -> None:
        """End what runs in the background."""
        await self.identify.uses.close()
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._tasks = []

    async def take_in(self) -> None:
        """Look at once: a right was changed here, and whoever did it goes on with what is so now.

        Other nodes look within a second; where the database is away by now, so does this one.
        """
        with contextlib.suppress(StorageError):
            await self.watch.look()

    async def sweep(self) -> None:
        """Remove what has expired from the database, and from memory what nobody uses."""
        self.identify.prune()
        self.rights.prune()
        most = self.settings.sweep_rows_max
        pending_s = self.settings.accounts_pending_s
        removed = most
        while removed >= most:
            removed = await self.credentials.sweep(self.clock(), pending_s=pending_s, most=most)
        idle_since = self.clock() - self.settings.cli_token_idle_s
        await self.personal.end_idle(CLI_PREFIX, idle_since, most)
        for store in (self.personal, self.links, self.members):
            await store.sweep(self.clock(), most)

    def _needs_code(self) -> bool:
        return not self.settings.is_loopback() or self.settings.registration == "closed"

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            try:
                await self.sweep()
            except StorageError as error:
                log.warning("expired credentials are not removed yet: %s", error)


IDENTITY = web.AppKey("identity", Identity)


def _tokens_of(keys: Keyring) -> Tokens:
    """Tokens of these keys; those of the keys before them hold too."""
    before = [key.public for key in keys.signing.others]
    return Tokens(keys.signing, keys.identity.public_text, before, keys.audiences)


def _limits_of(settings: Settings) -> dict[str, Limit]:
    """How often an address, or an account, may ask for what."""
    return {
        "auth": Limit(settings.login_attempts_per_minute, time.monotonic),
        "address": Limit(settings.requests_per_address_per_minute, time.monotonic),
        "account": Limit(settings.requests_per_account_per_minute, time.monotonic),
    }
