"""Personal access tokens in the database: made, found by digest, listed, revoked, marked as used.

Revoking one moves the account's version in the same transaction, so that what is open with it ends
on every node within two seconds.
"""

import msgspec

from storage.accounts import BUMP, LOCK
from storage.credentials import Standing
from storage.errors import reaching
from storage.pool import Pool, transaction


class AccessToken(msgspec.Struct, frozen=True, kw_only=True):
    """One token as its owner may see it: all but the secret. Times are epoch seconds."""

    id: str
    account: str
    name: str
    prefix: str
    scopes: list[str]
    created_at: float
    expires_at: float | None
    used_at: float | None
    """When it was last used, to a minute; None: never."""


_TOKENS = """
SELECT id, account, name, prefix, scopes, extract(epoch FROM created_at)::float8 AS created_at,
extract(epoch FROM expires_at)::float8 AS expires_at,
extract(epoch FROM used_at)::float8 AS used_at
FROM access_tokens
"""
_FIND = f"{_TOKENS} WHERE digest = $1"
_LISTED = f"{_TOKENS} WHERE account = $1 ORDER BY created_at DESC, id DESC"
_ADD = """
INSERT INTO access_tokens (id, account, digest, name, prefix, scopes, created_at, expires_at)
SELECT $1, $2, $3, $4, $5, $6, to_timestamp($7), to_timestamp($8)
WHERE (SELECT count(*) FROM access_tokens WHERE account = $2
       AND (expires_at IS NULL OR expires_at > to_timestamp($7))) < $9
"""
_OWNER = "SELECT account FROM access_tokens WHERE id = $1"
_REVOKE = "DELETE FROM access_tokens WHERE account = $1 AND ($2::text IS NULL OR id = $2)"
_USED = """
UPDATE access_tokens t SET used_at = to_timestamp(u.at)
FROM unnest($1::text[], $2::float8[]) AS u (id, at)
WHERE t.id = u.id AND (t.used_at IS NULL OR t.used_at < to_timestamp(u.at))
"""
_STANDING = """
SELECT a.state = 'active' AND t.id IS NOT NULL AS is_live, false AS is_admin,
       a.default_workspace, NULL AS device, a.auth_version
FROM accounts a LEFT JOIN access_tokens t ON t.id = $2 AND t.account = a.id WHERE a.id = $1
"""
_SWEEP = """
DELETE FROM access_tokens WHERE id IN (
    SELECT id FROM access_tokens WHERE expires_at < to_timestamp($1) LIMIT $2
)
"""
_IDLE = """
WITH gone AS (
    DELETE FROM access_tokens WHERE id IN (
        SELECT id FROM access_tokens WHERE prefix = $1
        AND coalesce(used_at, created_at) < to_timestamp($2) LIMIT $3
    ) RETURNING account
)
UPDATE accounts SET auth_version = auth_version + 1 WHERE id IN (SELECT account FROM gone)
"""
KEPT_S = 30 * 86_400.0
"""Seconds for which a token that has ended is still listed."""


class AccessTokens:
    """The tokens in the database. All methods raise Unavailable when it cannot be reached."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add(self, token: AccessToken, digest: bytes, most: int) -> bool:
        """Store a new token; False when its account is closed or has `most` that are good."""
        with reaching():
            async with transaction(self._pool) as connection:
                if await connection.fetchval(LOCK, token.account) != "active":
                    return False
                done = await connection.execute(
                    _ADD,
                    token.id,
                    token.account,
                    digest,
                    token.name,
                    token.prefix,
                    token.scopes,
                    token.created_at,
                    token.expires_at,
                    most,
                )
        return bool(done == "INSERT 0 1")

    async def find(self, digest: bytes) -> AccessToken | None:
        """The token with that digest, whatever it is worth."""
        with reaching():
            row = await self._pool.fetchrow(_FIND, digest)
        return None if row is None else AccessToken(**row)

    async def listed(self, account: str) -> list[AccessToken]:
        """The tokens of an account, the newest first."""
        with reaching():
            rows = await self._pool.fetch(_LISTED, account)
        return [AccessToken(**row) for row in rows]

    async def revoke(self, account: str, token: str | None) -> int:
        """End one token of an account, or with None all of them; how many there were."""
        with reaching():
            async with transaction(self._pool) as connection:
                await connection.fetch(LOCK, account)
                done = await connection.execute(_REVOKE, account, token)
                if done != "DELETE 0":
                    await connection.execute(BUMP, account)
        return int(done.split()[1])

    async def owner(self, token: str) -> str | None:
        """Whose a token is."""
        with reaching():
            found: str | None = await self._pool.fetchval(_OWNER, token)
        return found

    async def standing(self, account: str, token: str) -> Standing | None:
        """What a token is worth now, its end aside; None for an unknown account."""
        with reaching():
            row = await self._pool.fetchrow(_STANDING, account, token)
        return None if row is None else Standing(**row)

    async def used(self, at: dict[str, float]) -> None:
        """Remember when tokens were last used."""
        with reaching():
            await self._pool.execute(_USED, list(at), list(at.values()))

    async def end_idle(self, prefix: str, before: float, most: int) -> None:
        """End tokens of one kind that nobody has used since a moment."""
        with reaching():
            await self._pool.execute(_IDLE, prefix, before, most)

    async def sweep(self, now: float, most: int) -> int:
        """Remove tokens that ended long ago; how many."""
        with reaching():
            done = await self._pool.execute(_SWEEP, now - KEPT_S, most)
        return int(done.split()[1])
