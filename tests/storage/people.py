"""Makes accounts and logins for tests of storage; ids are counted, not random."""

import itertools

from auth.refresh import RefreshToken, digest
from auth.registration import Admission
from storage.accounts import Account, Accounts, Newcomer
from storage.credentials import Credentials
from storage.pool import Pool

NOW = 1_790_000_000.0
MONTH = 30 * 86_400.0
_numbers = itertools.count(1)


def active(_has_administrator: bool) -> Admission:
    """Let anybody in, as no administrator."""
    return Admission(is_active=True, is_admin=False)


def pending(_has_administrator: bool) -> Admission:
    """Let nobody in without approval."""
    return Admission(is_active=False, is_admin=False)


def newcomer(number: int | None = None) -> Newcomer:
    """What a new account is made of; another one at each call without a number."""
    number = next(_numbers) if number is None else number
    return Newcomer(
        account=f"A{number}",
        workspace=f"W{number}",
        device=f"D{number}",
        key=number.to_bytes(32),
        email_hint="ada@example.org",
    )


async def join(pool: Pool) -> tuple[Account, str]:
    """An active account and its device."""
    return await Accounts(pool).register(newcomer(), active, pending_max=10)


async def log_in(pool: Pool, account: Account, device: str, most: int = 10) -> RefreshToken:
    """A login of an account; the token that is current."""
    number = next(_numbers)
    token = RefreshToken(f"F{number}", digest(f"first-{number}"))
    await Credentials(pool).open(
        account=account.id,
        device=device,
        family=token.family,
        digest=token.digest,
        now=NOW + number,
        expires_at=NOW + MONTH,
        most=most,
    )
    return token
