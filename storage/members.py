"""The members of a workspace, and the invitations by which they come.

Every change takes the row of the workspace first and moves its rights version, so that changes
come one after the other and open connections follow within two seconds on every node.
"""

import msgspec

from auth.principal import Role
from storage.errors import LastOwner, reaching
from storage.pool import Connection, Pool, transaction


class MemberRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One member. Times are epoch seconds."""

    account: str
    role: Role
    since: float
    key: bytes
    """The first key of the account, by which people know one another."""


class Invite(msgspec.Struct, frozen=True, kw_only=True):
    """One invitation: all but its secret. Times are epoch seconds."""

    id: str
    scope: str
    creator: str
    role: Role
    name: str
    uses: int
    uses_max: int | None
    created_at: float
    expires_at: float | None


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation that holds, as whoever has its secret may see it."""

    invite: Invite
    title: str
    """Of the workspace."""


_TOUCH = """
UPDATE scopes SET rights_version = rights_version + 1
WHERE id = $1 AND deleted_at IS NULL RETURNING owner
"""
_MEMBERS = """
SELECT m.account, m.role, extract(epoch FROM m.since)::float8 AS since,
       (SELECT k.key FROM account_keys k WHERE k.account = m.account
        ORDER BY k.created_at, k.device LIMIT 1) AS key
FROM members m WHERE m.scope = $1 ORDER BY m.since, m.account LIMIT $2
"""
_ROLE = "SELECT role FROM members WHERE scope = $1 AND account = $2"
_OTHER_OWNER = """
SELECT m.account FROM members m JOIN accounts a ON a.id = m.account AND a.state = 'active'
WHERE m.scope = $1 AND m.role = 'owner' AND m.account <> $2
ORDER BY m.since, m.account LIMIT 1
"""
_SET = "UPDATE members SET role = $3 WHERE scope = $1 AND account = $2"
_REMOVE = "DELETE FROM members WHERE scope = $1 AND account = $2"
_HAND_OVER = "UPDATE scopes SET owner = $2 WHERE id = $1"

_INVITES = """
SELECT i.id, i.scope, i.creator, i.role, i.name, i.uses, i.uses_max,
       extract(epoch FROM i.created_at)::float8 AS created_at,
       extract(epoch FROM i.expires_at)::float8 AS expires_at
FROM invites i
"""
_LISTED = f"{_INVITES} WHERE i.scope = $1 ORDER BY i.created_at DESC, i.id"
# As good as the right of whoever made it: an owner, in a workspace that is there.
_GOOD = f"""
{_INVITES}
JOIN scopes s ON s.id = i.scope AND s.deleted_at IS NULL
JOIN members m ON m.scope = i.scope AND m.account = i.creator AND m.role = 'owner'
JOIN accounts a ON a.id = i.creator AND a.state = 'active'
WHERE i.digest = $1 AND (i.expires_at IS NULL OR i.expires_at > to_timestamp($2))
  AND (i.uses_max IS NULL OR i.uses < i.uses_max)
"""
# Who came by it asks again where the answer was lost, and has used it up by then.
_USED_UP = f"""
{_INVITES}
JOIN scopes s ON s.id = i.scope AND s.deleted_at IS NULL
WHERE i.digest = $1 AND i.uses >= i.uses_max
"""
_TITLE = """
SELECT coalesce(nullif(b.title, ''), s.title) FROM scopes s
LEFT JOIN documents d ON d.scope = s.id AND d.name = s.index_block
    AND d.purged_at IS NULL AND d.deleted_at IS NULL
LEFT JOIN blocks b ON b.document = d.id WHERE s.id = $1
"""
_INVITE = """
INSERT INTO invites (id, scope, creator, digest, role, name, uses_max, created_at, expires_at)
SELECT $1, $2, $3, $4, $5, $6, $7, to_timestamp($8), to_timestamp($9)
WHERE (SELECT count(*) FROM invites WHERE scope = $2) < $10
"""
_COUNT_USE = "UPDATE invites SET uses = uses + 1 WHERE id = $1"
_JOIN = """
INSERT INTO members (scope, account, role) SELECT $1, $2, $3
WHERE (SELECT count(*) FROM members WHERE scope = $1) < $4
ON CONFLICT (scope, account) DO UPDATE SET role = excluded.role
"""
_WITHDRAW = "DELETE FROM invites WHERE scope = $1 AND id = $2"
_SWEEP = """
DELETE FROM invites WHERE id IN (
    SELECT id FROM invites WHERE expires_at < to_timestamp($1) LIMIT $2
)
"""


