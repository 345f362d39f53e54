"""Bodies and replies about the GitHub App and the sites that follow repositories."""

from __future__ import annotations

import msgspec


class InstalledRepository(msgspec.Struct, kw_only=True, rename="camel"):
    """A repository that an installation may read."""

    id: str
    repository_id: str
    name: str
    full_name: str
    is_private: bool


class InstallationRow(msgspec.Struct, kw_only=True, rename="camel"):
    """An installation that the caller has linked."""

    id: str
    installation_id: str
    account_login: str
    account_type: str
    repositories: list[InstalledRepository]
    suspended_at: str | None
    created_at: str
    updated_at: str


class InstallationList(msgspec.Struct, kw_only=True):
    """Reply of GET /api/github-app/installations."""

    installations: list[InstallationRow]


class InstallationWish(msgspec.Struct, kw_only=True, rename="camel"):
    """Body of POST /api/github-app/installation-url; all of it may be left out."""

    suggested_target_id: str | int | None = None


class InstallationUrl(msgspec.Struct, kw_only=True):
    """Reply of POST /api/github-app/installation-url."""

    url: str
    state: str


class RepositorySync(msgspec.Struct, kw_only=True, rename="camel"):
    """Body of POST /api/github-app/sync-repositories."""

    installation_id: str | int = ""
    """GitHub's number, or the id of the record."""


class RepositoriesSynced(msgspec.Struct, kw_only=True, rename="camel"):
    """Reply of POST /api/github-app/sync-repositories."""

    success: bool
    repositories_count: int


class InstallationDeleted(msgspec.Struct, kw_only=True):
    """Reply of DELETE /api/github-app/installations/{id}."""

    success: bool
    message: str


class FollowRepository(msgspec.Struct, kw_only=True, rename="camel"):
    """Body of POST /api/sites/github."""

    gh_repository: str = ""
    gh_branch: str = ""
    installation_id: str = ""
    root_dir: str | None = None
    project_name: str | None = None


class FollowingSite(msgspec.Struct, kw_only=True, rename="camel"):
    """A site that follows a repository."""

    id: str
    project_name: str
    url: str
    gh_repository: str
    gh_branch: str
    root_dir: str | None
    auto_sync: bool
    user_id: str
    created_at: str


class FollowingMade(msgspec.Struct, kw_only=True):
    """Reply of POST /api/sites/github."""

    site: FollowingSite
