"""Personal access tokens in a real database."""

import msgspec

from storage.access_tokens import KEPT_S, AccessToken, AccessTokens
from storage.accounts import Accounts
from storage.credentials import Credentials
from storage.pool import Pool
from tests.storage.people import NOW, join


def paper(account: str, number: int = 1, expires_at: float | None = None) -> AccessToken:
    """A token as it is stored."""
    return AccessToken(
        id=f"T{account}-{number}",
        account=account,
        name=f"phone {number}",
        prefix="plait_pat_",
        scopes=["heaps:read"],
        created_at=NOW + number,
        expires_at=expires_at,
        used_at=None,
    )


async def test_a_token_is_found_by_its_digest_and_listed(pool: Pool) -> None:
    """As it was stored; nothing of the secret is in the list."""
    account, _ = await join(pool)
    tokens = AccessTokens(pool)
    first, second = paper(account.id), paper(account.id, 2, NOW + 60)

    assert await tokens.add(first, b"1" * 32, most=2)
    assert await tokens.add(second, b"2" * 32, most=2)
    assert await tokens.find(b"2" * 32) == second
    assert await tokens.find(b"3" * 32) is None
    assert await tokens.listed(account.id) == [second, first]
    assert await tokens.owner(first.id) == account.id


async def test_an_account_has_so_many_tokens_that_are_good(pool: Pool) -> None:
    """One that has ended makes room, another account's do not count."""
    account, other = (await join(pool))[0], (await join(pool))[0]
    tokens = AccessTokens(pool)
    added = [
        await tokens.add(paper(account.id, 1, NOW + 1.5), b"1" * 32, most=1),
        await tokens.add(paper(other.id, 1), b"2" * 32, most=1),
        await tokens.add(paper(account.id, 2), b"3" * 32, most=1),
        await tokens.add(paper(account.id, 3), b"4" * 32, most=1),
    ]

    assert added == [True, True, True, False]


async def test_revoking_moves_the_version_of_the_account(pool: Pool) -> None:
    """So that every node notices; another account's token is not touched."""
    account, other = (await join(pool))[0], (await join(pool))[0]
    tokens, accounts = AccessTokens(pool), Accounts(pool)
    token = paper(account.id)
    await tokens.add(token, b"1" * 32, most=1)

    assert await tokens.revoke(other.id, token.id) == 0
    standing = await tokens.standing(account.id, token.id)
    assert standing is not None
    assert standing.is_live
    assert await tokens.revoke(account.id, token.id) == 1
    after = await tokens.standing(account.id, token.id)
    assert after is not None
    assert not after.is_live
    known = await accounts.get(account.id)
    assert known is not None
    assert known.auth_version == after.auth_version == account.auth_version + 1


async def test_disabling_an_account_ends_its_tokens_for_good(pool: Pool) -> None:
    """Enabled again, it has none; a disabled one gets none."""
    account, _ = await join(pool)
    tokens, accounts = AccessTokens(pool), Accounts(pool)
    await tokens.add(paper(account.id), b"1" * 32, most=5)
    await accounts.disable(account.id)

    assert not await tokens.add(paper(account.id, 2), b"2" * 32, most=5)
    await accounts.enable(account.id)
    assert await tokens.listed(account.id) == []


async def test_a_document_token_ends_with_the_token_it_was_asked_for_with(pool: Pool) -> None:
    """It is worth nothing once that is revoked."""
    account, _ = await join(pool)
    tokens, credentials = AccessTokens(pool), Credentials(pool)
    await tokens.add(paper(account.id), b"1" * 32, most=1)
    live = []
    for _ in range(2):
        standing = await credentials.standing_of_document_token(
            account.id, "jti", NOW, paper(account.id).id
        )
        assert standing is not None
        live.append(standing.is_live)
        await tokens.revoke(account.id, None)

    assert live == [True, False]


async def test_the_last_use_only_moves_on(pool: Pool) -> None:
    """Two nodes that write in any order leave the later time."""
    account, _ = await join(pool)
    tokens = AccessTokens(pool)
    token = paper(account.id)
    await tokens.add(token, b"1" * 32, most=1)
    await tokens.used({token.id: NOW + 100, "unknown": NOW})
    await tokens.used({token.id: NOW + 50})

    assert await tokens.listed(account.id) == [msgspec.structs.replace(token, used_at=NOW + 100)]


async def test_tokens_that_ended_long_ago_are_removed(pool: Pool) -> None:
    """Those that ended lately stay to be seen, those without an end for ever."""
    account, _ = await join(pool)
    tokens = AccessTokens(pool)
    for number, expires_at in enumerate((NOW - KEPT_S - 1, NOW - 1, None)):
        await tokens.add(paper(account.id, number, expires_at), bytes([number]) * 32, most=5)

    assert await tokens.sweep(NOW, 10) == 1
    assert len(await tokens.listed(account.id)) == 2
