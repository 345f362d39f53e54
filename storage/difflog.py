"""What difflog keeps outside its documents: passwords and their lock-out, keys, codes, addresses.

A profile is its row here: it is made by the row's insertion, changes its password by the row's
change of document, and is gone with the row. A document that no row names is of no use any more.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from storage.documents import DocumentRecord
from storage.errors import reaching
from storage.pool import Pool, transaction

KIND = "difflog"
"""Of scopes and documents."""


class Secrets(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored of a password and of what it protects."""

    password_hash: str
    """The stored form, never what the client sent."""
    password_salt: str | None
    encrypted_api_key: str
    salt: str
    keys_hash: str | None


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """One profile's row, and its document."""

    id: str
    secrets: Secrets
    failures: int
    failed_at: datetime | None
    locked_until: datetime | None
    document: DocumentRecord


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What an attempt to show the password leaves behind."""

    failures: int = 0
    failed_at: datetime | None = None
    locked_until: datetime | None = None
    password_hash: str
    password_salt: str | None


_DOCUMENT = DocumentRecord.__struct_fields__
_SECRETS = Secrets.__struct_fields__
_FIND = f"""
SELECT p.id, p.failures, p.failed_at, p.locked_until,
       {", ".join(f"p.{name}" for name in _SECRETS)},
       {", ".join(f"d.{name} AS d_{name}" for name in _DOCUMENT)}
FROM difflog_profiles p JOIN documents d ON d.id = p.document WHERE p.id = $1
"""  # noqa: S608  (the names are ours)
_HOLD = _FIND + " FOR UPDATE OF p"
_CREATE_SCOPE = "INSERT INTO scopes (id, kind) VALUES ($1, 'difflog')"
_INSERT = """
INSERT INTO difflog_profiles
    (id, document, password_hash, password_salt, encrypted_api_key, salt, keys_hash)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING RETURNING true
"""
_JUDGED = """
UPDATE difflog_profiles SET failures = $2, failed_at = $3, locked_until = $4, password_hash = $5,
    password_salt = $6
WHERE id = $1
"""
_REPLACE = """
UPDATE difflog_profiles SET password_hash = $2, password_salt = $3, encrypted_api_key = $4,
    salt = $5, keys_hash = $6, document = $7
WHERE id = $1 AND document = $8 RETURNING true
"""
_SET_SECRETS = """
UPDATE difflog_profiles SET password_hash = $2, password_salt = $3, encrypted_api_key = $4,
    salt = $5, keys_hash = $6
WHERE id = $1
"""
_KEYS = """
UPDATE difflog_profiles SET encrypted_api_key = coalesce($2, encrypted_api_key),
    keys_hash = coalesce($3, keys_hash)
