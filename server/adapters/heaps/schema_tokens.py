"""Bodies and replies of the routes of personal access tokens."""

import msgspec


class MakeToken(msgspec.Struct, kw_only=True):
    """Body of POST /api/access-tokens."""

    name: str
    scopes: list[str]
    """Words such as `heaps:read` or `pinakes:write`, each API once."""
    expires_in: int | None = None
    """Seconds for which it is good; absent: until it is revoked."""


class Token(msgspec.Struct, kw_only=True):
    """A personal access token, without its secret."""

    id: str
    name: str
    prefix: str
    """How the token begins."""
    scopes: list[str]
    created_at: str
    expires_at: str | None
    last_used_at: str | None
    """To a minute."""
    is_expired: bool


class TokenMade(msgspec.Struct, kw_only=True):
    """Reply of POST /api/access-tokens: the only time that the token itself is shown."""

    success: bool
    token: str
    access_token: Token


class TokenList(msgspec.Struct, kw_only=True):
    """Reply of GET /api/access-tokens, the newest first."""

    success: bool
    access_tokens: list[Token]


class RevokeToken(msgspec.Struct, kw_only=True):
    """Body of DELETE /api/access-tokens: one token, or all of them."""

    id: str | None = None
    all: bool = False


class TokensRevoked(msgspec.Struct, kw_only=True):
    """Reply of the two DELETE routes."""

    success: bool
    revoked: int
