"""Settings about people: accounts, logins, tokens, sharing (`topics` says how one is written)."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Accounts, logins and tokens."""

    registration: Literal["", "open", "approval", "closed"] = ""
    """Who may make an account; empty means open on a loopback-only server, else approval."""

    identity_key: str = field(default="", repr=False)
    """Ed25519 seed (base64, or the path of a file) of the server's identity; empty: in data."""

    signing_key: str = field(default="", repr=False)
    """Ed25519 seed (base64, or the path of a file) that signs tokens; empty: in data."""

    access_token_s: int = 900
    """Seconds for which an access token is good."""

    refresh_token_s: int = 30 * 86_400
    """Seconds for which an unused refresh token is good."""

    refresh_grace_s: int = 30
    """Seconds in which a refresh token may be sent again because its answer was lost."""

    session_s: int = 30 * 86_400
    """Seconds for which a browser's session cookie is good."""

    challenge_s: int = 300
    """Seconds for which a login challenge is good."""

    document_token_s: int = 3600
    """Seconds for which a document token is good when its maker names no time."""

    document_token_s_max: int = 86_400
    """Seconds that the maker of a document token may ask for."""

    token_ask_before_s: float = 60.0
    """Seconds before a token ends at which a provider is asked for a new one."""

    login_attempts_per_minute: int = 60
    """Calls of the login routes that one address may make in a minute."""

    accounts_pending_max: int = 1000
    """Accounts that may wait for approval at a time."""

    accounts_pending_s: int = 30 * 86_400
    """Seconds after which an account that nobody approved is removed."""

    keys_per_account_max: int = 32
    """Keys (devices) that one account may have."""

    logins_per_account_max: int = 100
    """Logins that one account may have at a time; the one unused for longest makes room."""

    access_tokens_per_account_max: int = 100
    """Personal access tokens that one account may have at a time."""

    members_per_workspace_max: int = 1000
    """Members that one workspace may have."""

    invites_per_workspace_max: int = 100
    """Invitations that one workspace may have at a time, those that are used up included."""

    links_per_document_max: int = 100
    """Links to one document at a time."""

    workspaces_listed_max: int = 1000
    """Workspaces that one reply lists."""

    sweep_rows_max: int = 10_000
    """Expired rows of one kind that are removed in one statement."""

    rights_poll_s: float = 1.0
    """Seconds between two looks at changed rights; a revocation holds after at most twice that."""

    rights_cache_max: int = 100_000
    """Verified tokens, and likewise rights of an account in a workspace, kept in memory."""
