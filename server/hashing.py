"""Passwords are hashed in threads, a few at a time: each takes 64 MiB and a core for a while."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from hashlib import blake2b
from typing import TypeVar

from auth import passwords
from server.errors import Busy

KNOWN_MAX = 10_000
"""Passwords remembered as right, so that a client's next request costs no hash."""

_T = TypeVar("_T")


class Hashing:
    """Hashes and compares passwords off the event loop."""

    def __init__(self, *, at_once: int, waiting_max: int) -> None:
        self._slots = asyncio.Semaphore(at_once)
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="hashing")
        self._waiting_max = waiting_max
        self._waiting = 0
        self._known: dict[str, bytes] = {}
        self._key = secrets.token_bytes(32)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """The right to hash. Raises Busy where too many wait for it already."""
        if self._waiting >= self._waiting_max:
            raise Busy("too many passwords are being checked", 5)
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._slots.release()

    async def hash(self, secret: str) -> str:
        """The form to store. Take a slot before."""
        salt = secrets.token_bytes(passwords.SALT_BYTES)
        stored = await self._run(passwords.hash_password, secret, salt)
        self._remember(secret, stored)
        return stored

    async def verify(self, secret: str, stored: str) -> bool:
        """Whether the secret is the stored one. Take a slot before, unless it `is_known`."""
        found = await self._run(passwords.verify_password, secret, stored)
        if found:
            self._remember(secret, stored)
        return found

    def is_known(self, secret: str, stored: str) -> bool:
        """Whether this secret was found to be this stored one, lately and by this process."""
        known = self._known.get(stored)
        return known is not None and hmac.compare_digest(known, self._digest(secret))

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _remember(self, secret: str, stored: str) -> None:
        self._known[stored] = self._digest(secret)
        if len(self._known) > KNOWN_MAX:
            del self._known[next(iter(self._known))]

    def _digest(self, secret: str) -> bytes:
        return blake2b(secret.encode("utf-8", "surrogatepass"), key=self._key).digest()

    async def _run(self, work: Callable[..., _T], *arguments: object) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
