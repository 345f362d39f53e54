"""Accounts and their keys in a real database."""

import asyncio

import pytest

from auth.errors import RegistrationClosed, RegistrationFull
from auth.principal import Role
from auth.registration import Admission, Mode, admit
from storage.accounts import EMAIL_LETTERS_MAX, Accounts
from storage.credentials import Credentials
from storage.errors import LastAdministrator, Unavailable
from storage.grants import Grants
from storage.pool import Pool, open_pool
from tests.storage.people import MONTH, NOW, active, join, log_in, newcomer, pending


def by_mode(mode: Mode, *, is_loopback: bool = True):  # noqa: ANN201 (a function of a test)
    """The rule of registration, as the login route binds it."""

    def decide(has_administrator: bool) -> Admission:
        return admit(
            mode, has_administrator=has_administrator, is_loopback=is_loopback, code_fits=False
        )

    return decide


async def test_a_new_account_has_one_workspace_and_owns_it(pool: Pool) -> None:
    """Registration makes the workspace, the membership and the key together."""
    person = newcomer()
    account, device = await Accounts(pool).register(person, active, pending_max=10)
    workspaces = await Grants(pool).workspaces(account.id, most=10)

    assert [(w.id, w.role, w.owner) for w in workspaces] == [
        (person.workspace, Role.OWNER, account.id)
    ]
    assert account.default_workspace == person.workspace
    assert (account.state, device) == ("active", person.device)


async def test_a_key_is_found_by_its_account(pool: Pool) -> None:
    """A login with a known key gives the account and the device, an unknown one neither."""
    person = newcomer()
    await Accounts(pool).register(person, active, pending_max=10)
    known = await Accounts(pool).login(person.key, b"1" * 32, NOW)
    unknown = await Accounts(pool).login(b"?" * 32, b"2" * 32, NOW)

    assert known.account is not None
    assert (known.account.id, known.device) == (person.account, person.device)
    assert (unknown.is_fresh, unknown.account, unknown.device) == (True, None, None)


async def test_a_challenge_is_used_once_by_however_many(pool: Pool, database: str) -> None:
    """Of twenty uses at the same time, over two pools, exactly one is the first."""
    other = await open_pool(database)
    try:
        logins = await asyncio.gather(
            *(Accounts(p).login(b"k" * 32, b"c" * 32, NOW) for p in (pool, other) * 10)
        )
    finally:
        await other.close()

    assert sum(login.is_fresh for login in logins) == 1


async def test_the_first_account_is_the_administrator_and_only_one(pool: Pool) -> None:
    """Of ten first registrations at the same time, one is the administrator."""
    accounts = Accounts(pool)
    made = await asyncio.gather(
        *(accounts.register(newcomer(), by_mode(Mode.APPROVAL), pending_max=10) for _ in range(10))
    )

    assert sorted(account.is_admin for account, _ in made) == [False] * 9 + [True]
    assert sorted(account.state for account, _ in made) == ["active"] + ["pending"] * 9
    assert await accounts.has_administrator()


async def test_one_key_registered_twice_at_once_is_one_account(pool: Pool) -> None:
    """The second of two racing registrations finds the account of the first."""
    accounts, person = Accounts(pool), newcomer()
    rivals = [
        person,
        *(
            type(person)(account=f"X{n}", workspace=f"Y{n}", device=f"Z{n}", key=person.key)
            for n in range(4)
        ),
    ]
    made = await asyncio.gather(*(accounts.register(r, active, pending_max=10) for r in rivals))

    assert len({(account.id, device) for account, device in made}) == 1
    assert await pool.fetchval("SELECT count(*) FROM accounts") == 1
    assert await pool.fetchval("SELECT count(*) FROM scopes") == 1


async def test_closed_registration_leaves_nothing_behind(pool: Pool) -> None:
    """A refusal makes no account, no key and no workspace."""
    with pytest.raises(RegistrationClosed):
        await Accounts(pool).register(newcomer(), by_mode(Mode.CLOSED), pending_max=10)

    for table in ("accounts", "account_keys", "scopes", "members"):
        assert await pool.fetchval(f"SELECT count(*) FROM {table}") == 0


async def test_waiting_accounts_are_bounded(pool: Pool) -> None:
    """A server keeps so many pending accounts and refuses the next."""
    accounts = Accounts(pool)
    for _ in range(3):
        await accounts.register(newcomer(), pending, pending_max=3)

    with pytest.raises(RegistrationFull):
        await accounts.register(newcomer(), pending, pending_max=3)
    assert len(await accounts.listed("pending")) == 3


async def test_the_hint_of_an_address_is_cut_and_never_matched(pool: Pool) -> None:
    """Two people may write the same address, and a long one is cut."""
    accounts = Accounts(pool)
    one, _ = await accounts.register(newcomer(), active, pending_max=10)
    two, _ = await accounts.register(newcomer(), active, pending_max=10)
    long = newcomer()
    long = type(long)(
        account=long.account,
        workspace=long.workspace,
        device=long.device,
        key=long.key,
        email_hint="x" * 9999,
    )
    three, _ = await accounts.register(long, active, pending_max=10)

    assert one.id != two.id
    assert len(three.email_hint) == EMAIL_LETTERS_MAX


