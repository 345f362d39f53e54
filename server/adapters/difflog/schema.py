"""Request and reply bodies, field for field as the page spells them.

Fields that a client leaves out are UNSET; null stands for the default, as the web client means it.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from crdt.entries import ID_BYTES_MAX

ID_LETTERS_MAX = 200
"""Letters of the id of a profile."""

_NO_NUL = r"^[^\u0000]*$"
"""What a column of text can hold."""

ItemId = Annotated[str, Meta(min_length=1, max_length=ID_BYTES_MAX // 4, pattern=_NO_NUL)]
"""A UUID, or a diff's id with a number: bounded so that any text of it fits as a record's id."""
ProfileId = Annotated[str, Meta(max_length=ID_LETTERS_MAX, pattern=_NO_NUL)]
Words = list[str] | None | UnsetType
Text = str | None
Secret = Annotated[str, Meta(pattern=_NO_NUL)] | None


class Item(Struct, frozen=True):
    """One opaque item; public diffs are plain JSON, all others ciphertext."""

    id: ItemId
    encrypted_data: str


Items = list[Item] | None


class Metadata(Struct, frozen=True):
    """What of a profile is to change; what is left out stays."""

    name: str | UnsetType = UNSET
    languages: Words = UNSET
    frameworks: Words = UNSET
    tools: Words = UNSET
    topics: Words = UNSET
    depth: Text | UnsetType = UNSET
    custom_focus: Text | UnsetType = UNSET


class Create(Metadata, frozen=True):
    """POST /api/profile/create."""

    id: ProfileId | None = None
    name: str | UnsetType = ""
    password_hash: Secret = None
    encrypted_api_key: Secret = None
    salt: Secret = None
    keys_hash: Secret = None


class Created(Struct, frozen=True):
    """Its answer."""

    id: str
    name: str


class Update(Metadata, frozen=True):
    """PUT /api/profile/{id}."""

    password_hash: Secret = None
    resolved_sources: msgspec.Raw | UnsetType = UNSET


class ProfileQuery(Struct, frozen=True):
    """GET /api/profile/{id}."""

    password_hash: Text = None
    """Percent-encoded: a bare `+` is a space."""
    include_data: Text = None
    """`true`: with the items, as bare texts."""


class PasswordQuery(Struct, frozen=True):
    """DELETE /api/profile/{id}."""

    password_hash: Text = None
    """Percent-encoded: a bare `+` is a space."""


class HashesQuery(Struct, frozen=True):
    """GET /api/profile/{id}/sync."""

    diffs_hash: Text = None
    stars_hash: Text = None
    tldrs_hash: Text = None


class ProfileReply(Struct, frozen=True, omit_defaults=True):
    """GET /api/profile/{id}."""

    id: str
    name: str
    encrypted_api_key: str
    salt: str
    languages: list[str]
    frameworks: list[str]
    tools: list[str]
    topics: list[str]
    depth: str
    custom_focus: str | None
    resolved_sources: msgspec.Raw
    content_updated_at: str | None
    encrypted_diffs: list[str] | UnsetType = UNSET
    encrypted_stars: list[str] | UnsetType = UNSET


class Status(Struct, frozen=True):
    """GET /api/profile/{id}/status."""

    exists: bool
    diffs_hash: str | UnsetType | None = UNSET
    stars_hash: str | UnsetType | None = UNSET
    tldrs_hash: str | UnsetType | None = UNSET
    keys_hash: str | UnsetType | None = UNSET
    content_updated_at: str | UnsetType | None = UNSET


class ContentRequest(Struct, frozen=True):
    """POST /api/profile/{id}/content."""

    password_hash: Secret = None
    diffs_hash: Text = None
    stars_hash: Text = None
    tldrs_hash: Text = None
    keys_hash: Secret = None


class Content(Struct, frozen=True):
    """Its answer. A flag is true or absent: an empty list without it means that all is gone."""

    diffs: list[Item]
    stars: list[Item]
    tldrs: list[Item]
    salt: str
    profile: dict[str, Any]
    encrypted_api_key: str | UnsetType = UNSET
    diffs_skipped: bool | UnsetType = UNSET
    stars_skipped: bool | UnsetType = UNSET
    tldrs_skipped: bool | UnsetType = UNSET
    keys_skipped: bool | UnsetType = UNSET


class Sync(Struct, frozen=True):
    """POST /api/profile/{id}/sync."""

    password_hash: Secret = None
    diffs: Items = None
    stars: Items = None
    tldrs: Items = None
    deleted_diff_ids: list[str] | None = None
    deleted_star_ids: list[str] | None = None
    deleted_tldr_ids: list[str] | None = None
    diffs_hash: Text | UnsetType = UNSET
    stars_hash: Text | UnsetType = UNSET
    tldrs_hash: Text | UnsetType = UNSET
    keys_hash: Secret = None
    encrypted_api_key: Secret = None
    resolved_sources: msgspec.Raw | UnsetType = UNSET
    profile: Metadata | None = None


class Synced(Struct, frozen=True):
    """Its answer; hashes are repeated as they were sent, counts are lengths of the lists."""

    success: bool
    synced: dict[str, int]
    diffs_hash: Text | UnsetType = UNSET
    stars_hash: Text | UnsetType = UNSET
    tldrs_hash: Text | UnsetType = UNSET


class SyncNeeded(Struct, frozen=True):
    """GET /api/profile/{id}/sync."""

    needs_sync: bool
    diffs_sync_needed: bool
    stars_sync_needed: bool
    tldrs_sync_needed: bool
    server_diffs_hash: str | None
    server_stars_hash: str | None
    server_tldrs_hash: str | None
    server_updated_at: str | None


class PasswordChange(Struct, frozen=True):
    """POST /api/profile/{id}/password."""

    old_password_hash: Secret = None
    new_password_hash: Secret = None
    new_encrypted_api_key: Secret = None
    new_salt: Secret = None
    keys_hash: Secret = None
    diffs: Items = None
    stars: Items = None
    tldrs: Items = None


class Done(Struct, frozen=True, omit_defaults=True):
    """What needs no other answer."""

    success: bool
    message: str = ""


class Shared(Struct, frozen=True):
    """GET /api/share/{id}."""

    id: str
    name: str
    languages: list[str]
    frameworks: list[str]
    tools: list[str]
    topics: list[str]
    depth: str
    password_salt: str | None


class PublicDiff(Struct, frozen=True):
    """GET /api/diff/{id}/public; the keys of the diff that are there, and whose it is."""

    id: str
    profile_name: str
    content: Any = UNSET
    title: Any = UNSET
    generated_at: Any = UNSET
    window_days: Any = UNSET


class ShareCodeRequest(Struct, frozen=True):
    """POST /api/share-code."""

    profile_id: ProfileId | None = None


class ShareCode(Struct, frozen=True):
    """Its answer."""

    code: str


class ShareCodeTarget(Struct, frozen=True):
    """GET /api/share-code/{code}."""

    profile_id: str


class Relay(Struct, frozen=True):
    """POST /api/cli/auth/{code}; `expires` is in Unix milliseconds."""

    encrypted_session: Any = None
    expires: float | None = None


class RelayDone(Struct, frozen=True):
    """Its answer."""

    ok: bool


class Relayed(Struct, frozen=True):
    """GET /api/cli/auth/{code}."""

    pending: bool | UnsetType = UNSET
    session: str | UnsetType = UNSET