class Members:
    """Members and invitations. All methods raise Unavailable with the database out of reach."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def of(self, scope: str, most: int) -> list[MemberRecord]:
        """The members of a workspace, the oldest first."""
        with reaching():
            rows = await self._pool.fetch(_MEMBERS, scope, most)
        return [
            MemberRecord(**(dict(row) | {"role": Role.of(row["role"]), "key": row["key"] or b""}))
            for row in rows
        ]

    async def change(self, scope: str, account: str, role: Role) -> bool:
        """Give a member another role, or NONE to take him out; False if he is no member.

        Raises LastOwner rather than leave nobody who may share. A workspace whose first owner goes
        belongs to the next one.
        """
        with reaching():
            async with transaction(self._pool) as connection:
                owner = await connection.fetchval(_TOUCH, scope)
                known = await connection.fetchval(_ROLE, scope, account)
                if known is None:
                    return False
                if known == Role.OWNER.word and role is not Role.OWNER:
                    heir = await connection.fetchval(_OTHER_OWNER, scope, account)
                    if heir is None:
                        raise LastOwner
                    if owner == account:
                        await connection.execute(_HAND_OVER, scope, heir)
                if role is Role.NONE:
                    await connection.execute(_REMOVE, scope, account)
                else:
                    await connection.execute(_SET, scope, account, role.word)
        return True

    # -- invitations --------------------------------------------------------------------

    async def invite(self, invite: Invite, digest: bytes, most: int) -> bool:
        """Keep a new invitation; False where the workspace has `most` already."""
        with reaching():
            async with transaction(self._pool) as connection:
                await connection.fetch(
                    "SELECT 1 FROM scopes WHERE id = $1 FOR NO KEY UPDATE", invite.scope
                )
                done = await connection.execute(
                    _INVITE,
                    invite.id,
                    invite.scope,
                    invite.creator,
                    digest,
                    invite.role.word,
                    invite.name,
                    invite.uses_max,
                    invite.created_at,
                    invite.expires_at,
                    most,
                )
        return bool(done == "INSERT 0 1")

    async def invites(self, scope: str) -> list[Invite]:
        """The invitations to a workspace, the newest first, also those that are used up."""
        with reaching():
            rows = await self._pool.fetch(_LISTED, scope)
        return [_invite(row) for row in rows]

    async def withdraw(self, scope: str, invite: str) -> bool:
        """Take an invitation back; whoever came by it stays."""
        with reaching():
            done = await self._pool.execute(_WITHDRAW, scope, invite)
        return bool(done != "DELETE 0")

    async def look(self, digest: bytes, now: float) -> Invitation | None:
        """The invitation with that digest; None where there is none that holds."""
        with reaching():
            row = await self._pool.fetchrow(_GOOD, digest, now)
            if row is None:
                return None
            title = await self._pool.fetchval(_TITLE, row["scope"])
        return Invitation(invite=_invite(row), title=title or "")

    async def accept(
        self, digest: bytes, account: str, now: float, most: int
    ) -> tuple[str, Role] | None:
        """Make an account a member: the workspace, and its role there by now.

        A member's role is never lowered by this; who has it already uses nothing up, and may ask
        again after the last use. NONE where
        the workspace has `most` members; None where the invitation does not hold.
        """
        found = await self.look(digest, now)
        if found is None:
            return await self._came_before(digest, account)
        scope = found.invite.scope
        with reaching():
            async with transaction(self._pool) as connection:
                await connection.fetchval(_TOUCH, scope)
                # Asked again under the lock, for those who come at the same time.
                row = await connection.fetchrow(_GOOD, digest, now)
                if row is not None:
                    return scope, await _join(connection, _invite(row), account, most)
        return await self._came_before(digest, account)

    async def _came_before(self, digest: bytes, account: str) -> tuple[str, Role] | None:
        """The workspace of a used-up invitation, for a member with its role or a higher one."""
        with reaching():
            row = await self._pool.fetchrow(_USED_UP, digest)
            if row is None:
                return None
            invite = _invite(row)
            role = Role.of(await self._pool.fetchval(_ROLE, invite.scope, account) or "")
        return (invite.scope, role) if role >= invite.role else None

    async def sweep(self, now: float, most: int) -> int:
        """Remove invitations that have ended; how many."""
        with reaching():
            return int((await self._pool.execute(_SWEEP, now, most)).split()[1])


async def _join(connection: Connection, invite: Invite, account: str, most: int) -> Role:
    known = Role.of(await connection.fetchval(_ROLE, invite.scope, account) or "")
    if known >= invite.role:
        return known
    # A member that rises does not add to the number.
    room = most if known is Role.NONE else most + 1
    done = await connection.execute(_JOIN, invite.scope, account, invite.role.word, room)
    if done == "INSERT 0 0":
        return Role.NONE
    await connection.execute(_COUNT_USE, invite.id)
    return invite.role


def _invite(row: object) -> Invite:
    facts = dict(row)  # type: ignore[call-overload]
    return Invite(**(facts | {"role": Role.of(facts["role"])}))
