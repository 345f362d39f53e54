"""Bodies and replies of the routes of the session cookie."""

import msgspec


class Open(msgspec.Struct, kw_only=True):
    """Body of POST /api/session: a signed challenge, as `/api/auth/verify_session` takes it."""

    public_key: str
    message: str
    signature: str = ""
    signed_message: str = ""
    """Another name of `signature`."""
    server_challenge: str | None = None
    """Text for the server to sign in turn: base64, 16 to 512 bytes."""
    email: str | None = None
    setup_code: str | None = None
    register: bool = True
    """False: only for a key that is known; a new one makes no account and gets 401."""


class Opened(msgspec.Struct, kw_only=True):
    """Reply of POST /api/session; the cookie is in `Set-Cookie`."""

    success: bool
    user_id: str
    workspace_id: str
    is_admin: bool
    session_id: str
    expires_at: str
    server_public_key: str
    server_signature: str | None
    """Over `server_challenge`, by the server's identity key."""


class Current(msgspec.Struct, kw_only=True):
    """Reply of GET /api/session."""

    success: bool
    user_id: str
    workspace_id: str
    is_admin: bool
    session_id: str
    expires_at: str


class Ended(msgspec.Struct, kw_only=True):
    """Reply of DELETE /api/session."""

    success: bool


class Token(msgspec.Struct, kw_only=True):
    """Reply of POST /api/session/token."""

    success: bool
    access_token: str
    """For `Authorization: Bearer`; keep it in memory only."""
    expires_in: int
    """Seconds."""
