"""Uploads of this API: found by their id alone, given up, and what became of them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from storage.errors import reaching
from storage.pinakes import KIND
from storage.pinakes.writing import Writing
from storage.pool import Pool
from storage.uploads import Upload


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """What an upload is besides."""

    upload: str
    device: UUID
    created_at: datetime
    touched_at: datetime
    """Its expiry counts from here."""
    failed: bool
    published_at: datetime | None
    published_hash: bytes | None
    conflict: UUID | None


_BEGIN = """
INSERT INTO pinakes_sessions (upload, device) VALUES ($1, $2)
ON CONFLICT (upload) DO UPDATE SET device = excluded.device, failed = false
"""
_UPLOAD = Upload.__struct_fields__
_FIND = f"""
SELECT s.upload, s.device, s.created_at, u.touched_at, s.failed, s.published_at, s.published_hash,
       s.conflict, {", ".join(f"u.{name} AS u_{name}" for name in _UPLOAD)}
FROM uploads u JOIN pinakes_sessions s ON s.upload = u.id
WHERE u.id = $1 AND u.account = $2 AND u.kind = '{KIND}'
  AND u.touched_at >= now() - make_interval(secs => $3)
"""  # noqa: S608  (the names are ours)
_FAILED = "UPDATE pinakes_sessions SET failed = $2 WHERE upload = $1 AND failed <> $2"
_LOCK = """
SELECT published_at IS NOT NULL AS is_published FROM pinakes_sessions WHERE upload = $1 FOR UPDATE
"""
_PUBLISHED = """
UPDATE pinakes_sessions SET published_at = now(), published_hash = $2, conflict = $3,
    failed = false
WHERE upload = $1
"""
_UNPUBLISHED = """
SELECT s.upload, u.account FROM pinakes_sessions s JOIN uploads u ON u.id = s.upload
WHERE s.published_at IS NULL AND u.completed_at < $1 ORDER BY u.completed_at LIMIT 100
"""

_EXPIRED = f"""
SELECT {", ".join(_UPLOAD)} FROM uploads
WHERE kind = '{KIND}' AND completed_at IS NULL AND touched_at < now() - make_interval(secs => $1)
  AND ($2::text IS NULL OR account = $2 AND target = $3) LIMIT 100
"""  # noqa: S608  (the names are ours)


class Sessions:
    """All uploads of libraries. Every method may raise Unavailable."""

    def __init__(self, pool: Pool, expiry_s: float) -> None:
        self._pool = pool
        self._expiry_s = expiry_s

    async def begin(self, upload: str, device: UUID) -> None:
        """An upload was begun, or is gone on with, for a device."""
        with reaching():
            await self._pool.execute(_BEGIN, upload, device)

    async def find(self, account: str, upload: str) -> tuple[Upload, Session] | None:
        """Somebody's upload of this id, unless nothing came for too long."""
        with reaching():
            row = await self._pool.fetchrow(_FIND, upload, account, self._expiry_s)
        if row is None:
            return None
        found = Upload(**{name: row[f"u_{name}"] for name in _UPLOAD})
        return found, Session(**{name: row[name] for name in Session.__struct_fields__})

    async def expired(self, account: str | None = None, target: str = "") -> list[Upload]:
        """Uploads with which nobody went on for too long: all of them, or somebody's for a path."""
        with reaching():
            rows = await self._pool.fetch(_EXPIRED, self._expiry_s, account, target)
        return [Upload(**row) for row in rows]

    async def set_failed(self, upload: str, *, failed: bool) -> None:
        """Its bytes were not those that were announced; or another of them came since."""
        with reaching():
            await self._pool.execute(_FAILED, upload, failed)

    async def unpublished(self, before: datetime) -> list[tuple[str, str]]:
        """Uploads that were complete before a moment and never became files, with accounts."""
        with reaching():
            return [tuple(row) for row in await self._pool.fetch(_UNPUBLISHED, before)]


async def lock(library: Writing, upload: str) -> bool:
    """Whether an upload still has to become a file; nobody else makes one of it meanwhile."""
    row = await library.connection.fetchrow(_LOCK, upload)
    return row is not None and not row["is_published"]


async def published(
    library: Writing, upload: str, digest: bytes | None, conflict: UUID | None
) -> None:
    """It became a file with this content, or a conflict."""
    await library.connection.execute(_PUBLISHED, upload, digest, conflict)
