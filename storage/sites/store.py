"""The table of sites: found by what they are called, changed, claimed and removed."""

from __future__ import annotations

import contextlib
from datetime import datetime
from typing import Any
from uuid import UUID

from storage.documents import make_id
from storage.errors import reaching
from storage.extracts import storable
from storage.pool import Connection, Pool, transaction
from storage.sites.records import KIND, LIST, SETTINGS, NewSite, Site

_COLUMNS = ", ".join(
    "coalesce(a.username, '') AS username" if name == "username" else f"s.{name}"
    for name in Site.__struct_fields__
)
_SELECT = f"SELECT {_COLUMNS} FROM sites s LEFT JOIN accounts a ON a.id = s.account"  # noqa: S608
_LIVE = "(s.expires_at IS NULL OR s.expires_at > now())"
_BY_ID = f"{_SELECT} WHERE s.id = $1 AND {_LIVE}"
_NAMED = f"""
{_SELECT} WHERE a.username <> '' AND lower(a.username) = lower($1) AND lower(s.name) = lower($2)
AND a.state = 'active'
"""
_OF_ACCOUNT = f"{_SELECT} WHERE s.account = $1 AND lower(s.name) = lower($2)"
_ANONYMOUS = f"{_SELECT} WHERE s.account IS NULL AND lower(s.name) = lower($1) AND {_LIVE}"
_BY_DOMAIN = f"""
{_SELECT} WHERE s.domain = lower($1) AND s.domain_verified_at IS NOT NULL AND a.state = 'active'
"""
_WISHING = f"{_SELECT} WHERE s.domain = lower($1) ORDER BY s.created_at, s.id LIMIT 100"
_LISTED = f"{_SELECT} WHERE s.account = $1 ORDER BY s.updated_at DESC, s.id LIMIT $2"
_OF_REPOSITORY = f"{_SELECT} WHERE lower(s.gh_repository) = lower($1) ORDER BY s.id LIMIT 1000"
_EXPIRED = f"{_SELECT} WHERE s.expires_at < $1 ORDER BY s.expires_at LIMIT $2"

_SCOPE = "INSERT INTO scopes (id, kind, owner, title) VALUES ($1, 'site', $2, $3)"
_MEMBER = "INSERT INTO members (scope, account, role) VALUES ($1, $2, 'owner')"
_DOCUMENT = "INSERT INTO documents (id, scope, kind, name, owner) VALUES ($1, $2, $3, $4, $5)"
_HEAD = "INSERT INTO heads (document, scope) VALUES ($1, $2)"
_SITE = """
INSERT INTO sites (id, scope, document, account, name, domain_token, anonymous_owner,
    claim_digest, expires_at, gh_repository, gh_branch, gh_installation, root_dir, auto_sync)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT DO NOTHING RETURNING true
"""
_COUNT = "SELECT count(*) FROM sites WHERE account = $1"
_TOUCH = "UPDATE sites SET updated_at = now() WHERE id = $1"
_GREW = """
UPDATE sites SET updated_at = now(), file_count = greatest(0, file_count + $2),
    total_bytes = greatest(0, total_bytes + $3)
WHERE id = $1
"""
_COUNTED = """
UPDATE sites SET updated_at = now(), file_count = $2, total_bytes = $3 WHERE id = $1
"""
# `purged_at IS NULL`, though what is not deleted was not purged: only so does an index fit, and not
# all documents of the server are read.
_HEADS = """
SELECT d.id, h.head FROM documents d JOIN heads h ON h.document = d.id
WHERE d.scope = $1 AND d.deleted_at IS NULL AND d.purged_at IS NULL
"""
# By key for each site that went, whatever the statistics say: of what is there, there is much more.
_REMAINS = """
SELECT d.id FROM sites_gone g CROSS JOIN LATERAL (
    SELECT id FROM documents WHERE scope = g.scope AND purged_at IS NULL LIMIT $1
) d LIMIT $1
"""
_ORPHANS = """
SELECT DISTINCT u.kind, u.holder FROM (
    SELECT u.* FROM sites_gone g CROSS JOIN LATERAL (
        SELECT kind, holder FROM blob_uses
        WHERE kind IN ('site', 'site-base') AND split_part(holder, '/', 1) = g.site LIMIT $1
    ) u LIMIT $1
) u
"""
_CLEARED = "DELETE FROM sites_gone WHERE at < $1"
_BUMP_PASSWORD = "UPDATE sites SET password_version = password_version + 1 WHERE id = $1"  # noqa: S105
_LOCK_CLAIM = "SELECT scope, claim_digest, account FROM sites WHERE id = $1 FOR UPDATE"
_CLAIM = """
UPDATE sites SET account = $2, name = $3, anonymous_owner = NULL, claim_digest = NULL,
    expires_at = NULL, updated_at = now()
WHERE id = $1
"""
_OWN = (
    "UPDATE scopes SET owner = $2, rights_version = rights_version + 1 WHERE id = $1",
    "INSERT INTO members (scope, account, role) VALUES ($1, $2, 'owner')",
    "UPDATE documents SET owner = $2 WHERE scope = $1 AND purged_at IS NULL",
)
_REMOVE = "DELETE FROM sites WHERE id = $1 RETURNING scope"
_END_SCOPE = """
UPDATE scopes SET deleted_at = now(), rights_version = rights_version + 1 WHERE id = $1
"""
_USES = "DELETE FROM members WHERE scope = $1"
_FACTS = """
DELETE FROM note_facts f USING documents d
WHERE d.id = f.document AND d.scope = $1 AND d.purged_at IS NULL
"""


