"""Making a personal token: what is refused, and what is kept of it."""

import pytest

from auth.errors import BadCredential
from auth.opaque import digest
from auth.personal import read_scopes
from server.personal import make_token
from storage.access_tokens import AccessToken, AccessTokens
from storage.pool import Pool
from tests.storage.people import NOW, join

SCOPES = read_scopes(["heaps:read"])


async def make(
    pool: Pool, account: str, name: str = "x", lifetime_s: float | None = None, most: int = 9
) -> tuple[AccessToken, str] | None:
    """Make a token as the route does."""
    return await make_token(
        AccessTokens(pool),
        account=account,
        name=name,
        scopes=SCOPES,
        now=NOW,
        lifetime_s=lifetime_s,
        most=most,
    )


async def test_a_token_is_kept_as_a_digest(pool: Pool) -> None:
    """No row of the database holds the secret."""
    account, _ = await join(pool)
    made = await make(pool, account.id, "my phone", 60)
    assert made is not None
    token, text = made

    assert await AccessTokens(pool).find(digest(text)) == token
    assert (token.name, token.expires_at) == ("my phone", NOW + 60)
    assert text not in str([dict(row) for row in await pool.fetch("SELECT * FROM access_tokens")])


@pytest.mark.parametrize("name", ["", "  ", "\0\n", "x" * 101])
async def test_a_token_needs_a_name(pool: Pool, name: str) -> None:
    """One that can be read and is not endless."""
    with pytest.raises(BadCredential, match="name"):
        await make(pool, "A", name)


@pytest.mark.parametrize("lifetime_s", [0, -1, 1e12])
async def test_a_token_ends_within_ten_years_or_never(pool: Pool, lifetime_s: float) -> None:
    """A time that has passed is a mistake."""
    with pytest.raises(BadCredential, match="expires_in"):
        await make(pool, "A", lifetime_s=lifetime_s)


async def test_too_many_are_refused(pool: Pool) -> None:
    """As are those for an account that is not there."""
    account, _ = await join(pool)
    await make(pool, account.id, most=1)

    assert await make(pool, account.id, most=1) is None
    assert await make(pool, "nobody") is None
