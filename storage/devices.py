"""The devices of accounts: each has a key of its own, with which it logs in."""

from datetime import datetime

import msgspec

from storage.accounts import BUMP, LOCK
from storage.errors import reaching
from storage.pool import Pool, transaction


class Key(msgspec.Struct, frozen=True):
    """One device of an account."""

    key: bytes
    device: str
    label: str
    created_at: datetime


_ADD = """
INSERT INTO account_keys (key, account, device, label) SELECT $1, $2, $3, $4
WHERE (SELECT count(*) FROM account_keys WHERE account = $2) < $5
ON CONFLICT (key) DO NOTHING
"""
_FORGET_PENDING = """
DELETE FROM accounts a USING account_keys k
WHERE k.key = $1 AND a.id = k.account AND a.state = 'pending' RETURNING a.default_workspace
"""
_REMOVE = """
DELETE FROM account_keys WHERE account = $1 AND device = $2
AND (SELECT count(*) FROM account_keys WHERE account = $1) > 1
"""
_RENAME = "UPDATE account_keys SET label = $3 WHERE account = $1 AND device = $2"
_OF = """
SELECT key, device, label, created_at FROM account_keys WHERE account = $1
ORDER BY created_at, device
"""
_OF_ALL = """
SELECT account, key FROM account_keys WHERE account = ANY ($1) ORDER BY created_at, device
"""


class Devices:
    """The keys in the database. All methods raise Unavailable when it cannot be reached."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add(self, account: str, key: bytes, device: str, label: str, most: int) -> bool:
        """Give an account one more key; False when the key is taken or there are `most` already.

        A key that asked for an account of its own, which nobody has approved, asks no more.
        """
        with reaching():
            async with transaction(self._pool) as connection:
                await connection.fetch(LOCK, account)
                empty = await connection.fetch(_FORGET_PENDING, key)
                homes = [row["default_workspace"] for row in empty]
                await connection.execute("DELETE FROM scopes WHERE id = ANY ($1)", homes)
                done = await connection.execute(_ADD, key, account, device, label, most)
        return done == "INSERT 0 1"

    async def remove(self, account: str, device: str) -> bool:
        """Take a key away, and every login that was made with it; never the last key."""
        with reaching():
            async with transaction(self._pool) as connection:
                await connection.fetch(LOCK, account)
                done = await connection.execute(_REMOVE, account, device)
                await connection.execute(BUMP, account)
        return done != "DELETE 0"

    async def rename(self, account: str, device: str, label: str) -> bool:
        """Give a device a name; False where the account has none of that id."""
        with reaching():
            done = await self._pool.execute(_RENAME, account, device, label)
        return bool(done != "UPDATE 0")

    async def of(self, account: str) -> list[Key]:
        """The devices of an account, oldest first."""
        with reaching():
            rows = await self._pool.fetch(_OF, account)
        return [Key(*row) for row in rows]

    async def of_all(self, accounts: list[str]) -> dict[str, list[bytes]]:
        """The keys of some accounts, the oldest first."""
        with reaching():
            rows = await self._pool.fetch(_OF_ALL, accounts)
        found: dict[str, list[bytes]] = {account: [] for account in accounts}
        for row in rows:
            found[row["account"]].append(row["key"])
        return found
