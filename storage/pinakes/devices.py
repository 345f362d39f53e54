"""Devices of people who sync libraries: what they are called, their tokens, how far they are."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from storage.errors import reaching
from storage.pool import Pool, transaction

SEEN_EVERY = timedelta(seconds=10)
"""How exactly it is known when a device was last seen."""


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """One device."""

    id: UUID
    account: str
    name: str
    device_type: str
    client_version: str | None
    os_info: str | None
    enabled: bool
    sync_cursor: int
    last_sync_at: datetime | None
    last_seen_at: datetime | None
    created_at: datetime
    updated_at: datetime


def _sql(text: str) -> str:
    return text.replace("DEVICE", ", ".join(Device.__struct_fields__))


_LOCK = "SELECT 1 FROM accounts WHERE id = $1 FOR NO KEY UPDATE"
_COUNT = "SELECT count(*) FROM pinakes_devices WHERE account = $1"
_ADD = _sql("""
INSERT INTO pinakes_devices (id, account, name, device_type, client_version, os_info, token)
VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING DEVICE
""")
_LIST = _sql("""
SELECT DEVICE FROM pinakes_devices WHERE account = $1 ORDER BY created_at, id
""")
_BY_ID = _sql("SELECT DEVICE FROM pinakes_devices WHERE id = $1")
_BY_TOKEN = _sql("SELECT DEVICE FROM pinakes_devices WHERE token = $1")
_UPDATE = _sql("""
UPDATE pinakes_devices SET
    name = coalesce($2, name), device_type = coalesce($3, device_type),
    client_version = CASE WHEN $4 THEN $5 ELSE client_version END,
    os_info = CASE WHEN $6 THEN $7 ELSE os_info END,
    enabled = coalesce($8, enabled), updated_at = now()
WHERE id = $1 RETURNING DEVICE
""")
_SET_TOKEN = _sql("""
UPDATE pinakes_devices SET token = $2, updated_at = now() WHERE id = $1 RETURNING DEVICE
""")
_DELETE = "DELETE FROM pinakes_devices WHERE id = $1 RETURNING true"
_DELETE_PENDING = "DELETE FROM pinakes_pending WHERE device = $1"
_SEEN = """
UPDATE pinakes_devices SET last_seen_at = now()
WHERE id = $1 AND (last_seen_at IS NULL OR last_seen_at < now() - $2::interval)
"""
_ACK = """
UPDATE pinakes_devices SET sync_cursor = greatest(sync_cursor, $2), last_sync_at = now(),
    last_seen_at = now()
WHERE id = $1 RETURNING sync_cursor
"""


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """What is to change of a device: what is left out stays, None says nothing."""

    name: str | None = None
    device_type: str | None = None
    client_version: str | msgspec.UnsetType | None = msgspec.UNSET
    os_info: str | msgspec.UnsetType | None = msgspec.UNSET
    enabled: bool | None = None


class Devices:
    """All devices. Every method may raise Unavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add(
        self, device: UUID, account: str, said: Changed, token: bytes, most: int
    ) -> Device | None:
        """Register a device; None where the account has as many as it may."""
        with reaching():
            async with transaction(self._pool) as connection:
                await connection.execute(_LOCK, account)
                if await connection.fetchval(_COUNT, account) >= most:
                    return None
                row = await connection.fetchrow(
                    _ADD,
                    device,
                    account,
                    said.name,
                    said.device_type,
                    said.client_version or None,
                    said.os_info or None,
                    token,
                )
        assert row is not None
        return Device(**row)

    async def of_account(self, account: str) -> list[Device]:
        """An account's devices, oldest first."""
        with reaching():
            return [Device(**row) for row in await self._pool.fetch(_LIST, account)]

    async def find(self, device: UUID) -> Device | None:
        """A device of anybody's."""
        return await self._one(_BY_ID, device)

    async def by_token(self, token: bytes) -> Device | None:
        """The device whose token has this SHA-256."""
        return await self._one(_BY_TOKEN, token)

    async def update(self, device: UUID, said: Changed) -> Device | None:
        """Change what is said of a device; None where it went meanwhile."""
        return await self._one(
            _UPDATE,
            device,
            said.name,
            said.device_type,
            said.client_version is not msgspec.UNSET,
            said.client_version or None,
            said.os_info is not msgspec.UNSET,
            said.os_info or None,
            said.enabled,
        )

    async def set_token(self, device: UUID, token: bytes) -> Device | None:
        """Give a device another token: the old one opens nothing any more."""
        return await self._one(_SET_TOKEN, device, token)

    async def delete(self, device: UUID) -> bool:
        """Forget a device and what it promised to send; whether it was there."""
        with reaching():
            async with transaction(self._pool) as connection:
                gone = bool(await connection.fetchval(_DELETE, device))
                await connection.execute(_DELETE_PENDING, device)
        return gone

    async def seen(self, device: UUID) -> None:
        """A device asked for something."""
        with reaching():
            await self._pool.execute(_SEEN, device, SEEN_EVERY)

    async def acknowledge(self, device: UUID, cursor: int) -> int | None:
        """A device has everything up to a cursor: forward only. Where it is now."""
        with reaching():
            found: int | None = await self._pool.fetchval(_ACK, device, cursor)
        return found

    async def _one(self, sql: str, *values: object) -> Device | None:
        with reaching():
            row = await self._pool.fetchrow(sql, *values)
        return None if row is None else Device(**row)
