"""What credentials are worth: logins, document tokens, and the clearing away of what expired.

A login is one row, however often its refresh token was rotated.
"""

import msgspec

from auth.errors import AccountDisabled, Unauthorized
from auth.refresh import Family, RefreshToken, Rotation, decide, rotate
from storage.accounts import BUMP, LOCK
from storage.errors import reaching
from storage.pool import Connection, Pool, transaction


class Renewed(msgspec.Struct, frozen=True):
    """A login that goes on: the account and the family that the new pair belongs to."""

    account: str
    family: str


class LoginRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One login as its owner may see it. Times are epoch seconds."""

    family: str
    device: str
    created_at: float
    used_at: float
    expires_at: float
    client: str
    """How a browser with a session cookie calls itself; empty for a login with tokens."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What an account's credential is worth at one moment."""

    is_live: bool
    """The account is active and the login, or the document token, was not revoked."""
    is_admin: bool
    default_workspace: str
    device: str | None
    auth_version: int


_OF_LOGIN = """
SELECT a.state = 'active' AND f.id IS NOT NULL AS is_live, a.is_admin, a.default_workspace,
       f.device, a.auth_version
FROM accounts a LEFT JOIN refresh_families f ON f.id = $2 AND f.account = a.id WHERE a.id = $1
"""

_OF_DOCUMENT = """
SELECT a.state = 'active' AND a.documents_since <= to_timestamp($3)
       AND NOT EXISTS (SELECT FROM revoked_document_tokens r WHERE r.id = $2)
       AND ($4 = '' OR EXISTS (SELECT FROM access_tokens t WHERE t.id = $4 AND t.account = a.id)
            OR EXISTS (SELECT FROM document_links l WHERE l.id = $4 AND l.account = a.id))
       AS is_live,
       false AS is_admin, a.default_workspace, NULL AS device, a.auth_version
FROM accounts a WHERE a.id = $1
"""

_OPEN = """
INSERT INTO refresh_families (id, account, device, current, rotated_at, expires_at, client)
VALUES ($1, $2, $3, ARRAY[$4::bytea], to_timestamp($5), to_timestamp($6), $7)
"""
_TRIM = """
DELETE FROM refresh_families WHERE id IN (
    SELECT id FROM refresh_families WHERE account = $1 ORDER BY rotated_at DESC, id DESC OFFSET $2
)
"""
_FAMILY = """
SELECT account, current, previous, extract(epoch FROM rotated_at)::float8 AS rotated_at,
       extract(epoch FROM expires_at)::float8 AS expires_at
FROM refresh_families WHERE id = $1 FOR NO KEY UPDATE
"""
_KEEP = """
UPDATE refresh_families SET current = $2, previous = $3, rotated_at = to_timestamp($4),
       expires_at = to_timestamp($5) WHERE id = $1
"""
_LOGINS = """
SELECT id AS family, device, extract(epoch FROM created_at)::float8 AS created_at,
       extract(epoch FROM rotated_at)::float8 AS used_at,
       extract(epoch FROM expires_at)::float8 AS expires_at, client
FROM refresh_families WHERE account = $1 ORDER BY rotated_at DESC, id
"""

# An hour on top where a node whose clock is behind must still find what was used or revoked.
_SWEEP_CHALLENGES = """
DELETE FROM used_challenges WHERE digest IN (
    SELECT digest FROM used_challenges
    WHERE expires_at < to_timestamp($1) - interval '1 hour' LIMIT $2
)
"""
_SWEEP_LOGINS = """
DELETE FROM refresh_families WHERE id IN (
    SELECT id FROM refresh_families WHERE expires_at < to_timestamp($1) LIMIT $2
)
"""
_SWEEP_REVOKED = """
DELETE FROM revoked_document_tokens WHERE id IN (
    SELECT id FROM revoked_document_tokens
    WHERE expires_at < to_timestamp($1) - interval '1 hour' LIMIT $2
)
"""
_SWEEP_PENDING = """
WITH gone AS (
    DELETE FROM accounts WHERE id IN (
        SELECT id FROM accounts WHERE state IN ('pending', 'refused')
        AND created_at < to_timestamp($1) LIMIT $2
    ) RETURNING default_workspace
)
SELECT default_workspace FROM gone
"""