WHERE id = $1
"""
_DELETE = """
WITH gone AS (DELETE FROM difflog_profiles WHERE id = $1 AND document = $2 RETURNING document)
UPDATE scopes SET deleted_at = now(), rights_version = rights_version + 1
WHERE id = (SELECT scope FROM documents WHERE id = (SELECT document FROM gone)) RETURNING true
"""
_END_SCOPE = "UPDATE scopes SET deleted_at = now() WHERE id = $1"
_PUBLISH = """
INSERT INTO difflog_public (diff, profile) SELECT unnest($2::text[]), $1 ON CONFLICT DO NOTHING
"""
_TRIM = """
DELETE FROM difflog_public WHERE diff IN (
    SELECT diff FROM difflog_public WHERE profile = $1 ORDER BY at DESC, diff OFFSET $2
)
"""
_PUBLISHER = "SELECT profile FROM difflog_public WHERE diff = $1"
_CLEAR_CODES = "DELETE FROM difflog_codes WHERE expires_at <= now()"
_PUT_CODE = """
INSERT INTO difflog_codes (kind, code, value, expires_at)
SELECT $1, $2, $3, now() + make_interval(secs => $4)
WHERE (SELECT count(*) FROM difflog_codes WHERE kind = $1) < $5
ON CONFLICT (kind, code) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at
WHERE $6 RETURNING true
"""
_PEEK_CODE = """
SELECT value FROM difflog_codes WHERE kind = $1 AND code = $2 AND expires_at > now()
"""
_TAKE_CODE = """
DELETE FROM difflog_codes WHERE kind = $1 AND code = $2 AND expires_at > now() RETURNING value
"""


class Difflog:
    """Profiles and codes. Every method may raise Unavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, profile: str) -> Profile | None:
        """The profile of that id, which may be any text."""
        if not _is_storable(profile):
            return None
        with reaching():
            row = await self._pool.fetchrow(_FIND, profile)
        return None if row is None else _profile(dict(row))

    async def judge(
        self, profile: str, judge: Callable[[Profile], Awaitable[Outcome | None]]
    ) -> Profile | None:
        """Let `judge` look at the row while nobody else can, and keep what it makes of it.

        So many guesses at once are counted like as many one after the other. The profile as it was
        before; None where there is none (any more).
        """
        with reaching():
            async with transaction(self._pool) as connection:
                row = await connection.fetchrow(_HOLD, profile)
                if row is None:
                    return None
                found = _profile(dict(row))
                outcome = await judge(found)
                if outcome is not None:
                    await connection.execute(
                        _JUDGED,
                        profile,
                        outcome.failures,
                        outcome.failed_at,
                        outcome.locked_until,
                        outcome.password_hash,
                        outcome.password_salt,
                    )
                return found

    async def create_scope(self, scope: str) -> None:
        """A scope for the documents of one profile."""
        with reaching():
            await self._pool.execute(_CREATE_SCOPE, scope)

    async def insert(self, profile: str, document: UUID, secrets: Secrets) -> bool:
        """Make the profile; False where there is one of that id already."""
        values = [getattr(secrets, name) for name in _SECRETS]
        with reaching():
            return bool(await self._pool.fetchval(_INSERT, profile, document, *values))

    async def replace(self, profile: Profile, secrets: Secrets, document: UUID) -> bool:
        """Give a profile new secrets, and the document that they open, at one moment.

        False, and nothing is changed, where somebody else did so before.
        """
        values = [getattr(secrets, name) for name in _SECRETS]
        with reaching():
            return bool(
                await self._pool.fetchval(
                    _REPLACE, profile.id, *values, document, profile.document.id
                )
            )

    async def set_secrets(self, profile: str, secrets: Secrets) -> None:
        """Give a profile new secrets that open the same content."""
        values = [getattr(secrets, name) for name in _SECRETS]
        with reaching():
            await self._pool.execute(_SET_SECRETS, profile, *values)

    async def set_keys(self, profile: str, api_key: str | None, keys_hash: str | None) -> None:
        """Replace the ciphertext of the keys, and their hash; None leaves it."""
        with reaching():
            await self._pool.execute(_KEYS, profile, api_key, keys_hash)

    async def delete(self, profile: Profile) -> bool:
        """Remove a profile; its document is the caller's to purge. False where it went before."""
        with reaching():
            return bool(await self._pool.fetchval(_DELETE, profile.id, profile.document.id))

    async def end_scope(self, scope: str) -> None:
        """A scope that no profile came to live in."""
        with reaching():
            await self._pool.execute(_END_SCOPE, scope)

    # -- public diffs -------------------------------------------------------------------

    async def publish(self, profile: str, diffs: Sequence[str], most: int) -> None:
        """Give diffs their public address, unless somebody has it; the `most` newest are kept."""
        with reaching():
            async with transaction(self._pool) as connection:
                await connection.execute(_PUBLISH, profile, sorted(set(diffs)))
                await connection.execute(_TRIM, profile, most)

    async def publisher(self, diff: str) -> Profile | None:
        """The profile whose diff stands at a public address, which may be any text."""
        if not _is_storable(diff):
            return None
        with reaching():
            profile = await self._pool.fetchval(_PUBLISHER, diff)
        return None if profile is None else await self.find(profile)

    # -- codes --------------------------------------------------------------------------

    async def put_code(
        self, kind: str, code: str, value: str, *, seconds: float, most: int, over: bool
    ) -> bool:
        """Keep a value under a code for a while; `over` what stands there, or not.

        False where something stands there, or where `most` of the kind are kept.
        """
        with reaching():
            await self._pool.execute(_CLEAR_CODES)
            return bool(
                await self._pool.fetchval(_PUT_CODE, kind, code, value, seconds, most, over)
            )

    async def peek_code(self, kind: str, code: str) -> str | None:
        """What is kept under a code, which may be any text."""
        if not _is_storable(code):
            return None
        with reaching():
            found: str | None = await self._pool.fetchval(_PEEK_CODE, kind, code)
        return found

    async def take_code(self, kind: str, code: str) -> str | None:
        """The same; of however many callers one gets it."""
        if not _is_storable(code):
            return None
        with reaching():
            found: str | None = await self._pool.fetchval(_TAKE_CODE, kind, code)
        return found


def _is_storable(text: str) -> bool:
    """Whether a column of text can hold it: what comes in a path is not checked by any schema."""
    return "\0" not in text and text.encode("utf-8", "replace").decode() == text


def _profile(row: dict[str, object]) -> Profile:
    return Profile(
        id=str(row["id"]),
        secrets=Secrets(**{name: row[name] for name in _SECRETS}),  # type: ignore[arg-type]
        failures=row["failures"],  # type: ignore[arg-type]
        failed_at=row["failed_at"],  # type: ignore[arg-type]
        locked_until=row["locked_until"],  # type: ignore[arg-type]
        document=DocumentRecord(**{name: row[f"d_{name}"] for name in _DOCUMENT}),  # type: ignore[arg-type]
    )
