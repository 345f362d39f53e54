"""Logins in a real database: rotation, reuse, revocation, expiry."""

import asyncio

import pytest

from auth.errors import AccountDisabled, Unauthorized
from auth.refresh import GRACE_S, RefreshToken, digest
from storage.accounts import Accounts
from storage.credentials import Credentials, Renewed
from storage.grants import Grants
from storage.pool import Pool
from tests.storage.people import MONTH, NOW, join, log_in


def successor(token: RefreshToken, text: str) -> RefreshToken:
    """The token that `text` stands for, in the same family."""
    return RefreshToken(token.family, digest(text))


async def renew(pool: Pool, shown: RefreshToken, new: RefreshToken, now: float) -> Renewed:
    """Rotate as the login route does."""
    return await Credentials(pool).renew(
        shown, new.digest, now=now, expires_at=now + MONTH, grace_s=GRACE_S
    )


async def is_live(pool: Pool, account: str, token: RefreshToken) -> bool:
    """Whether access tokens of that login hold."""
    standing = await Credentials(pool).standing_of_login(account, token.family)
    assert standing is not None
    return standing.is_live


async def test_a_used_refresh_token_is_dead_and_ends_the_login(pool: Pool) -> None:
    """After the grace time, showing the first token again revokes the whole family."""
    account, device = await join(pool)
    first = await log_in(pool, account, device)
    second, third = successor(first, "second"), successor(first, "third")

    assert await renew(pool, first, second, NOW) == Renewed(account.id, first.family)
    with pytest.raises(Unauthorized, match="token_revoked"):
        await renew(pool, first, third, NOW + GRACE_S + 1)
    assert not await is_live(pool, account.id, first)
    with pytest.raises(Unauthorized, match="token_revoked"):
        await renew(pool, second, third, NOW + GRACE_S + 2)


async def test_a_lost_answer_is_repaired(pool: Pool) -> None:
    """The same token within 30 s, its successor unused, gets another successor that works."""
    account, device = await join(pool)
    first = await log_in(pool, account, device)
    lost, found = successor(first, "lost"), successor(first, "found")
    await renew(pool, first, lost, NOW)
    await renew(pool, first, found, NOW + 29)

    assert await renew(pool, found, successor(first, "next"), NOW + 900)
    assert await is_live(pool, account.id, first)


async def test_a_token_re_sent_after_its_successor_was_used_ends_the_login(pool: Pool) -> None:
    """Even within the 30 s."""
    account, device = await join(pool)
    first = await log_in(pool, account, device)
    second = successor(first, "second")
    await renew(pool, first, second, NOW)
    await renew(pool, second, successor(first, "third"), NOW + 1)

    with pytest.raises(Unauthorized, match="token_revoked"):
        await renew(pool, first, successor(first, "fourth"), NOW + 2)
    assert not await is_live(pool, account.id, first)


async def test_two_renewals_at_once_leave_one_line(pool: Pool) -> None:
    """Two requests with one token are both answered; after one goes on, the other is dead."""
    account, device = await join(pool)
    first = await log_in(pool, account, device)
    one, two = successor(first, "one"), successor(first, "two")
    await asyncio.gather(renew(pool, first, one, NOW), renew(pool, first, two, NOW))
    await renew(pool, one, successor(first, "three"), NOW + 5)

    with pytest.raises(Unauthorized, match="token_revoked"):
        await renew(pool, two, successor(first, "four"), NOW + 6)


async def test_reuse_revokes_even_while_the_account_is_disabled(pool: Pool) -> None:
    """Reuse and disabling at the same time end in no deadlock and no login."""
    account, device = await join(pool)
    tokens = [await log_in(pool, account, device) for _ in range(5)]
    for token in tokens:
        await renew(pool, token, successor(token, "second"), NOW)
    results = await asyncio.gather(
        *(renew(pool, token, successor(token, "x"), NOW + 99) for token in tokens),
        Accounts(pool).disable(account.id),
        return_exceptions=True,
    )

    assert [type(result) for result in results[:-1]] == [Unauthorized] * 5
    assert results[-1] is True
    assert await pool.fetchval("SELECT count(*) FROM refresh_families") == 0


async def test_the_reused_token_of_another_family_touches_nobody_else(pool: Pool) -> None:
    """One login of an account ends, its others go on."""
    account, device = await join(pool)
    one, two = await log_in(pool, account, device), await log_in(pool, account, device)
    await renew(pool, one, successor(one, "second"), NOW)

    with pytest.raises(Unauthorized):
        await renew(pool, one, successor(one, "third"), NOW + 100)
    assert await is_live(pool, account.id, two)


