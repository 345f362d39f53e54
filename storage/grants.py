"""Who may open which workspace, and the versions by which nodes notice that it changed."""

from datetime import datetime
from uuid import UUID

import msgspec

from auth.principal import Role
from storage.errors import reaching
from storage.pool import Pool, transaction


class Place(msgspec.Struct, frozen=True):
    """An account's role in a workspace at one version of its rights."""

    role: Role
    rights_version: int


class Workspace(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace as one of its members sees it."""

    id: str
    title: str
    role: Role
    owner: str | None
    created_at: datetime


_PLACE = """
SELECT m.role, s.rights_version FROM scopes s
LEFT JOIN members m ON m.scope = s.id AND m.account = $1
WHERE s.id = $2 AND s.deleted_at IS NULL
"""
_WORKSPACES = """
SELECT s.id, coalesce(nullif(b.title, ''), s.title) AS title, m.role, s.owner, s.created_at
FROM members m JOIN scopes s ON s.id = m.scope
LEFT JOIN documents d ON d.scope = s.id AND d.name = s.index_block
    AND d.purged_at IS NULL AND d.deleted_at IS NULL
LEFT JOIN blocks b ON b.document = d.id
WHERE m.account = $1 AND s.kind = 'workspace' AND s.deleted_at IS NULL
ORDER BY s.created_at, s.id LIMIT $2
"""
_SET = """
INSERT INTO members (scope, account, role) VALUES ($1, $2, $3)
ON CONFLICT (scope, account) DO UPDATE SET role = excluded.role
"""
_MEMBERS = "SELECT account, role FROM members WHERE scope = $1"
_TOUCH = "UPDATE scopes SET rights_version = rights_version + 1 WHERE id = $1"

_PRESENT = "SELECT id FROM documents WHERE id = ANY ($1) AND deleted_at IS NULL"

_MOVED = """
SELECT 'account' AS subject, w.id, coalesce(a.auth_version, 0) AS version
FROM unnest($1::text[], $2::bigint[]) AS w (id, version) LEFT JOIN accounts a ON a.id = w.id
WHERE a.auth_version IS DISTINCT FROM w.version
UNION ALL
SELECT 'scope', w.id, coalesce(s.rights_version, 0)
FROM unnest($3::text[], $4::bigint[]) AS w (id, version) LEFT JOIN scopes s ON s.id = w.id
WHERE s.rights_version IS DISTINCT FROM w.version
"""


class Grants:
    """Members and their roles. All methods raise Unavailable when the database is out of reach."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def place(self, account: str, scope: str) -> Place | None:
        """The role of an account in a workspace (NONE for strangers); None where there is none."""
        with reaching():
            row = await self._pool.fetchrow(_PLACE, account, scope)
        if row is None:
            return None
        return Place(Role.of(row["role"] or ""), row["rights_version"])

    async def workspaces(self, account: str, most: int) -> list[Workspace]:
        """The workspaces that an account may open, oldest first."""
        with reaching():
            rows = await self._pool.fetch(_WORKSPACES, account, most)
        return [Workspace(**(dict(row) | {"role": Role.of(row["role"])})) for row in rows]

    async def create_workspace(self, scope: str, owner: str, title: str) -> None:
        """A new workspace with its owner as the only member."""
        with reaching():
            async with transaction(self._pool) as connection:
                await connection.execute(
                    "INSERT INTO scopes (id, kind, owner, title) VALUES ($1, 'workspace', $2, $3)",
                    scope,
                    owner,
                    title,
                )
                await connection.execute(_SET, scope, owner, Role.OWNER.word)

    async def members(self, scope: str) -> dict[str, Role]:
        """The accounts of a workspace and their roles."""
        with reaching():
            rows = await self._pool.fetch(_MEMBERS, scope)
        return {row["account"]: Role.of(row["role"]) for row in rows}

    async def set_member(self, scope: str, account: str, role: Role) -> None:
        """Give an account a role, or NONE to take it away; open connections follow within 2 s."""
        with reaching():
            async with transaction(self._pool) as connection:
                await connection.execute(_TOUCH, scope)
                if role is Role.NONE:
                    await connection.execute(
                        "DELETE FROM members WHERE scope = $1 AND account = $2", scope, account
                    )
                else:
                    await connection.execute(_SET, scope, account, role.word)

    async def revoke_document_token(self, token: str, account: str, expires_at: float) -> None:
        """Make one document token, issued by `account`, worthless before its end."""
        with reaching():
            async with transaction(self._pool) as connection:
                await connection.execute(
                    "UPDATE accounts SET auth_version = auth_version + 1 WHERE id = $1", account
                )
                await connection.execute(
                    "INSERT INTO revoked_document_tokens (id, account, expires_at)"
                    " VALUES ($1, $2, to_timestamp($3)) ON CONFLICT DO NOTHING",
                    token,
                    account,
                    expires_at,
                )

    async def revoke_document_tokens(self, account: str, now: float) -> None:
        """Make every document token that `account` issued before `now` worthless."""
        with reaching():
            await self._pool.execute(
                "UPDATE accounts SET auth_version = auth_version + 1,"
                " documents_since = to_timestamp($2) WHERE id = $1",
                account,
                now,
            )

    async def deleted_among(self, documents: set[UUID]) -> set[UUID]:
        """Those of some documents that are in the trash, purged or unknown."""
        with reaching():
            rows = await self._pool.fetch(_PRESENT, list(documents))
        return documents - {row["id"] for row in rows}

    async def moved(
        self, accounts: dict[str, int], scopes: dict[str, int]
    ) -> list[tuple[str, str, int]]:
        """Which of the known versions are no longer the newest.

        Takes and gives versions by id; the answer holds ("account" or "scope", id, version), with
        0 for what is gone.
        """
        with reaching():
            rows = await self._pool.fetch(
                _MOVED, list(accounts), list(accounts.values()), list(scopes), list(scopes.values())
            )
        return [(row["subject"], row["id"], row["version"]) for row in rows]
