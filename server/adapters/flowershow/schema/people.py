"""Bodies and replies about people: errors, the device flow, names, tokens, passwords."""

from __future__ import annotations

from typing import Any

import msgspec


class Complaint(msgspec.Struct, kw_only=True):
    """An error."""

    error: str
    """One word, for programs."""
    message: str
    """One sentence, for people."""
    error_description: str | msgspec.UnsetType = msgspec.UNSET
    """The same sentence, under its name in OAuth."""


class Done(msgspec.Struct, kw_only=True):
    """Reply of what has nothing else to say."""

    success: bool = True


class DeviceStarted(msgspec.Struct, kw_only=True):
    """Reply of POST /api/cli/device/authorize."""

    device_code: str
    """For the device alone."""
    user_code: str
    """For somebody to type."""
    verification_uri: str
    verification_uri_complete: str
    expires_in: int
    interval: int
    """Seconds between two questions."""


class DeviceClient(msgspec.Struct, kw_only=True):
    """Body of POST /api/cli/device/authorize; all of it may be left out."""

    client_name: Any = None


class DeviceQuestion(msgspec.Struct, kw_only=True):
    """Body of POST /api/cli/device/token, as JSON or as a form."""

    device_code: str = ""
    grant_type: str = ""


class DeviceToken(msgspec.Struct, kw_only=True):
    """Reply of POST /api/cli/device/token."""

    access_token: str
    token_type: str = "bearer"  # noqa: S105 (a word of OAuth)
    expires_in: int | None = None


class DeviceApproval(msgspec.Struct, kw_only=True):
    """Body of POST /api/cli/authorize."""

    user_code: str = ""
    """In any case, with or without the hyphen."""
    deny: bool = False
    """Tell the device that it may not."""


class DeviceWaiting(msgspec.Struct, kw_only=True):
    """Reply of GET /api/cli/authorize: what somebody should know before approving."""

    user_code: str
    client_name: str
    """As the device calls itself."""
    address: str
    """Where it asked from."""
    created_at: str
    expires_at: str


class User(msgspec.Struct, kw_only=True):
    """Reply of GET and PATCH /api/user."""

    id: str
    name: str | None
    username: str
    """Empty until one is chosen."""
    email: str | None
    image: str | None
    role: str
    """USER or ADMIN."""


class ChangeUser(msgspec.Struct, kw_only=True):
    """Body of PATCH /api/user."""

    username: str | None = None
    name: str | None = None


class RevokeToken(msgspec.Struct, kw_only=True):
    """Body of POST /api/tokens/revoke."""

    token_id: str
