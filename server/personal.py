"""Making a personal access token, over REST or for the operator."""

from __future__ import annotations

import secrets

from auth.errors import BadCredential
from auth.opaque import SECRET_BYTES, digest, mint
from auth.personal import NAME_LETTERS_MAX, Scope, prefix_of
from crdt.ids import make_ulid
from storage.access_tokens import AccessToken, AccessTokens

LIFETIME_S_MIN = 1.0
LIFETIME_S_MAX = 3650 * 86_400.0


async def make_token(
    store: AccessTokens,
    *,
    account: str,
    name: str,
    scopes: tuple[Scope, ...],
    now: float,
    lifetime_s: float | None,
    most: int,
    prefix: str | None = None,
) -> tuple[AccessToken, str] | None:
    """A new token and its secret text, which is known nowhere else.

    `prefix` in the place of the one that follows from the scopes.
    None where the account is not active or has `most` tokens. Raises BadCredential.
    """
    shown = "".join(c for c in name if c.isprintable()).strip()
    if not 1 <= len(shown) <= NAME_LETTERS_MAX:
        raise BadCredential("name", f"must have 1 to {NAME_LETTERS_MAX} letters")
    if lifetime_s is not None and not LIFETIME_S_MIN <= lifetime_s <= LIFETIME_S_MAX:
        raise BadCredential("expires_in", f"must be 1 to {LIFETIME_S_MAX:.0f} seconds")
    prefix = prefix or prefix_of(scopes)
    text = mint(prefix, secrets.token_bytes(SECRET_BYTES))
    token = AccessToken(
        id=make_ulid(int(now * 1000), secrets.token_bytes(10)),
        account=account,
        name=shown,
        prefix=prefix,
        scopes=[scope.word for scope in scopes],
        created_at=now,
        expires_at=None if lifetime_s is None else now + lifetime_s,
        used_at=None,
    )
    return (token, text) if await store.add(token, digest(text), most) else None
