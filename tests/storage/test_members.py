"""Members and invitations in a real database."""

import asyncio

import pytest

from auth.principal import Role
from storage.accounts import Account, Accounts
from storage.errors import LastOwner
from storage.grants import Grants
from storage.members import Invite, Members
from storage.pool import Pool
from storage.workspaces import Workspaces
from tests.storage.people import NOW, join

MOST = 100


async def home(pool: Pool) -> tuple[Account, Members]:
    """Somebody with a workspace, and the members of all."""
    account, _ = await join(pool)
    return account, Members(pool)


def invitation(
    owner: Account,
    role: Role = Role.EDITOR,
    *,
    number: int = 1,
    uses_max: int | None = None,
    expires_at: float | None = None,
) -> Invite:
    """An invitation to somebody's first workspace."""
    return Invite(
        id=f"I{owner.id}-{number}",
        scope=owner.default_workspace,
        creator=owner.id,
        role=role,
        name="friends",
        uses=0,
        uses_max=uses_max,
        created_at=NOW + number,
        expires_at=expires_at,
    )


async def roles(members: Members, scope: str) -> dict[str, Role]:
    """Role by account."""
    return {member.account: member.role for member in await members.of(scope, MOST)}


async def version(pool: Pool, scope: str) -> int:
    """The rights version of a workspace."""
    return int(await pool.fetchval("SELECT rights_version FROM scopes WHERE id = $1", scope))


async def test_members_are_listed_with_a_key(pool: Pool) -> None:
    """The oldest first, each with the first key of its account."""
    owner, members = await home(pool)
    (found,) = await members.of(owner.default_workspace, MOST)

    assert (found.account, found.role, len(found.key)) == (owner.id, Role.OWNER, 32)


async def test_a_change_of_role_moves_the_version(pool: Pool) -> None:
    """And is refused for those who are no members."""
    owner, members = await home(pool)
    guest, _ = await join(pool)
    scope = owner.default_workspace
    assert not await members.change(scope, guest.id, Role.OWNER)
    await Grants(pool).set_member(scope, guest.id, Role.EDITOR)
    before = await version(pool, scope)

    assert await members.change(scope, guest.id, Role.VIEWER)
    assert await roles(members, scope) == {owner.id: Role.OWNER, guest.id: Role.VIEWER}
    assert await version(pool, scope) == before + 1
    assert await members.change(scope, guest.id, Role.NONE)
    assert await roles(members, scope) == {owner.id: Role.OWNER}


async def test_at_least_one_owner_stays(pool: Pool) -> None:
    """Of two owners who leave at once, one is left, and the workspace is his."""
    first, members = await home(pool)
    second, _ = await join(pool)
    scope = first.default_workspace
    with pytest.raises(LastOwner):
        await members.change(scope, first.id, Role.EDITOR)
    await Grants(pool).set_member(scope, second.id, Role.OWNER)
    outcomes = await asyncio.gather(
        members.change(scope, first.id, Role.NONE),
        members.change(scope, second.id, Role.NONE),
        return_exceptions=True,
    )
    left = await roles(members, scope)

    assert sorted(map(str, outcomes)) == sorted(["True", str(LastOwner())])
    assert list(left.values()) == [Role.OWNER]
    assert await Workspaces(pool).owner(scope) == (*left, False)


async def test_an_owner_whose_account_is_closed_does_not_count(pool: Pool) -> None:
    """Nobody could share any more."""
    first, members = await home(pool)
    second, _ = await join(pool)
    await Grants(pool).set_member(first.default_workspace, second.id, Role.OWNER)
    await Accounts(pool).disable(second.id)

    with pytest.raises(LastOwner):
        await members.change(first.default_workspace, first.id, Role.NONE)


