"""Bodies of requests and replies, field for field as the API page spells them.

`verify_session` and `refresh_token` speak camelCase, `verify_key` snake_case: the page does so.
"""

from typing import Any

import msgspec


class Predecessor(msgspec.Struct, kw_only=True):
    """An identity key that was replaced."""

    public_key: str
    successor_signature: str
    """Base58 of its signature over `plait-succession:v1 THIS_KEY NEXT_KEY`; the next key is that of
    the predecessor behind it, or `public_key`."""


class Instance(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Reply of GET /api/."""

    status: str
    version: str
    public_key: str
    name: str
    public_url: str
    selfhosted: bool
    is_admin: bool | None = None
    """Only for those who are logged in."""
    predecessors: list[Predecessor] = []
    """Identity keys that this server had before, and how they named the one that followed."""


class Part(msgspec.Struct):
    """One part of the server, and whether it works: `ok` or `down`."""

    status: str


class Diagnostics(msgspec.Struct):
    """Low-level counters, for people who look into a problem."""

    realtime: dict[str, Any]
    engine: str
    """What runs the hot path: `compiled` (by scripts/compile) or `interpreted`."""


class Health(msgspec.Struct, kw_only=True):
    """Reply of GET /api/health; with 503 when the database is down."""

    status: str
    server: Part
    database: Part
    version: str
    name: str
    public_url: str
    public_key: str
    diagnostics: Diagnostics


class SyncHealth(msgspec.Struct, kw_only=True):
    """Reply of GET /sync/health."""

    status: str
    version: str


class CreateSession(msgspec.Struct, kw_only=True):
    """Body of POST /api/auth/create_session."""

    public_key: str
    email: str | None = None


class SessionCreated(msgspec.Struct, kw_only=True):
    """Reply of POST /api/auth/create_session."""

    success: bool
    challenge: str


class VerifySession(msgspec.Struct, kw_only=True):
    """Body of POST /api/auth/verify_session."""

    public_key: str
    message: str
    signature: str
    server_challenge: str | None = None
    email: str | None = None
    setup_code: str | None = None
    """Ours: the code that makes the first account of a public server its administrator."""


class SessionVerified(msgspec.Struct, kw_only=True):
    """Reply of POST /api/auth/verify_session."""

    success: bool
    access_token: str = msgspec.field(name="accessToken")
    refresh_token: str = msgspec.field(name="refreshToken")
    server_public_key: str
    server_signature: str | None
    signed_server_challenge: str | None
    """The same signature; the page does not name the field, so it stands under both names."""
    server_name: str
    server_url: str
    user_id: str
    workspace_id: str
    is_admin: bool


class VerifyKey(msgspec.Struct, kw_only=True):
    """Body of POST /api/auth/verify_key."""

    public_key: str
    signed_message: str
    message: str
    server_challenge: str | None = None
    setup_code: str | None = None


class KeyVerified(msgspec.Struct, kw_only=True):
    """Reply of POST /api/auth/verify_key for an approved account."""

    success: bool
    verified: bool
    approval_required: bool
    access_token: str
    refresh_token: str
    server_public_key: str
    server_signature: str | None
    signed_server_challenge: str | None
    user_id: str
    workspace_id: str
    is_admin: bool


class KeyPending(msgspec.Struct, kw_only=True):
    """Reply of POST /api/auth/verify_key for an account that waits for approval: no tokens."""

    success: bool
    verified: bool
    approval_required: bool


class Renewed(msgspec.Struct, kw_only=True, rename="camel"):
    """Reply of POST /api/auth/refresh_token."""

    success: bool
    access_token: str
    refresh_token: str