class Credentials:
    """The logins in the database. All methods raise Unavailable when it cannot be reached."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def open(
        self,
        *,
        account: str,
        device: str,
        family: str,
        digest: bytes,
        now: float,
        expires_at: float,
        most: int,
        client: str = "",
    ) -> None:
        """Begin a login. An account has at most `most`; the one unused for longest makes room.

        Raises AccountDisabled when the account is no longer active at that moment.
        """
        with reaching():
            async with transaction(self._pool) as connection:
                if await connection.fetchval(LOCK, account) != "active":
                    raise AccountDisabled
                await connection.execute(
                    _OPEN, family, account, device, digest, now, expires_at, client
                )
                if await connection.execute(_TRIM, account, most) != "DELETE 0":
                    await connection.execute(BUMP, account)

    async def renew(
        self, shown: RefreshToken, new: bytes, *, now: float, expires_at: float, grace_s: float
    ) -> Renewed:
        """Take a refresh token and put the one with digest `new` in its place.

        Of two callers with one token, the second meets what the first has done. Raises
        Unauthorized for a token that is not good; when that means that the token was copied, the
        whole login has ended when this raises.
        """
        with reaching():
            async with transaction(self._pool) as connection:
                account, verdict = await _renew(
                    connection, shown, new, now=now, expires_at=expires_at, grace_s=grace_s
                )
            if verdict is Rotation.REVOKE:
                # In a transaction of its own, which begins with the account's row. An old token
                # stays old, so nothing can have changed the verdict meanwhile.
                await self.revoke(account, shown.family)
                raise Unauthorized("token_revoked")
        if verdict is Rotation.EXPIRED:
            raise Unauthorized("token_expired")
        return Renewed(account, shown.family)

    async def standing_of_login(self, account: str, family: str) -> Standing | None:
        """What an access token of that login is worth now; None for an unknown account."""
        with reaching():
            row = await self._pool.fetchrow(_OF_LOGIN, account, family)
        return None if row is None else Standing(**row)

    async def standing_of_document_token(
        self, account: str, token: str, issued_at: float, via: str = ""
    ) -> Standing | None:
        """What a document token is worth now; None for an unknown account.

        `via` is the personal token with which it was asked for, or the link that it is: it ends
        with that.
        """
        with reaching():
            row = await self._pool.fetchrow(_OF_DOCUMENT, account, token, issued_at, via)
        return None if row is None else Standing(**row)

    async def revoke(self, account: str, family: str) -> bool:
        """End one login; its access tokens stop holding within two seconds."""
        with reaching():
            async with transaction(self._pool) as connection:
                await connection.execute(BUMP, account)
                done = await connection.execute(
                    "DELETE FROM refresh_families WHERE id = $1 AND account = $2", family, account
                )
        return bool(done != "DELETE 0")

    async def revoke_all(self, account: str) -> int:
        """End every login of an account; how many there were."""
        return await self.revoke_others(account, "")

    async def revoke_others(self, account: str, but: str) -> int:
        """End every login of an account but one; how many there were."""
        with reaching():
            async with transaction(self._pool) as connection:
                await connection.execute(BUMP, account)
                done = await connection.execute(
                    "DELETE FROM refresh_families WHERE account = $1 AND id <> $2", account, but
                )
        return int(done.split()[1])

    async def logins(self, account: str) -> list[LoginRecord]:
        """The logins of an account, the one used last first."""
        with reaching():
            rows = await self._pool.fetch(_LOGINS, account)
        return [LoginRecord(**row) for row in rows]

    async def sweep(self, now: float, *, pending_s: float, most: int = 10_000) -> int:
        """Remove what has expired, and accounts that waited `pending_s` for approval.

        At most `most` rows of each kind, so that one call never holds the database for long; the
        answer is how many went.
        """
        removed = 0
        with reaching():
            for sql in (_SWEEP_CHALLENGES, _SWEEP_LOGINS, _SWEEP_REVOKED):
                removed += int((await self._pool.execute(sql, now, most)).split()[1])
            async with transaction(self._pool) as connection:
                rows = await connection.fetch(_SWEEP_PENDING, now - pending_s, most)
                workspaces = [row["default_workspace"] for row in rows]
                await connection.execute("DELETE FROM scopes WHERE id = ANY ($1)", workspaces)
        return removed + len(workspaces)


async def _renew(
    connection: Connection,
    shown: RefreshToken,
    new: bytes,
    *,
    now: float,
    expires_at: float,
    grace_s: float,
) -> tuple[str, Rotation]:
    row = await connection.fetchrow(_FAMILY, shown.family)
    if row is None:
        # We sealed the token, so there was such a login: it has ended.
        raise Unauthorized("token_revoked")
    family = Family(
        current=tuple(row["current"]),
        previous=row["previous"],
        rotated_at=row["rotated_at"],
        expires_at=row["expires_at"],
    )
    verdict = decide(family, shown.digest, now, grace_s)
    if verdict in {Rotation.ROTATE, Rotation.REPEAT}:
        after = rotate(family, shown.digest, new, now, expires_at)
        await connection.execute(
            _KEEP,
            shown.family,
            list(after.current),
            after.previous,
            after.rotated_at,
            after.expires_at,
        )
    return row["account"], verdict
