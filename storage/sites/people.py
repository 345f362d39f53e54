"""The names that people chose for themselves."""

from __future__ import annotations

import asyncpg
import msgspec

from storage.errors import reaching
from storage.extracts import storable
from storage.pool import Pool


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """An account as the addresses of its sites show it."""

    id: str
    username: str
    """Empty until one is chosen."""
    name: str
    email_hint: str
    is_admin: bool


_FIND = "SELECT id, username, name, email_hint, is_admin FROM accounts WHERE id = $1"
_CHANGE = """
UPDATE accounts SET username = coalesce($2, username), name = coalesce($3, name) WHERE id = $1
"""


class Profiles:
    """Names of accounts. Every method may raise Unavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, account: str) -> Profile | None:
        """Who an account is."""
        with reaching():
            row = await self._pool.fetchrow(_FIND, account)
        return None if row is None else Profile(**row)

    async def change(self, account: str, username: str | None, name: str | None) -> bool:
        """Set what is given; False where somebody else has that username, in any case."""
        with reaching():
            try:
                shown = None if name is None else storable(name)
                await self._pool.execute(_CHANGE, account, username, shown)
            except asyncpg.UniqueViolationError:
                return False
        return True