async def test_an_expired_login_is_over(pool: Pool) -> None:
    """At its end a refresh token is refused as expired."""
    account, device = await join(pool)
    first = await log_in(pool, account, device)

    with pytest.raises(Unauthorized, match="token_expired"):
        await renew(pool, first, successor(first, "second"), NOW + MONTH)


async def test_logins_are_bounded_and_the_oldest_makes_room(pool: Pool) -> None:
    """The account's version moves, so that the tokens of the one that went stop holding."""
    account, device = await join(pool)
    tokens = [await log_in(pool, account, device, most=3) for _ in range(5)]
    logins = await Credentials(pool).logins(account.id)

    assert [login.family for login in logins] == [t.family for t in reversed(tokens[-3:])]
    assert not await is_live(pool, account.id, tokens[0])
    standing = await Credentials(pool).standing_of_login(account.id, tokens[0].family)
    assert standing is not None
    assert standing.auth_version > account.auth_version


async def test_no_login_for_an_account_that_was_just_disabled(pool: Pool) -> None:
    """Disabling between the check of the key and the login still holds."""
    account, device = await join(pool)
    await Accounts(pool).disable(account.id)

    with pytest.raises(AccountDisabled):
        await log_in(pool, account, device)


async def test_revoking_one_login_and_all(pool: Pool) -> None:
    """Only the owner's logins go, and the version moves each time."""
    credentials = Credentials(pool)
    account, device = await join(pool)
    other, other_device = await join(pool)
    mine = [await log_in(pool, account, device) for _ in range(3)]
    theirs = await log_in(pool, other, other_device)

    assert not await credentials.revoke(account.id, theirs.family)
    assert await credentials.revoke(account.id, mine[0].family)
    assert await credentials.revoke_all(account.id) == 2
    assert await is_live(pool, other.id, theirs)


async def test_a_login_speaks_for_its_own_account_only(pool: Pool) -> None:
    """A family of one account is worth nothing for another."""
    account, device = await join(pool)
    other, _ = await join(pool)
    token = await log_in(pool, account, device)

    assert not await is_live(pool, other.id, token)
    assert await Credentials(pool).standing_of_login("nobody", token.family) is None


async def test_document_tokens_hold_until_revoked_one_by_one_or_all(pool: Pool) -> None:
    """One revoked token leaves the others; revoking all leaves those issued afterwards."""
    credentials, grants = Credentials(pool), Grants(pool)
    account, _ = await join(pool)

    async def holds(token: str, issued_at: float) -> bool:
        standing = await credentials.standing_of_document_token(account.id, token, issued_at)
        assert standing is not None
        return standing.is_live and not standing.is_admin

    assert await holds("one", NOW)
    await grants.revoke_document_token("one", account.id, NOW + 60)
    assert not await holds("one", NOW)
    assert await holds("two", NOW)
    await grants.revoke_document_tokens(account.id, NOW + 10)
    assert not await holds("two", NOW)
    assert await holds("three", NOW + 11)
    await Accounts(pool).disable(account.id)
    assert not await holds("three", NOW + 11)


async def test_what_has_expired_is_swept_and_what_has_not_stays(pool: Pool) -> None:
    """Challenges, logins and revocations go after their end, in bounded bites."""
    credentials, accounts = Credentials(pool), Accounts(pool)
    account, device = await join(pool)
    await log_in(pool, account, device)
    await Grants(pool).revoke_document_token("one", account.id, NOW)
    for number in range(5):
        await accounts.login(b"k" * 32, bytes([number]) * 32, NOW)
    await accounts.login(b"k" * 32, b"later" * 6 + b"xx", NOW + 7200)

    assert await credentials.sweep(NOW + 3599, pending_s=MONTH) == 0
    assert await credentials.sweep(NOW + 3601, pending_s=MONTH, most=3) == 3 + 1
    assert await credentials.sweep(NOW + 3601, pending_s=MONTH, most=3) == 2
    assert await pool.fetchval("SELECT count(*) FROM used_challenges") == 1
    assert await credentials.sweep(NOW + MONTH + 1, pending_s=MONTH) == 2
    assert await pool.fetchval("SELECT count(*) FROM refresh_families") == 0
