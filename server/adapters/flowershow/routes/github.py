"""The GitHub App: installations of it, and sites that follow a repository."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from auth.errors import Unauthorized
from crdt.ids import make_ulid
from server.adapter import ANYONE, SESSION, Routes, principal_of
from server.adapters.flowershow import schema
from server.adapters.flowershow.mapping import moment
from server.adapters.flowershow.policy import WRITE, Complaint, invalid
from server.adapters.flowershow.routes.sites import check_username
from server.adapters.flowershow.stores import STORES
from server.describe import Reply
from server.errors import BadBody
from server.hosts import HOSTS
from server.http import read_body, reply
from server.identity import IDENTITY
from server.sites.catalogue import SITES
from server.sites.github.client import GitHubError, is_repository
from server.sites.names import is_path, site_name
from server.sites.publishing import PUBLISHING
from storage.errors import StorageError
from storage.sites import Installation, Repository, Site

ROUTES = Routes("GitHub App")

STATE_S = 15 * 60
_SKEW_S = 60
_NAMES_MAX = 1000
_UNSET_UP = {501: "not_configured: this server has no GitHub App."}


@ROUTES.post(
    "/api/sites/github",
    access=WRITE,
    body=schema.FollowRepository,
    replies={201: schema.FollowingMade},
    errors={
        400: "invalid_request, no_username or branch_not_found.",
        404: "installation_not_found.",
        **_UNSET_UP,
    },
)
async def follow(request: web.Request) -> web.Response:
    """Make a site that follows a branch of a repository; its first sync begins at once."""
    body = await read_body(request, schema.FollowRepository)
    _check(body)
    stores, account = request.app[STORES], principal_of(request).account
    stores.following.app.require()
    await check_username(request, account)
    link = await stores.github.find(body.installation_id, account)
    # Before any token is asked for: a foreign installation is as good as none.
    if link is None or link.account != account:
        raise Complaint(404, "installation_not_found", "there is no such installation of yours")
    if (
        await stores.following.app.commit(link.installation, body.gh_repository, body.gh_branch)
        is None
    ):
        raise Complaint(400, "branch_not_found", "the repository has no such branch")
    site = await _make(request, body, link, account)
    stores.following.begin(site, link.installation)
    made = schema.FollowingSite(
        id=site.id,
        project_name=site.name,
        url=request.app[SITES].url(site),
        gh_repository=body.gh_repository,
        gh_branch=body.gh_branch,
        root_dir=site.root_dir,
        auto_sync=site.auto_sync,
        user_id=account,
        created_at=moment(site.created_at),
    )
    return reply(schema.FollowingMade(site=made), 201)


@ROUTES.get("/api/github-app/installations", access=SESSION, reply=schema.InstallationList)
async def installations(request: web.Request) -> web.Response:
    """The installations that the caller has linked, with what each may read."""
    store = request.app[STORES].github
    links = await store.of(principal_of(request).account)
    known = await store.repositories([link.installation for link in links])
    rows = [_row(link, known[link.installation]) for link in links]
    return reply(schema.InstallationList(installations=rows))


@ROUTES.post(
    "/api/github-app/installation-url",
    access=SESSION,
    body=schema.InstallationWish,
    reply=schema.InstallationUrl,
    errors=_UNSET_UP,
)
async def installation_url(request: web.Request) -> web.Response:
    """Where to send somebody who is to install the App; the state in it is good for 15 minutes."""
    try:
        target = (await read_body(request, schema.InstallationWish)).suggested_target_id
    except BadBody:
        target = None
    stores, identity = request.app[STORES], request.app[IDENTITY]
    stores.following.app.require()
    now = identity.clock()
    state = stores.states.mint(
        {"userId": principal_of(request).account, "iat": int(now)}, now=now, lifetime_s=STATE_S
    )
    query = {"state": state} | ({"suggested_target_id": str(target)} if target else {})
    settings = identity.settings
    base = f"{settings.github_url.rstrip('/')}/apps/{settings.github_app_slug}/installations/new"
    return reply(schema.InstallationUrl(url=f"{base}?{urlencode(query)}", state=state))


@ROUTES.post(
    "/api/github-app/sync-repositories",
    access=SESSION,
    body=schema.RepositorySync,
    reply=schema.RepositoriesSynced,
    errors={400: "invalid_request.", 404: "not_found.", **_UNSET_UP},
)
async def sync_repositories(request: web.Request) -> web.Response:
    """Ask GitHub anew what an installation may read."""
    body = await read_body(request, schema.RepositorySync)
    if not body.installation_id:
        raise invalid("installationId is needed")
    stores, account = request.app[STORES], principal_of(request).account
    stores.following.app.require()
    link = await stores.github.find(str(body.installation_id), account)
    if link is None or link.account != account:
        raise Complaint(404, "not_found", "there is no such installation of yours")
    found = await stores.following.app.repositories(link.installation)
    await stores.github.put(link.installation, found, whole=True)
    return reply(schema.RepositoriesSynced(success=True, repositories_count=len(found)))


@ROUTES.delete(
    "/api/github-app/installations/{link_id}",
    access=SESSION,
    body=None,
    reply=schema.InstallationDeleted,
    errors={403: "It is somebody else's.", 404: ""},
)
async def unlink(request: web.Request) -> web.Response:
    """Forget an installation; at GitHub it stays. Sites that follow it stop."""
    store, account = request.app[STORES].github, principal_of(request).account
    link = await store.find(request.match_info["link_id"], account)
    if link is None:
        raise Complaint(404, "not_found", "there is no such installation")
    if link.account != account:
        raise Complaint(403, "forbidden", "this installation is somebody else's")
    await store.unlink(link.id)
    return reply(schema.InstallationDeleted(success=True, message="Installation deleted"))


@ROUTES.get(
    "/api/github-app/callback",
    access=ANYONE,
    replies={302: Reply(headers={"Location": "The page of sites, with `error` where it failed."})},
)
async def callback(request: web.Request) -> web.Response:
    """Where GitHub sends somebody who has installed the App: it is linked to the account."""
    stores, query = request.app[STORES], request.query
    number = query.get("installation_id", "")
    if not number.isascii() or not number.isdecimal() or len(number) > 18:
        return _back(request, "missing_installation_id")
    try:
        said = stores.states.verify(query.get("state", ""), request.app[IDENTITY].clock())
    except Unauthorized:
        return _back(request, "invalid_state")
    try:
        linked = await _link(request, int(number), said)
    except (GitHubError, StorageError):
        linked = False
    return _back(request, None if linked else "callback_failed")


async def _link(request: web.Request, number: int, said: dict[str, Any]) -> bool:
    """Link an installation to the account of a state; whether it is one that it may have."""
    stores = request.app[STORES]
    if not stores.following.app.is_configured:
        return False
    found = await stores.following.app.account(number)
    # Anybody can write any number into the URL. Who has just been at GitHub with this state has
    # changed that installation since.
    if found is None or found.updated_at < said["iat"] - _SKEW_S:
        return False
    link = make_ulid(int(request.app[IDENTITY].clock() * 1000), secrets.token_bytes(10))
    link = f"inst_{link.lower()}"
    await stores.github.link(link, said["userId"], number, found.login, found.kind)
    repositories = await stores.following.app.repositories(number)
    await stores.github.put(number, repositories, whole=True)
    return True


def _back(request: web.Request, error: str | None) -> web.Response:
    query = "github=linked" if error is None else urlencode({"error": error})
    where = f"{request.app[HOSTS].public_url}/sites?{query}"
    return web.Response(status=302, headers={"Location": where, "Cache-Control": "no-store"})


def _check(body: schema.FollowRepository) -> None:
    """Refuse what cannot be a repository, a branch or a folder. Raises Complaint."""
    fields = {
        "ghRepository": body.gh_repository,
        "ghBranch": body.gh_branch,
        "installationId": body.installation_id,
    }
    missing = [name for name, value in fields.items() if not value]
    if missing:
        raise invalid(f"missing: {', '.join(missing)}")
    if not is_repository(body.gh_repository):
        raise invalid("ghRepository must look like owner/repository")
    if len(body.gh_branch) > 255 or not body.gh_branch.isprintable():
        raise invalid("ghBranch is no name of a branch")
    root = (body.root_dir or "").strip("/")
    if root and not is_path(root):
        raise invalid("rootDir is no folder")


async def _make(
    request: web.Request, body: schema.FollowRepository, link: Installation, account: str
) -> Site:
    """A site under the first name that is free. Raises Complaint."""
    name = site_name(body.project_name or body.gh_repository.partition("/")[2])
    if name is None:
        raise invalid("projectName cannot be the name of a site")
    for number in range(1, _NAMES_MAX):
        site = await request.app[PUBLISHING].create(
            account,
            name if number == 1 else f"{name[:90]}-{number}",
            gh_repository=body.gh_repository,
            gh_branch=body.gh_branch,
            gh_installation=link.id,
            root_dir=(body.root_dir or "").strip("/") or None,
            auto_sync=True,
        )
        if site is not None:
            return site
    raise Complaint(409, "site_exists", "there are too many sites of that name")


def _row(link: Installation, repositories: list[Repository]) -> schema.InstallationRow:
    return schema.InstallationRow(
        id=link.id,
        installation_id=str(link.installation),
        account_login=link.login,
        account_type=link.kind,
        repositories=[
            schema.InstalledRepository(
                id=str(each.repository),
                repository_id=str(each.repository),
                name=each.name,
                full_name=each.full_name,
                is_private=each.is_private,
            )
            for each in repositories
        ],
        suspended_at=None if link.suspended_at is None else moment(link.suspended_at),
        created_at=moment(link.created_at),
        updated_at=moment(link.updated_at),
    )