async def test_approval_and_listing(pool: Pool) -> None:
    """A pending account is listed as such, becomes active once, and its version moves."""
    accounts = Accounts(pool)
    account, _ = await accounts.register(newcomer(), pending, pending_max=10)

    assert [a.id for a in await accounts.listed("pending")] == [account.id]
    assert await accounts.approve(account.id)
    assert not await accounts.approve(account.id)
    assert not await accounts.approve("nobody")
    after = await accounts.get(account.id)
    assert after is not None
    assert (after.state, after.auth_version) == ("active", account.auth_version + 1)


async def test_listing_goes_on_behind_the_last(pool: Pool) -> None:
    """Pages of accounts follow one another without a gap."""
    accounts = Accounts(pool)
    ids = [(await join(pool))[0].id for _ in range(5)]
    first = await accounts.listed("active", limit=3)
    second = await accounts.listed("active", after=first[-1].id, limit=3)

    assert [a.id for a in first + second] == sorted(ids)


async def test_disabling_ends_every_login(pool: Pool) -> None:
    """A disabled account has no logins, its version moved, and enabling brings none back."""
    accounts, credentials = Accounts(pool), Credentials(pool)
    account, device = await join(pool)
    token = await log_in(pool, account, device)

    assert await accounts.disable(account.id)
    standing = await credentials.standing_of_login(account.id, token.family)
    assert standing is not None
    assert not standing.is_live
    assert standing.auth_version > account.auth_version
    assert await accounts.enable(account.id)
    again = await credentials.standing_of_login(account.id, token.family)
    assert again is not None
    assert not again.is_live
    assert not await accounts.disable("nobody")


async def test_a_refused_account_stays_refused(pool: Pool) -> None:
    """Its key finds it, it can still be approved, and it goes with those that wait too long."""
    accounts, credentials = Accounts(pool), Credentials(pool)
    first, _ = await accounts.register(newcomer(7001), pending, pending_max=10)
    second, _ = await accounts.register(newcomer(7002), pending, pending_max=10)

    assert await accounts.refuse(first.id)
    assert await accounts.refuse(second.id)
    assert not await accounts.refuse(first.id)
    login = await accounts.login((7001).to_bytes(32), b"r" * 32, NOW)
    assert login.account is not None
    assert login.account.state == "refused"
    assert [account.id for account in await accounts.listed("refused")] == [first.id, second.id]
    assert await accounts.approve(first.id)
    assert not await accounts.refuse(first.id)
    created_at = second.created_at.timestamp()
    await credentials.sweep(created_at + 61, pending_s=60)
    assert await accounts.get(first.id) is not None
    assert await accounts.get(second.id) is None


async def test_the_last_administrator_stays(pool: Pool) -> None:
    """Of two who close each other's accounts at once, one is left; he cannot step down."""
    accounts = Accounts(pool)
    (first, _), (second, _), (third, _) = [await join(pool) for _ in range(3)]
    for account in (first, second):
        await accounts.set_admin(account.id, is_admin=True)
    outcomes = await asyncio.gather(
        accounts.disable(first.id), accounts.disable(second.id), return_exceptions=True
    )
    left = first if isinstance(outcomes[0], LastAdministrator) else second

    assert sorted(map(str, outcomes)) == ["True", str(LastAdministrator())]
    with pytest.raises(LastAdministrator):
        await accounts.set_admin(left.id, is_admin=False)
    assert await accounts.disable(third.id)
    assert await accounts.enable(second.id if left is first else first.id)
    assert await accounts.set_admin(left.id, is_admin=False)


async def test_making_an_administrator_moves_the_version(pool: Pool) -> None:
    """Nodes that know the account hear of it."""
    accounts = Accounts(pool)
    account, _ = await join(pool)

    assert await accounts.set_admin(account.id, is_admin=True)
    after = await accounts.get(account.id)
    assert after is not None
    assert (after.is_admin, after.auth_version) == (True, account.auth_version + 1)


async def test_without_a_database_the_error_is_ours(pool: Pool) -> None:
    """A caller outside storage sees Unavailable, never the driver's error."""
    await pool.close()

    with pytest.raises(Unavailable):
        await Accounts(pool).get("A")
    with pytest.raises(Unavailable):
        await Accounts(pool).register(newcomer(), active, pending_max=1)


async def test_accounts_that_waited_too_long_are_removed_whole(pool: Pool) -> None:
    """A pending account goes after its time with key and workspace; active ones stay."""
    accounts = Accounts(pool)
    kept, _ = await join(pool)
    await accounts.register(newcomer(), pending, pending_max=10)
    await pool.execute("UPDATE accounts SET created_at = to_timestamp($1)", NOW)

    assert await Credentials(pool).sweep(NOW + MONTH - 1, pending_s=MONTH) == 0
    assert await Credentials(pool).sweep(NOW + MONTH + 1, pending_s=MONTH) == 1
    assert await accounts.listed("pending") == []
    assert [a.id for a in await accounts.listed("active")] == [kept.id]
    assert await pool.fetchval("SELECT count(*) FROM scopes") == 1
    assert await pool.fetchval("SELECT count(*) FROM account_keys") == 1