async def test_an_invitation_makes_members(pool: Pool) -> None:
    """As often as it may be used; coming twice uses nothing up."""
    owner, members = await home(pool)
    guests = [(await join(pool))[0].id for _ in range(3)]
    scope = owner.default_workspace
    assert await members.invite(invitation(owner, uses_max=2), b"1" * 32, MOST)
    before = await version(pool, scope)
    joined = [
        await members.accept(b"1" * 32, guest, NOW, MOST)
        for guest in (guests[0], guests[0], guests[1], guests[2])
    ]
    (kept,) = await members.invites(scope)

    assert joined == [(scope, Role.EDITOR)] * 3 + [None]
    assert kept.uses == 2
    assert await version(pool, scope) > before
    assert await members.look(b"1" * 32, NOW) is None


async def test_of_many_at_once_as_many_come_as_may(pool: Pool) -> None:
    """The number of uses holds whoever asks at the same time."""
    owner, members = await home(pool)
    guests = [(await join(pool))[0].id for _ in range(8)]
    await members.invite(invitation(owner, uses_max=3), b"1" * 32, MOST)
    joined = await asyncio.gather(
        *(members.accept(b"1" * 32, guest, NOW, MOST) for guest in guests)
    )

    assert len([one for one in joined if one is not None]) == 3
    assert len(await roles(members, owner.default_workspace)) == 4


async def test_a_role_is_raised_and_never_lowered(pool: Pool) -> None:
    """A viewer may rise by an invitation, an owner does not fall by one."""
    owner, members = await home(pool)
    guest, _ = await join(pool)
    scope = owner.default_workspace
    await Grants(pool).set_member(scope, guest.id, Role.VIEWER)
    await members.invite(invitation(owner), b"1" * 32, MOST)

    assert await members.accept(b"1" * 32, guest.id, NOW, 2) == (scope, Role.EDITOR)
    assert await members.accept(b"1" * 32, owner.id, NOW, 2) == (scope, Role.OWNER)


async def test_a_full_workspace_takes_nobody(pool: Pool) -> None:
    """The invitation stays good for when there is room."""
    owner, members = await home(pool)
    guest, _ = await join(pool)
    await members.invite(invitation(owner, uses_max=1), b"1" * 32, MOST)

    assert await members.accept(b"1" * 32, guest.id, NOW, 1) == (
        owner.default_workspace,
        Role.NONE,
    )
    assert await members.look(b"1" * 32, NOW) is not None


@pytest.mark.parametrize("how", ["expired", "withdrawn", "demoted", "disabled", "deleted"])
async def test_an_invitation_is_as_good_as_whoever_made_it(pool: Pool, how: str) -> None:
    """It ends with its time, its revocation, its maker's right or the workspace."""
    owner, members = await home(pool)
    other, guest = (await join(pool))[0], (await join(pool))[0]
    scope = owner.default_workspace
    await Grants(pool).set_member(scope, other.id, Role.OWNER)
    invite = invitation(owner, expires_at=NOW + 60)
    await members.invite(invite, b"1" * 32, MOST)
    now = NOW + 59
    looked = await members.look(b"1" * 32, now)
    assert looked is not None
    assert looked.title == "Home"
    if how == "expired":
        now = NOW + 60
    elif how == "withdrawn":
        assert await members.withdraw(scope, invite.id)
        assert not await members.withdraw(scope, invite.id)
    elif how == "demoted":
        await members.change(scope, owner.id, Role.EDITOR)
    elif how == "disabled":
        await Accounts(pool).disable(owner.id)
    else:
        await pool.execute("UPDATE scopes SET deleted_at = now() WHERE id = $1", scope)

    assert await members.look(b"1" * 32, now) is None
    assert await members.accept(b"1" * 32, guest.id, now, MOST) is None


async def test_invitations_are_bounded_and_swept(pool: Pool) -> None:
    """So many for one workspace; those that ended go."""
    owner, members = await home(pool)
    added = [
        await members.invite(
            invitation(owner, number=number, expires_at=NOW + number), bytes([number]) * 32, 2
        )
        for number in range(3)
    ]

    assert added == [True, True, False]
    assert [one.name for one in await members.invites(owner.default_workspace)] == ["friends"] * 2
    assert await members.sweep(NOW + 0.5, 10) == 1
