"""Installations of the GitHub App, and the repositories that each may read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from storage.errors import reaching
from storage.extracts import storable
from storage.pool import Pool, transaction


class Installation(msgspec.Struct, frozen=True, kw_only=True):
    """An installation as one account linked it."""

    id: str
    account: str
    installation: int
    """GitHub's own number."""
    login: str
    kind: str
    """User or Organization."""
    suspended_at: datetime | None
    created_at: datetime
    updated_at: datetime


class Repository(msgspec.Struct, frozen=True, kw_only=True):
    """A repository that an installation may read."""

    repository: int
    name: str
    full_name: str
    is_private: bool


_COLUMNS = ", ".join(Installation.__struct_fields__)
_LINK = f"""
INSERT INTO github_installations (id, account, installation, login, kind)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (account, installation) DO UPDATE SET login = excluded.login, kind = excluded.kind,
    suspended_at = NULL, updated_at = now()
RETURNING {_COLUMNS}
"""  # noqa: S608 (the names are ours)
_OF = f"SELECT {_COLUMNS} FROM github_installations WHERE account = $1 ORDER BY created_at, id"  # noqa: S608
_ONE = f"""
SELECT {_COLUMNS} FROM github_installations
WHERE id = $1 OR (account = $2 AND installation::text = $1)
"""  # noqa: S608
_REPOSITORIES = """
SELECT installation, repository, name, full_name, is_private FROM github_repositories
WHERE installation = ANY ($1) ORDER BY lower(full_name)
"""
_PUT = """
INSERT INTO github_repositories (installation, repository, name, full_name, is_private)
SELECT $1, * FROM unnest($2::bigint[], $3::text[], $4::text[], $5::bool[])
ON CONFLICT (installation, repository) DO UPDATE
SET name = excluded.name, full_name = excluded.full_name, is_private = excluded.is_private
"""
_UNUSED = """
DELETE FROM github_repositories r WHERE installation = $1
AND NOT EXISTS (SELECT FROM github_installations i WHERE i.installation = r.installation)
"""
_LEAVE = """
UPDATE sites SET gh_installation = NULL, auto_sync = false
WHERE gh_installation = ANY ($1) AND ($2::text[] IS NULL OR lower(gh_repository) = ANY ($2))
"""


class GitHub:
    """Links to GitHub. Every method may raise Unavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def link(self, link: str, account: str, number: int, login: str, kind: str) -> str:
        """Link an installation to an account; the link's id, an old one stays."""
        with reaching():
            row = await self._pool.fetchrow(_LINK, link, account, number, login, kind)
        assert row is not None
        return str(row["id"])

    async def of(self, account: str) -> list[Installation]:
        """The installations that an account has linked."""
        with reaching():
            return [Installation(**row) for row in await self._pool.fetch(_OF, account)]

    async def find(self, link: str, account: str) -> Installation | None:
        """A link by its id, whosever it is, or one of the account's by GitHub's number."""
        with reaching():
            rows = await self._pool.fetch(_ONE, storable(link), account)
        found = [Installation(**row) for row in rows]
        return next(
            (each for each in found if each.account == account), found[0] if found else None
        )

    async def repositories(self, numbers: Sequence[int]) -> dict[int, list[Repository]]:
        """What installations may read, by their numbers."""
        with reaching():
            rows = await self._pool.fetch(_REPOSITORIES, list(numbers))
        found: dict[int, list[Repository]] = {number: [] for number in numbers}
        for row in rows:
            values = dict(row)
            found[values.pop("installation")].append(Repository(**values))
        return found

    async def put(self, number: int, repositories: Sequence[Repository], *, whole: bool) -> None:
        """Note what an installation may read: all of it, or what was added."""
        rows = [msgspec.structs.astuple(each) for each in repositories]
        columns = [list(each) for each in zip(*rows, strict=True)]
        with reaching():
            async with transaction(self._pool) as connection:
                if whole:
                    await connection.execute(
                        "DELETE FROM github_repositories WHERE installation = $1", number
                    )
                if columns:
                    await connection.execute(_PUT, number, *columns)
                await connection.execute(
                    "UPDATE github_installations SET updated_at = now() WHERE installation = $1",
                    number,
                )

    async def take(self, number: int, repositories: Sequence[Repository]) -> None:
        """An installation may read some repositories no more: sites of them stop following."""
        names = [each.full_name.lower() for each in repositories]
        with reaching():
            async with transaction(self._pool) as connection:
                await connection.execute(
                    "DELETE FROM github_repositories"
                    " WHERE installation = $1 AND repository = ANY ($2)",
                    number,
                    [each.repository for each in repositories],
                )
                links = await connection.fetch(
                    "SELECT id FROM github_installations WHERE installation = $1", number
                )
                await connection.execute(_LEAVE, [row["id"] for row in links], names)

    async def suspend(self, number: int, *, suspended: bool) -> None:
        """GitHub suspended an installation, or woke it."""
        with reaching():
            await self._pool.execute(
                "UPDATE github_installations SET updated_at = now(),"
                " suspended_at = CASE WHEN $2 THEN now() END WHERE installation = $1",
                number,
                suspended,
            )

    async def unlink(self, link: str) -> None:
        """Forget one account's link; its sites stop following."""
        with reaching():
            async with transaction(self._pool) as connection:
                number = await connection.fetchval(
                    "DELETE FROM github_installations WHERE id = $1 RETURNING installation", link
                )
                await connection.execute(_LEAVE, [link], None)
                await connection.execute(_UNUSED, number)

    async def remove(self, number: int) -> None:
        """An installation is gone at GitHub: all links to it go."""
        with reaching():
            rows = await self._pool.fetch(
                "SELECT id FROM github_installations WHERE installation = $1", number
            )
        for row in rows:
            await self.unlink(row["id"])
