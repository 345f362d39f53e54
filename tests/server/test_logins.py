"""The login apart from HTTP: the order of checks, and what each failure leaves behind."""

import asyncio
from dataclasses import replace

import pytest

from auth.errors import ApprovalRequired, BadCredential, Unauthorized
from server.identity import Identity
from server.logins import Attempt
from storage.pool import Pool
from tests.server.person import Person


def attempt(identity: Identity, person: Person) -> Attempt:
    """A good attempt from this machine."""
    message = identity.logins.challenge(person.public_key)
    return Attempt(
        public_key=person.public_key,
        message=message,
        signature=person.sign(message),
        is_local=True,
    )


async def rows(pool: Pool, table: str) -> int:
    """How many rows a table has."""
    return int(await pool.fetchval(f"SELECT count(*) FROM {table}"))


async def test_asking_for_challenges_fills_no_table(identity: Identity, pool: Pool) -> None:
    """A thousand challenges for as many keys leave nothing behind."""
    for _ in range(1000):
        identity.logins.challenge(Person().public_key)

    assert await rows(pool, "used_challenges") == 0


async def test_a_failed_attempt_reaches_no_table(identity: Identity, pool: Pool) -> None:
    """Bad shape, seal or signature: refused before the database, and the challenge stays good."""
    person = Person()
    good = attempt(identity, person)
    for bad, error in (
        (replace(good, public_key="x"), BadCredential),
        (replace(good, signature="x"), BadCredential),
        (replace(good, server_challenge="x"), BadCredential),
        (replace(good, message=good.message + "x"), Unauthorized),
        (replace(good, signature="00" * 64), Unauthorized),
    ):
        with pytest.raises(error):
            await identity.logins.log_in(bad)
    assert await rows(pool, "used_challenges") == 0

    done = await identity.logins.log_in(good)
    assert done.account.is_admin


async def test_first_logins_at_once_make_one_administrator(identity: Identity, pool: Pool) -> None:
    """However many keys race to be the first."""
    people = [Person() for _ in range(8)]
    done = await asyncio.gather(
        *(identity.logins.log_in(attempt(identity, person)) for person in people)
    )

    assert sum(each.account.is_admin for each in done) == 1
    assert await rows(pool, "accounts") == 8


async def test_first_logins_of_one_key_at_once_are_one_account(
    identity: Identity, pool: Pool
) -> None:
    """Two tabs that log in with a new key end with one account and two logins."""
    person = Person()
    done = await asyncio.gather(
        *(identity.logins.log_in(attempt(identity, person)) for _ in range(4))
    )

    assert len({each.account.id for each in done}) == 1
    assert await rows(pool, "refresh_families") == 4


async def test_a_pending_account_opens_no_login(identity: Identity, pool: Pool) -> None:
    """It is made and waits; nothing is signed for it and no login exists."""
    with pytest.raises(ApprovalRequired):
        await identity.logins.log_in(replace(attempt(identity, Person()), is_local=False))

    assert await rows(pool, "accounts") == 1
    assert await rows(pool, "refresh_families") == 0


async def test_the_pair_of_a_login_never_shares_its_secret(identity: Identity) -> None:
    """What is stored is a digest, and each login has a secret of its own."""
    person = Person()
    one = await identity.logins.log_in(attempt(identity, person))
    two = await identity.logins.log_in(attempt(identity, person))

    assert one.pair.refresh != two.pair.refresh
    assert one.pair.access != two.pair.access