class Sites:
    """All sites. Every method may raise Unavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    # -- finding ------------------------------------------------------------------------

    async def by_id(self, site: str) -> Site | None:
        """The site with this id; None from its end on."""
        return await self._one(_BY_ID, storable(site))

    async def named(self, username: str, name: str) -> Site | None:
        """Somebody's site by its name, whatever the case of both."""
        return await self._one(_NAMED, storable(username), storable(name))

    async def of_account(self, account: str, name: str) -> Site | None:
        """An account's site by its name."""
        return await self._one(_OF_ACCOUNT, account, storable(name))

    async def anonymous(self, name: str) -> Site | None:
        """A site that nobody has claimed; None from its end on."""
        return await self._one(_ANONYMOUS, storable(name))

    async def by_domain(self, domain: str) -> Site | None:
        """The one site that a verified domain shows."""
        return await self._one(_BY_DOMAIN, storable(domain))

    async def wishing(self, domain: str) -> list[Site]:
        """The sites whose owners want a domain, the oldest first."""
        return await self._many(_WISHING, storable(domain))

    async def of_repository(self, repository: str) -> list[Site]:
        """The sites that follow a repository of GitHub."""
        return await self._many(_OF_REPOSITORY, storable(repository))

    async def listed(self, account: str, most: int) -> list[Site]:
        """The sites of an account, the one changed last first."""
        return await self._many(_LISTED, account, most)

    async def expired(self, now: datetime, most: int) -> list[Site]:
        """Anonymous sites whose end has come."""
        return await self._many(_EXPIRED, now, most)

    async def count(self, account: str) -> int:
        """How many sites an account has."""
        with reaching():
            return int(await self._pool.fetchval(_COUNT, account))

    # -- changing -----------------------------------------------------------------------

    async def add(self, new: NewSite) -> Site | None:
        """Make a site with its scope and its empty list; None where the name is taken."""
        document = make_id()
        made = [getattr(new, name) for name in NewSite.__struct_fields__ if name != "scope"]
        with reaching(), contextlib.suppress(_TakenError):
            async with transaction(self._pool) as connection:
                await connection.execute(_SCOPE, new.scope, new.account, new.name)
                await connection.execute(_DOCUMENT, document, new.scope, KIND, LIST, new.account)
                await connection.execute(_HEAD, document, new.scope)
                if new.account is not None:
                    await connection.execute(_MEMBER, new.scope, new.account)
                fields = [made[0], new.scope, document, *made[1:]]
                if not await connection.fetchval(_SITE, *fields):
                    raise _TakenError
            return await self._one(_BY_ID, new.id)
        return None

    async def change(self, site: str, values: dict[str, Any], *, quiet: bool = False) -> None:
        """Set some of `SETTINGS`; `quiet`: without another `updated_at`.

        With a `password_hash` the version of the password moves.
        """
        assert values.keys() <= SETTINGS
        names = sorted(values)
        sets = ", ".join(f"{name} = ${number}" for number, name in enumerate(names, 2))
        with reaching():
            async with transaction(self._pool) as connection:
                if names:
                    sql = f"UPDATE sites SET {sets} WHERE id = $1"  # noqa: S608 (names are ours)
                    await connection.execute(sql, site, *(values[name] for name in names))
                if "password_hash" in values:
                    await connection.execute(_BUMP_PASSWORD, site)
                if not quiet:
                    await connection.execute(_TOUCH, site)

    async def grew(self, site: str, files: int, size: int) -> None:
        """Its files changed: so many more, and so many bytes."""
        with reaching():
            await self._pool.execute(_GREW, site, files, size)

    async def counted(self, site: str, files: int, size: int) -> None:
        """Its files changed, and are so many by now."""
        with reaching():
            await self._pool.execute(_COUNTED, site, files, size)

    async def heads(self, site: Site) -> dict[str, int]:
        """How many rows each document of a site has, by its id."""
        with reaching():
            rows = await self._pool.fetch(_HEADS, site.scope)
        return {str(row["id"]): row["head"] for row in rows}

    async def remains(self, most: int) -> list[UUID]:
        """Documents of sites that are gone."""
        with reaching():
            return [row["id"] for row in await self._pool.fetch(_REMAINS, most)]

    async def orphans(self, most: int) -> list[tuple[str, str]]:
        """Holders of blobs of sites that are gone, each with its kind of use."""
        with reaching():
            return [(row["kind"], row["holder"]) for row in await self._pool.fetch(_ORPHANS, most)]

    async def cleared(self, before: datetime) -> None:
        """Nothing is left of the sites that went before a moment: look there no more."""
        with reaching():
            await self._pool.execute(_CLEARED, before)

    async def claim(self, site: str, digest: bytes, account: str, names: list[str]) -> str | None:
        """Give an anonymous site to an account under the first of `names` that is free.

        Its claim is used up. None where the site is somebody's by now, or the claim not its own.
        """
        with reaching():
            async with transaction(self._pool) as connection:
                row = await connection.fetchrow(_LOCK_CLAIM, site)
                if row is None or row["account"] is not None or row["claim_digest"] != digest:
                    return None
                for name in names:
                    if not await _is_taken(connection, account, name):
                        await connection.execute(_CLAIM, site, account, name)
                        for sql in _OWN:
                            await connection.execute(sql, row["scope"], account)
                        return name
        return None

    async def remove(self, site: str) -> str | None:
        """Delete a site; its scope, whose documents are the caller's to remove. None: it is gone.

        From this commit on nobody opens its documents, and open ones close within two seconds.
        """
        with reaching():
            async with transaction(self._pool) as connection:
                scope: str | None = await connection.fetchval(_REMOVE, site)
                if scope is not None:
                    await connection.execute(_END_SCOPE, scope)
                    await connection.execute(_USES, scope)
                    await connection.execute(_FACTS, scope)
        return scope

    async def _one(self, sql: str, *values: object) -> Site | None:
        with reaching():
            row = await self._pool.fetchrow(sql, *values)
        return None if row is None else Site(**row)

    async def _many(self, sql: str, *values: object) -> list[Site]:
        with reaching():
            rows = await self._pool.fetch(sql, *values)
        return [Site(**row) for row in rows]


class _TakenError(Exception):
    """Rolls the making of a site back."""


async def _is_taken(connection: Connection, account: str, name: str) -> bool:
    sql = "SELECT EXISTS (SELECT FROM sites WHERE account = $1 AND lower(name) = lower($2))"
    return bool(await connection.fetchval(sql, account, name))
