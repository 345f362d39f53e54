"""Accounts: find, register, approve, disable.

Every change that may take a right away moves `accounts.auth_version` in the same transaction; the
nodes poll it, so that the change holds everywhere within two seconds.
"""

from collections.abc import Callable
from datetime import datetime

import asyncpg
import msgspec

from auth.errors import RegistrationFull
from auth.registration import Admission
from storage.errors import LastAdministrator, reaching
from storage.pool import Connection, Pool, transaction

EMAIL_LETTERS_MAX = 320


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One account as it is stored."""

    id: str
    state: str
    """pending, active, disabled or refused."""
    is_admin: bool
    email_hint: str
    default_workspace: str
    auth_version: int
    created_at: datetime


class Login(msgspec.Struct, frozen=True):
    """Whose key signed a challenge. `account` is None for a key that nobody has."""

    is_fresh: bool
    """False when the challenge was used before; then nothing else may be done for it."""
    account: Account | None
    device: str | None


class Newcomer(msgspec.Struct, frozen=True, kw_only=True):
    """What a new account is made of; the ids are ULIDs that the caller made."""

    account: str
    workspace: str
    device: str
    key: bytes
    email_hint: str = ""


# Whoever changes an account and its logins takes the account's row first, so that no two of us
# wait for each other in a circle.
LOCK = "SELECT state FROM accounts WHERE id = $1 FOR NO KEY UPDATE"
BUMP = "UPDATE accounts SET auth_version = auth_version + 1 WHERE id = $1"

_LOGIN = """
WITH used AS (
    INSERT INTO used_challenges (digest, expires_at) VALUES ($1, to_timestamp($2))
    ON CONFLICT DO NOTHING RETURNING 1
)
SELECT EXISTS (SELECT FROM used) AS is_fresh, k.device, a.*
FROM (SELECT) one LEFT JOIN account_keys k ON k.key = $3 LEFT JOIN accounts a ON a.id = k.account
"""

_REGISTER = """
WITH workspace AS (
    INSERT INTO scopes (id, kind, owner, title) VALUES ($2, 'workspace', $1, 'Home')
), person AS (
    INSERT INTO accounts (id, state, is_admin, email_hint, default_workspace)
    VALUES ($1, $5, $6, $7, $2) RETURNING *
), place AS (
    INSERT INTO members (scope, account, role) VALUES ($2, $1, 'owner')
), key AS (
    INSERT INTO account_keys (key, account, device) VALUES ($3, $1, $4)
)
SELECT * FROM person
"""

_HAS_ADMINISTRATOR = "SELECT EXISTS (SELECT FROM accounts WHERE is_admin)"
_FIND = (
    "SELECT k.device, a.* FROM account_keys k JOIN accounts a ON a.id = k.account WHERE key = $1"
)
_LISTED = """
SELECT * FROM accounts WHERE ($1::text IS NULL OR state = $1) AND id > $2 ORDER BY id LIMIT $3
"""
_APPROVE = """
UPDATE accounts SET state = 'active', auth_version = auth_version + 1
WHERE id = $1 AND state IN ('pending', 'refused')
"""
_REFUSE = """
UPDATE accounts SET state = 'refused', auth_version = auth_version + 1
WHERE id = $1 AND state = 'pending'
"""
_IS_LAST = """
SELECT EXISTS (SELECT FROM accounts WHERE id = $1 AND is_admin AND state = 'active')
   AND NOT EXISTS (SELECT FROM accounts WHERE id <> $1 AND is_admin AND state = 'active')
