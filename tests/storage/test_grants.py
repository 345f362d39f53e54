"""Members, roles and the versions by which nodes notice a change."""

from auth.principal import Role
from storage.accounts import Accounts
from storage.grants import Grants, Place
from storage.pool import Pool
from tests.storage.people import join


async def test_a_stranger_has_no_role_and_an_unknown_workspace_is_none(pool: Pool) -> None:
    """The owner owns, a stranger is nothing, and a workspace that is not there has no rights."""
    grants = Grants(pool)
    owner, _ = await join(pool)
    stranger, _ = await join(pool)

    assert await grants.place(owner.id, owner.default_workspace) == Place(Role.OWNER, 1)
    assert await grants.place(stranger.id, owner.default_workspace) == Place(Role.NONE, 1)
    assert await grants.place(owner.id, "nowhere") is None


async def test_a_change_of_role_moves_the_workspace_version(pool: Pool) -> None:
    """Given, changed and taken away: each shows in role and version."""
    grants = Grants(pool)
    owner, _ = await join(pool)
    member, _ = await join(pool)
    scope = owner.default_workspace
    seen = []
    for role in (Role.VIEWER, Role.EDITOR, Role.NONE):
        await grants.set_member(scope, member.id, role)
        seen.append(await grants.place(member.id, scope))

    assert seen == [Place(Role.VIEWER, 2), Place(Role.EDITOR, 3), Place(Role.NONE, 4)]


async def test_a_deleted_workspace_gives_no_rights(pool: Pool) -> None:
    """Neither by asking for it nor in the list."""
    grants = Grants(pool)
    owner, _ = await join(pool)
    await pool.execute("UPDATE scopes SET deleted_at = now()")

    assert await grants.place(owner.id, owner.default_workspace) is None
    assert await grants.workspaces(owner.id, most=10) == []


async def test_workspaces_hold_ones_own_and_shared_ones(pool: Pool) -> None:
    """A member sees the shared workspace with the member's role, up to a bound."""
    grants = Grants(pool)
    owner, _ = await join(pool)
    member, _ = await join(pool)
    await grants.create_workspace("W-second", owner.id, "Second")
    await grants.set_member("W-second", member.id, Role.VIEWER)
    found = await grants.workspaces(member.id, most=10)

    assert {(w.id, w.role, w.title) for w in found} == {
        (member.default_workspace, Role.OWNER, "Home"),
        ("W-second", Role.VIEWER, "Second"),
    }
    assert len(await grants.workspaces(member.id, most=1)) == 1


async def test_moved_tells_exactly_what_moved(pool: Pool) -> None:
    """Newer versions and what is gone are told, what is unchanged is not."""
    grants = Grants(pool)
    one, _ = await join(pool)
    two, _ = await join(pool)
    known = {one.id: 1, two.id: 1, "gone": 3}
    scopes = {one.default_workspace: 1, two.default_workspace: 1}
    await Accounts(pool).set_admin(one.id, is_admin=True)
    await grants.set_member(two.default_workspace, one.id, Role.VIEWER)

    assert sorted(await grants.moved(known, scopes)) == [
        ("account", one.id, 2),
        ("account", "gone", 0),
        ("scope", two.default_workspace, 2),
    ]
    assert await grants.moved({}, {}) == []
