"""From what is stored of an account to what it is told of itself."""

from auth.keys import encode_base58
from auth.principal import Principal
from server.adapters.heaps import schema_me as schema
from server.adapters.heaps.moments import spelled
from server.settings import Settings
from storage.accounts import Account
from storage.credentials import LoginRecord
from storage.devices import Key
from storage.grants import Workspace
from storage.usage import Usage


def me(
    principal: Principal,
    account: Account,
    *,
    keys: list[Key],
    workspaces: list[Workspace],
    usage: Usage,
    settings: Settings,
) -> schema.Me:
    """The account."""
    own = [key.key for key in keys if key.device == principal.device]
    shown = limits(settings)
    return schema.Me(
        success=True,
        id=account.id,
        user_id=account.id,
        public_key=encode_base58((own or [key.key for key in keys])[0]),
        email=account.email_hint,
        is_admin=account.is_admin,
        created_at=account.created_at.isoformat(),
        device_id=principal.device or "",
        session_id=principal.family or "",
        default_workspace_id=account.default_workspace,
        workspaces=[_workspace(each, account.default_workspace) for each in workspaces],
        subscriptions=[],
        entitlements=entitlements(usage, shown),
        usage=_usage(usage),
        limits=shown,
    )


def limits(settings: Settings) -> schema.Limits:
    """The bounds that hold for every account."""
    return schema.Limits(
        document_bytes_max=settings.document_bytes_max,
        update_bytes_max=settings.update_bytes_max,
        uploads_max=settings.uploads_per_account_max,
        push_blocks_max=settings.push_blocks_max,
        push_bytes_max=settings.push_bytes_max,
        documents_per_connection_max=settings.documents_per_connection_max,
        workspaces_max=settings.workspaces_listed_max,
        members_per_workspace_max=settings.members_per_workspace_max,
        keys_max=settings.keys_per_account_max,
        sessions_max=settings.logins_per_account_max,
        access_tokens_max=settings.access_tokens_per_account_max,
        file_bytes_max=settings.file_bytes_max,
        files_bytes_max=settings.account_bytes_max,
    )


def entitlements(usage: Usage, bounds: schema.Limits) -> list[schema.Entitlement]:
    """What the account may have, beside how much of it it has."""
    rows = (
        ("workspaces", usage.workspaces, bounds.workspaces_max),
        ("documents", usage.documents, None),
        ("document_bytes", _usage(usage).bytes, None),
        ("file_bytes", usage.file_bytes + usage.reserved_bytes, bounds.files_bytes_max),
        ("devices", usage.devices, bounds.keys_max),
        ("sessions", usage.sessions, bounds.sessions_max),
        ("access_tokens", usage.access_tokens, bounds.access_tokens_max),
    )
    return [schema.Entitlement(feature=name, used=used, limit=most) for name, used, most in rows]


def sessions(
    principal: Principal, logins: list[LoginRecord], keys: list[Key], now: float
) -> schema.Sessions:
    """The logins that have not ended."""
    names = {key.device: key.label for key in keys}
    return schema.Sessions(
        success=True,
        sessions=[
            schema.Session(
                id=login.family,
                device_id=login.device,
                device_name=names.get(login.device, ""),
                created_at=spelled(login.created_at),
                last_used_at=spelled(login.used_at),
                expires_at=spelled(login.expires_at),
                is_current=login.family == principal.family,
                client=login.client,
            )
            for login in logins
            if login.expires_at > now
        ],
    )


def device(principal: Principal, key: Key) -> schema.Device:
    """One device."""
    return schema.Device(
        id=key.device,
        device_id=key.device,
        name=key.label,
        public_key=encode_base58(key.key),
        created_at=key.created_at.isoformat(),
        is_current=key.device == principal.device,
    )


def label(text: str) -> str:
    """A name that can be shown."""
    return "".join(letter for letter in text if letter.isprintable()).strip()


def _workspace(workspace: Workspace, default: str) -> schema.OwnWorkspace:
    return schema.OwnWorkspace(
        id=workspace.id,
        workspace_id=workspace.id,
        title=workspace.title,
        role=workspace.role.word,
        is_default=workspace.id == default,
        created_at=workspace.created_at.isoformat(),
    )


def _usage(usage: Usage) -> schema.Usage:
    documents = usage.log_bytes + usage.snapshot_bytes + usage.history_bytes
    return schema.Usage(
        workspaces=usage.workspaces,
        documents=usage.documents,
        bytes=documents,
        log_bytes=usage.log_bytes,
        snapshot_bytes=usage.snapshot_bytes,
        history_bytes=usage.history_bytes,
        files=usage.files,
        file_bytes=usage.file_bytes,
        total_bytes=documents + usage.file_bytes,
        devices=usage.devices,
        sessions=usage.sessions,
        access_tokens=usage.access_tokens,
    )
