"""Codes of devices that wait to be let in (RFC 8628): made, approved, used once."""

from __future__ import annotations

from datetime import datetime

import msgspec

from storage.errors import reaching
from storage.pool import Pool


class DeviceCode(msgspec.Struct, frozen=True, kw_only=True):
    """A device that waits: all but its secret."""

    user_code: str
    """What the device shows, and somebody types."""
    client: str
    """How it calls itself; never a proof of anything."""
    address: str
    created_at: datetime
    expires_at: datetime
    polled_at: datetime | None
    """When it last asked, before this time."""
    account: str | None
    """Who approved it."""
    denied: bool


_COLUMNS = ", ".join(DeviceCode.__struct_fields__)
_ADD = """
INSERT INTO device_codes (digest, user_code, client, address, expires_at)
SELECT $1, $2, $3, $4, $5 WHERE (SELECT count(*) FROM device_codes) < $6
ON CONFLICT DO NOTHING RETURNING true
"""
_POLL = f"""
WITH before AS (SELECT {_COLUMNS}, digest FROM device_codes WHERE digest = $1 FOR UPDATE)
UPDATE device_codes d SET polled_at = $2 FROM before b WHERE d.digest = b.digest
RETURNING {", ".join(f"b.{name}" for name in DeviceCode.__struct_fields__)}
"""  # noqa: S608 (the names are ours)
_TAKE = """
DELETE FROM device_codes WHERE digest = $1 AND account IS NOT NULL AND NOT denied
AND expires_at > $2 RETURNING account
"""
_FIND = f"SELECT {_COLUMNS} FROM device_codes WHERE user_code = $1"  # noqa: S608
_SETTLE = """
UPDATE device_codes SET account = $2, denied = $3
WHERE user_code = $1 AND account IS NULL AND NOT denied AND expires_at > $4
"""
_SWEEP = """
DELETE FROM device_codes WHERE digest IN (
    SELECT digest FROM device_codes WHERE expires_at < $1 LIMIT $2
)
"""


class DeviceCodes:
    """The codes that wait. Every method may raise Unavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add(
        self,
        digest: bytes,
        user_code: str,
        *,
        client: str,
        address: str,
        until: datetime,
        most: int,
    ) -> bool:
        """Let a device wait; False where the code is taken, or `most` wait already."""
        with reaching():
            return bool(
                await self._pool.fetchval(_ADD, digest, user_code, client, address, until, most)
            )

    async def poll(self, digest: bytes, now: datetime) -> DeviceCode | None:
        """A device asks: what became of its code, as it stood before this question."""
        with reaching():
            row = await self._pool.fetchrow(_POLL, digest, now)
        return None if row is None else DeviceCode(**row)

    async def take(self, digest: bytes, now: datetime) -> str | None:
        """Use an approved code up; who approved it."""
        with reaching():
            account: str | None = await self._pool.fetchval(_TAKE, digest, now)
        return account

    async def forget(self, digest: bytes) -> None:
        """Forget a code."""
        with reaching():
            await self._pool.execute("DELETE FROM device_codes WHERE digest = $1", digest)

    async def find(self, user_code: str) -> DeviceCode | None:
        """The device that shows a code."""
        with reaching():
            row = await self._pool.fetchrow(_FIND, user_code)
        return None if row is None else DeviceCode(**row)

    async def settle(self, user_code: str, account: str, now: datetime, *, denied: bool) -> bool:
        """Approve or deny a device that waits; False where that was done, or it is too late."""
        with reaching():
            done = await self._pool.execute(_SETTLE, user_code, account, denied, now)
        return bool(done == "UPDATE 1")

    async def sweep(self, before: datetime, most: int) -> None:
        """Forget codes that ended before a moment."""
        with reaching():
            await self._pool.execute(_SWEEP, before, most)
