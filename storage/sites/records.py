"""What is kept of a published site, besides its files."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

KIND = "site"
"""Of a site's scope, and of the document that lists its files."""
LIST = "plait:files"
"""The name of that document; no file of a site can have it."""


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """One site: all but its files. A stale one does no harm: ask again for what must be so now."""

    id: str
    scope: str
    """Where its documents lie; its owner is the owner there."""
    document: UUID
    """The list of its files."""
    account: str | None
    """None: published anonymously, and not claimed yet."""
    username: str
    """Of the account; empty without one."""
    name: str
    """In addresses: small letters, digits, `-` and `_`."""
    title: str
    """What its owner calls it; empty: its name."""
    privacy: str
    """PUBLIC or PASSWORD."""
    password_hash: str | None
    password_version: int
    enable_search: bool
    enable_comments: bool
    enable_rss: bool
    syntax: str
    """md, mdx, auto, or whatever its owner said."""
    domain: str | None
    """That its owner wants; it serves only from `domain_verified_at` on."""
    domain_token: str
    """What the TXT record of that domain must say."""
    domain_verified_at: datetime | None
    gh_repository: str | None
    gh_branch: str | None
    gh_installation: str | None
    root_dir: str | None
    auto_sync: bool
    anonymous_owner: str | None
    claim_digest: bytes | None
    expires_at: datetime | None
    file_count: int
    """Files and their bytes, as of the last change."""
    total_bytes: int
    created_at: datetime
    updated_at: datetime
    """When its files or settings were last changed other than by typing."""

    @property
    def is_protected(self) -> bool:
        """Whether visitors need the password."""
        return self.privacy == "PASSWORD"

    @property
    def own_domain(self) -> str | None:
        """The domain that it is served at, if one was verified."""
        return self.domain if self.domain_verified_at is not None else None


SETTINGS = frozenset(
    {
        "title",
        "privacy",
        "password_hash",
        "enable_search",
        "enable_comments",
        "enable_rss",
        "syntax",
        "domain",
        "domain_verified_at",
        "domain_token",
        "gh_repository",
        "gh_branch",
        "gh_installation",
        "root_dir",
        "auto_sync",
    }
)
"""The columns that `change` takes."""


class NewSite(msgspec.Struct, frozen=True, kw_only=True):
    """What a site is made of; the ids and secrets are the caller's."""

    id: str
    scope: str
    account: str | None
    name: str
    domain_token: str
    anonymous_owner: str | None = None
    claim_digest: bytes | None = None
    expires_at: datetime | None = None
    gh_repository: str | None = None
    gh_branch: str | None = None
    gh_installation: str | None = None
    root_dir: str | None = None
    auto_sync: bool = False
