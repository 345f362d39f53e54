"""Keys of accounts in a real database."""

import asyncio

from storage.accounts import Accounts
from storage.credentials import Credentials
from storage.devices import Devices
from storage.pool import Pool
from tests.storage.people import NOW, active, join, log_in, newcomer, pending


async def test_an_account_has_several_keys(pool: Pool) -> None:
    """A second device logs in to the same account; a key belongs to one account only."""
    accounts, devices = Accounts(pool), Devices(pool)
    account, device = await join(pool)
    other, _ = await join(pool)

    assert await devices.add(account.id, b"2" * 32, "second", "phone", most=5)
    assert not await devices.add(other.id, b"2" * 32, "third", "", most=5)
    login = await accounts.login(b"2" * 32, b"c" * 32, NOW)
    assert login.account is not None
    assert (login.account.id, login.device) == (account.id, "second")
    assert [key.device for key in await devices.of(account.id)] == [device, "second"]


async def test_keys_are_bounded_under_concurrency(pool: Pool) -> None:
    """Of ten keys added at once to an account that may have four, three are taken."""
    devices = Devices(pool)
    account, _ = await join(pool)
    added = await asyncio.gather(
        *(devices.add(account.id, bytes([n]) * 32, f"d{n}", "", most=4) for n in range(10))
    )

    assert sum(added) == 3


async def test_removing_a_key_ends_its_logins_and_never_takes_the_last(pool: Pool) -> None:
    """Of two devices that remove each other at once, one stays."""
    devices, credentials = Devices(pool), Credentials(pool)
    account, device = await join(pool)
    await devices.add(account.id, b"2" * 32, "second", "", most=5)
    token = await log_in(pool, account, device)
    removed = await asyncio.gather(
        devices.remove(account.id, device), devices.remove(account.id, "second")
    )

    assert sorted(removed) == [False, True]
    standing = await credentials.standing_of_login(account.id, token.family)
    assert standing is not None
    assert standing.is_live is not removed[0]


async def test_a_device_that_waits_for_approval_comes_in_all_the_same(pool: Pool) -> None:
    """Its own pending account goes, workspace included; one that was approved stays."""
    accounts, devices = Accounts(pool), Devices(pool)
    account, _ = await join(pool)
    waiting, _ = await accounts.register(newcomer(8001), pending, pending_max=10)
    known, _ = await accounts.register(newcomer(8002), active, pending_max=10)

    assert await devices.add(account.id, (8001).to_bytes(32), "phone", "", most=5)
    assert not await devices.add(account.id, (8002).to_bytes(32), "other", "", most=5)
    assert await accounts.get(waiting.id) is None
    assert await accounts.get(known.id) == known
    left = await pool.fetchval("SELECT count(*) FROM scopes WHERE id = $1", "W8001")
    assert left == 0


async def test_the_keys_of_many_accounts_come_at_once(pool: Pool) -> None:
    """Each account has its own, unknown ones none."""
    (first, _), (second, _) = await join(pool), await join(pool)
    await Devices(pool).add(first.id, b"2" * 32, "phone", "", most=5)
    found = await Devices(pool).of_all([first.id, second.id, "nobody"])

    assert [len(found[name]) for name in (first.id, second.id, "nobody")] == [2, 1, 0]
