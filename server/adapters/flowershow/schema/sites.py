"""Bodies and replies about sites: made, listed, changed, without an account."""

from __future__ import annotations

import msgspec


class SiteRow(msgspec.Struct, kw_only=True, rename="camel"):
    """A site in a list."""

    id: str
    project_name: str
    url: str
    file_count: int
    updated_at: str
    created_at: str


class SiteList(msgspec.Struct, kw_only=True):
    """Reply of GET /api/sites."""

    sites: list[SiteRow]
    total: int


class MakeSite(msgspec.Struct, kw_only=True, rename="camel"):
    """Body of POST /api/sites."""

    project_name: str
    overwrite: bool = False


class MadeSite(msgspec.Struct, kw_only=True, rename="camel"):
    """A site that was just made."""

    id: str
    project_name: str
    url: str
    user_id: str
    created_at: str


class SiteMade(msgspec.Struct, kw_only=True):
    """Reply of POST /api/sites."""

    site: MadeSite


class SiteDetail(msgspec.Struct, kw_only=True, rename="camel"):
    """All about a site."""

    id: str
    project_name: str
    gh_repository: str | None
    gh_branch: str | None
    custom_domain: str | None
    root_dir: str | None
    auto_sync: bool
    plan: str
    privacy_mode: str
    enable_comments: bool
    enable_search: bool
    syntax_mode: str
    url: str
    file_count: int
    total_size: int
    updated_at: str
    created_at: str
    title: str = ""
    enable_rss: bool = True
    domain_verified: bool = False
    domain_txt_name: str | None = None
    """The TXT record that shows whose the domain is, and what it must say."""
    domain_txt_value: str | None = None


class SiteReply(msgspec.Struct, kw_only=True):
    """Reply of the routes that show one site."""

    site: SiteDetail


class SiteSeen(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Reply of a look-up by names: nothing at all where the site is not for the caller to see."""

    site: SiteDetail | None = None


class SiteDeleted(msgspec.Struct, kw_only=True, rename="camel"):
    """Reply of DELETE /api/sites/id/{siteId}."""

    success: bool
    message: str
    deleted_files: int


class ChangeSite(msgspec.Struct, kw_only=True, rename="camel"):
    """Body of PATCH /api/sites/id/{siteId}: what is left out stays."""

    custom_domain: str | msgspec.UnsetType | None = msgspec.UNSET
    """None: no domain."""
    password: str | msgspec.UnsetType | None = msgspec.UNSET
    """8 to 128 printable letters of ASCII; None: none, and the site is public."""
    privacy_mode: str | msgspec.UnsetType = msgspec.UNSET
    """PUBLIC or PASSWORD."""
    enable_search: bool | msgspec.UnsetType = msgspec.UNSET
    enable_comments: bool | msgspec.UnsetType = msgspec.UNSET
    enable_rss: bool | msgspec.UnsetType = msgspec.UNSET
    syntax_mode: str | msgspec.UnsetType = msgspec.UNSET
    title: str | msgspec.UnsetType = msgspec.UNSET
    auto_sync: bool | msgspec.UnsetType = msgspec.UNSET


class AnonymousFile(msgspec.Struct, kw_only=True, rename="camel"):
    """A file to publish without an account."""

    file_name: str
    file_size: int
    sha: str


class PublishAnonymously(msgspec.Struct, kw_only=True, rename="camel"):
    """Body of POST /api/sites/publish-anon."""

    anonymous_user_id: str
    """A UUID (version 4) that the browser made."""
    files: list[AnonymousFile]


class AnonymousTarget(msgspec.Struct, kw_only=True, rename="camel"):
    """Where to PUT the bytes of a file."""

    file_name: str
    upload_url: str


class PublishedAnonymously(msgspec.Struct, kw_only=True, rename="camel"):
    """Reply of POST /api/sites/publish-anon."""

    site_id: str
    project_name: str
    files: list[AnonymousTarget]
    live_url: str
    ownership_token: str
    """Good for one claim of this site."""


class Claim(msgspec.Struct, kw_only=True, rename="camel"):
    """Body of POST /api/sites/claim."""

    site_id: str = ""
    ownership_token: str = ""


class ClaimedSite(msgspec.Struct, kw_only=True, rename="camel"):
    """A site that is somebody's now."""

    id: str
    project_name: str
    user_id: str


class Claimed(msgspec.Struct, kw_only=True):
    """Reply of POST /api/sites/claim."""

    success: bool
    site: ClaimedSite


class Password(msgspec.Struct, kw_only=True):
    """The form of a site's login."""

    password: str
