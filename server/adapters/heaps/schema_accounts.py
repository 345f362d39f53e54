"""Bodies and replies of the routes about accounts: those of administrators, and one's devices."""

from typing import Annotated, Literal

import msgspec

ACCOUNTS_MAX = 1000


class AccountsPage(msgspec.Struct, kw_only=True):
    """Query of GET /api/admin/accounts."""

    state: Literal["pending", "active", "disabled", "refused"] | None = None
    """Only accounts in this state."""
    after: str = ""
    """`next` of the page before."""
    limit: Annotated[int, msgspec.Meta(ge=1, le=ACCOUNTS_MAX)] = 100


class Account(msgspec.Struct, kw_only=True):
    """One account as administrators see it."""

    id: str
    user_id: str
    state: str
    """pending, active, disabled or refused."""
    is_admin: bool
    email: str
    """What somebody typed; nobody has verified it."""
    public_keys: list[str]
    created_at: str


class AccountList(msgspec.Struct, kw_only=True):
    """Reply of GET /api/admin/accounts, in the order of their ids."""

    success: bool
    accounts: list[Account]
    has_more: bool
    next: str | None


class AccountChanged(msgspec.Struct, kw_only=True):
    """Reply of the routes that change one account: what it is now."""

    success: bool
    account: Account
