"""Reply of `me`, and the bodies and replies of one's own sessions and devices."""

from typing import Annotated, Any

import msgspec

Label = Annotated[str, msgspec.Meta(max_length=100)]


class OwnWorkspace(msgspec.Struct, kw_only=True):
    """One workspace in the reply of POST /api/me."""

    id: str
    workspace_id: str
    title: str
    role: str
    is_default: bool
    created_at: str


class Usage(msgspec.Struct, kw_only=True):
    """What is stored in the account's own workspaces, and what else counts against a limit."""

    workspaces: int
    documents: int
    """Those in the trash included."""
    bytes: int
    """Of documents: their logs, snapshots and older versions."""
    log_bytes: int
    snapshot_bytes: int
    history_bytes: int
    """Kept to read older versions; it shrinks as they are thinned with age."""
    files: int
    file_bytes: int
    total_bytes: int
    """Of documents and files."""
    devices: int
    sessions: int
    access_tokens: int


class Limits(msgspec.Struct, kw_only=True):
    """The bounds that a client of this account meets."""

    document_bytes_max: int
    update_bytes_max: int
    uploads_max: int
    push_blocks_max: int
    push_bytes_max: int
    documents_per_connection_max: int
    workspaces_max: int
    members_per_workspace_max: int
    keys_max: int
    sessions_max: int
    access_tokens_max: int
    file_bytes_max: int
    """Of one file."""
    files_bytes_max: int
    """Of all files in the account's own workspaces."""


class Entitlement(msgspec.Struct, kw_only=True):
    """Something that the account may have so much of."""

    feature: str
    used: int
    limit: int | None
    """None: as much as the server has room for."""


class Me(msgspec.Struct, kw_only=True):
    """Reply of POST /api/me."""

    success: bool
    id: str
    user_id: str
    public_key: str
    """Of the device that asks; with a personal token, of the account's first one."""
    email: str
    is_admin: bool
    created_at: str
    device_id: str
    session_id: str
    default_workspace_id: str
    workspaces: list[OwnWorkspace]
    subscriptions: list[dict[str, Any]]
    """None: this server sells nothing."""
    entitlements: list[Entitlement]
    usage: Usage
    limits: Limits


class Session(msgspec.Struct, kw_only=True):
    """One login: a device with the tokens that it got."""

    id: str
    device_id: str
    device_name: str
    created_at: str
    last_used_at: str
    """When its tokens were last renewed."""
    expires_at: str
    is_current: bool
    client: str
    """How a browser with a session cookie calls itself; empty for a login with tokens."""


class Sessions(msgspec.Struct, kw_only=True):
    """Reply of GET /api/sessions, the one used last first."""

    success: bool
    sessions: list[Session]


class SessionsEnded(msgspec.Struct, kw_only=True):
    """Reply of the routes that end sessions."""

    success: bool
    ended: int


class Device(msgspec.Struct, kw_only=True):
    """One key of the account."""

    id: str
    device_id: str
    name: str
    public_key: str
    created_at: str
    is_current: bool


class Devices(msgspec.Struct, kw_only=True):
    """Reply of GET /api/devices, the oldest first."""

    success: bool
    devices: list[Device]


class AddDevice(msgspec.Struct, kw_only=True):
    """Body of POST /api/devices: the new device's key, which signed a challenge of its own."""

    public_key: str
    message: str
    """A challenge that `create_session` issued for that key."""
    signature: str
    name: Label = ""


class RenameDevice(msgspec.Struct, kw_only=True):
    """Body of PATCH /api/devices/:id."""

    name: Label


class DeviceChanged(msgspec.Struct, kw_only=True):
    """Reply of the routes that add or rename a device."""

    success: bool
    device: Device


class DeviceRemoved(msgspec.Struct, kw_only=True):
    """Reply of DELETE /api/devices/:id."""

    success: bool
    id: str