"""
_CROWN = """
UPDATE accounts SET state = 'active', is_admin = true, auth_version = auth_version + 1
WHERE id = $1 AND state <> 'disabled' AND NOT EXISTS (SELECT FROM accounts WHERE is_admin)
RETURNING *
"""
_ENABLE = """
UPDATE accounts SET state = 'active', auth_version = auth_version + 1
WHERE id = $1 AND state = 'disabled'
"""
_DISABLE = """
UPDATE accounts SET state = 'disabled', documents_since = now(), auth_version = auth_version + 1
WHERE id = $1
"""
_SET_ADMIN = "UPDATE accounts SET is_admin = $2, auth_version = auth_version + 1 WHERE id = $1"


class Accounts:
    """The accounts in the database. All methods raise Unavailable when it cannot be reached."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def login(self, key: bytes, challenge: bytes, expires_at: float) -> Login:
        """Use up a signed challenge and find the account of its key, in one round trip.

        Of any number of callers with one challenge, on any nodes, exactly one is told `is_fresh`.
        """
        with reaching():
            row = await self._pool.fetchrow(_LOGIN, challenge, expires_at, key)
        assert row is not None
        found = None if row["id"] is None else _account(row)
        return Login(row["is_fresh"], found, row["device"])

    async def register(
        self, newcomer: Newcomer, admit: Callable[[bool], Admission], pending_max: int
    ) -> tuple[Account, str]:
        """Make an account with one workspace, or find the one that has the key by now.

        `admit` is told whether there is an administrator, and says what to make or raises. The
        answer is the account and the device of the key. Raises RegistrationFull when too many
        accounts wait for approval.
        """
        with reaching():
            try:
                async with transaction(self._pool) as connection:
                    account = await _register(connection, newcomer, admit, pending_max)
            except asyncpg.UniqueViolationError:
                row = await self._pool.fetchrow(_FIND, newcomer.key)
                if row is None:
                    raise
                return _account(row), row["device"]
        return account, newcomer.device

    async def get(self, account: str) -> Account | None:
        """One account by its id."""
        with reaching():
            row = await self._pool.fetchrow("SELECT * FROM accounts WHERE id = $1", account)
        return None if row is None else _account(row)

    async def has_administrator(self) -> bool:
        """Whether anybody administers this server."""
        with reaching():
            return bool(await self._pool.fetchval(_HAS_ADMINISTRATOR))

    async def listed(
        self, state: str | None, *, after: str = "", limit: int = 100
    ) -> list[Account]:
        """Accounts, all or in one state, by their ids, from the one behind `after` on."""
        with reaching():
            rows = await self._pool.fetch(_LISTED, state, after, limit)
        return [_account(row) for row in rows]

    async def approve(self, account: str) -> bool:
        """Let a pending or refused account in; False when there is none of that id."""
        return await self._changes(_APPROVE, account)

    async def refuse(self, account: str) -> bool:
        """Do not let a pending account in; False when there is none of that id."""
        return await self._changes(_REFUSE, account)

    async def crown(self, account: str) -> Account | None:
        """Make an account the first administrator; None when there is one already."""
        with reaching():
            async with transaction(self._pool) as connection:
                await connection.fetch("SELECT 1 FROM administration FOR UPDATE")
                row = await connection.fetchrow(_CROWN, account)
        return None if row is None else _account(row)

    async def enable(self, account: str) -> bool:
        """Open a disabled account again; its people have to log in anew."""
        return await self._changes(_ENABLE, account)

    async def set_admin(self, account: str, *, is_admin: bool) -> bool:
        """Make or unmake an administrator. Raises LastAdministrator rather than unmake that."""
        with reaching():
            async with transaction(self._pool) as connection:
                if not is_admin:
                    await _spare_the_last(connection, account)
                done = await connection.execute(_SET_ADMIN, account, is_admin)
        return bool(done != "UPDATE 0")

    async def disable(self, account: str) -> bool:
        """Close an account, pending or active: all its logins and tokens end for good.

        Raises LastAdministrator where nobody would be left to open it again.
        """
        with reaching():
            async with transaction(self._pool) as connection:
                await _spare_the_last(connection, account)
                done = await connection.execute(_DISABLE, account)
                await connection.execute("DELETE FROM refresh_families WHERE account = $1", account)
                await connection.execute("DELETE FROM access_tokens WHERE account = $1", account)
                await connection.execute("DELETE FROM document_links WHERE account = $1", account)
        return done != "UPDATE 0"

    async def _changes(self, sql: str, *arguments: object) -> bool:
        with reaching():
            done = await self._pool.execute(sql, *arguments)
        return done != "UPDATE 0"


async def _spare_the_last(connection: Connection, account: str) -> None:
    # Under the lock, so that two administrators do not close each other's accounts at once.
    await connection.fetch("SELECT 1 FROM administration FOR UPDATE")
    if await connection.fetchval(_IS_LAST, account):
        raise LastAdministrator


async def _register(
    connection: Connection,
    newcomer: Newcomer,
    admit: Callable[[bool], Admission],
    pending_max: int,
) -> Account:
    has_administrator = bool(await connection.fetchval(_HAS_ADMINISTRATOR))
    admission = admit(has_administrator)
    if admission.is_admin:
        # Asked again under the lock: of two first accounts, one is not the first.
        await connection.fetch("SELECT 1 FROM administration FOR UPDATE")
        admission = admit(bool(await connection.fetchval(_HAS_ADMINISTRATOR)))
    if not admission.is_active:
        pending = await connection.fetchval("SELECT count(*) FROM accounts WHERE state = 'pending'")
        if pending >= pending_max:
            raise RegistrationFull
    row = await connection.fetchrow(
        _REGISTER,
        newcomer.account,
        newcomer.workspace,
        newcomer.key,
        newcomer.device,
        "active" if admission.is_active else "pending",
        admission.is_admin,
        newcomer.email_hint[:EMAIL_LETTERS_MAX],
    )
    assert row is not None
    return _account(row)


def _account(row: asyncpg.Record) -> Account:
    return Account(
        id=row["id"],
        state=row["state"],
        is_admin=row["is_admin"],
        email_hint=row["email_hint"],
        default_workspace=row["default_workspace"],
        auth_version=row["auth_version"],
        created_at=row["created_at"],
    )
