"""Sites: made, listed, looked up by id or names, changed and deleted."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from aiohttp import web

from server.adapter import PRINCIPAL, Routes, principal_of
from server.adapters.flowershow import mapping, schema
from server.adapters.flowershow.policy import LOOK, READ, WRITE, Complaint, invalid, own_site
from server.adapters.flowershow.stores import STORES
from server.http import read_body, reply
from server.sites.access import ACCESS, is_password
from server.sites.catalogue import SITES
from server.sites.names import is_domain, lookup_name, site_name
from server.sites.publishing import PUBLISHING
from storage.sites import Site

ROUTES = Routes("Sites")

_TITLE_LETTERS_MAX = 200
_SYNTAX = re.compile(r"[a-z0-9_-]{1,32}")


@ROUTES.get("/api/sites", access=READ, reply=schema.SiteList)
async def listed(request: web.Request) -> web.Response:
    """List the caller's sites, the one changed last first."""
    catalogue = request.app[SITES]
    most = catalogue.settings.sites_per_account_max
    sites = await catalogue.store.listed(principal_of(request).account, most)
    rows = [mapping.row(site, catalogue.url(site)) for site in sites]
    return reply(schema.SiteList(sites=rows, total=len(rows)))


@ROUTES.post(
    "/api/sites",
    access=WRITE,
    body=schema.MakeSite,
    replies={201: schema.SiteMade, 200: schema.SiteMade},
    errors={400: "invalid_request, invalid_project_name or no_username.", 409: "site_exists."},
)
async def make(request: web.Request) -> web.Response:
    """Make a site to publish files to; with `overwrite` an existing one is emptied (200)."""
    body = await read_body(request, schema.MakeSite)
    name = site_name(body.project_name)
    if name is None:
        raise Complaint(
            400, "invalid_project_name", "1 to 100 letters, and no name that stands for a path"
        )
    account = principal_of(request).account
    await check_username(request, account)
    catalogue, publishing = request.app[SITES], request.app[PUBLISHING]
    site = await catalogue.store.of_account(account, name)
    if site is not None:
        if not body.overwrite:
            raise Complaint(409, "site_exists", f"there is a site called {name} already")
        await publishing.sync(site, await publishing.compare(site, []), author=account)
        return reply(mapping.made(site, catalogue.url(site)))
    if await catalogue.store.count(account) >= catalogue.settings.sites_per_account_max:
        raise Complaint(409, "too_many_sites", "the account has as many sites as it may have")
    site = await publishing.create(account, name)
    if site is None:
        raise Complaint(409, "site_exists", f"there is a site called {name} already")
    return reply(mapping.made(site, catalogue.url(site)), 201)


@ROUTES.get("/api/sites/id/{site_id}", access=READ, reply=schema.SiteReply, errors=(404,))
async def detail(request: web.Request) -> web.Response:
    """All about one of the caller's sites."""
    return await _detail(request, await own_site(request))


@ROUTES.patch(
    "/api/sites/id/{site_id}",
    access=WRITE.or_session(),
    body=schema.ChangeSite,
    reply=schema.SiteReply,
    errors={400: "invalid_request, invalid_domain or invalid_password.", 404: ""},
)
async def change(request: web.Request) -> web.Response:
    """Change the settings of a site: domain, password, privacy, search, comments, syntax, title.

    A new password logs every visitor out. A domain serves once its TXT record says what
    `domainTxtValue` says; `GET /api/domain/{domain}/verify` looks.
    """
    site = await own_site(request)
    body = await read_body(request, schema.ChangeSite)
    values = await _changes(request, site, body)
    if values:
        await request.app[SITES].store.change(site.id, values)
    return await _detail(request, await own_site(request))


@ROUTES.delete(
    "/api/sites/id/{site_id}",
    access=WRITE,
    body=None,
    reply=schema.SiteDeleted,
    errors=(404,),
)
async def delete(request: web.Request) -> web.Response:
    """Delete a site for good, with all that is in it."""
    count = await request.app[PUBLISHING].remove(await own_site(request))
    done = schema.SiteDeleted(success=True, message="Site deleted", deleted_files=count)
    return reply(done)


@ROUTES.get(
    "/api/sites/{username}/{projectname}", access=LOOK, reply=schema.SiteSeen, errors=(404,)
)
async def look_up(request: web.Request) -> web.Response:
    """Find a site by owner and name; `anon` and `_domain` stand for sites found otherwise.

    The reply is empty for a site that the caller may not see.
    """
    catalogue = request.app[SITES]
    owner, name = request.match_info["username"], request.match_info["projectname"]
    if owner == "anon":
        site = await catalogue.anonymous(name)
    elif owner == "_domain":
        site = await catalogue.by_domain(name.lower())
    else:
        site = await catalogue.named(owner, lookup_name(name))
    if site is None:
        raise Complaint(404, "not_found", "there is no such site")
    own = is_owner(request, site)
    if not own and not request.app[ACCESS].may_read(request, site):
        return reply(schema.SiteSeen(), headers={"Cache-Control": "no-store"})
    return await _detail(request, site, own=own)


def is_owner(request: web.Request, site: Site) -> bool:
    """Whether who asks, if anybody is known to, owns a site."""
    principal = request.get(PRINCIPAL)
    return principal is not None and principal.account == site.account


async def check_username(request: web.Request, account: str, **facts: Any) -> None:  # noqa: ANN401
    """Refuse those whose sites would have no address."""
    profile = await request.app[STORES].people.find(account)
    if profile is None or not profile.username:
        raise Complaint(400, "no_username", "choose a username first (PATCH /api/user)", **facts)


async def _detail(request: web.Request, site: Site, *, own: bool = True) -> web.Response:
    catalogue = request.app[SITES]
    contents = (await catalogue.listing(site)).contents
    found = mapping.detail(site, catalogue.url(site), contents, own=own)
    return reply(schema.SiteReply(site=found), headers={"Cache-Control": "no-store"})


async def _changes(request: web.Request, site: Site, body: schema.ChangeSite) -> dict[str, Any]:
    """The columns to set. Raises Complaint."""
    plain: dict[str, Any] = {
        "enable_search": body.enable_search,
        "enable_comments": body.enable_comments,
        "enable_rss": body.enable_rss,
        "title": body.title,
        "syntax": body.syntax_mode,
        "auto_sync": body.auto_sync,
    }
    values = {name: value for name, value in plain.items() if value is not msgspec.UNSET}
    title: str = values.get("title", "")
    if len(title) > _TITLE_LETTERS_MAX or not title.isprintable():
        raise invalid(f"title must be at most {_TITLE_LETTERS_MAX} printable letters")
    if "syntax" in values and not _SYNTAX.fullmatch(values["syntax"]):
        raise invalid("syntaxMode must be a short word")
    if values.get("auto_sync") and site.gh_installation is None:
        raise invalid("autoSync is for sites that follow a repository")
    values |= await _privacy(request, site, body)
    if body.custom_domain is not msgspec.UNSET:
        values |= _domain(site, body.custom_domain)
    return values


async def _privacy(request: web.Request, site: Site, body: schema.ChangeSite) -> dict[str, Any]:
    values: dict[str, Any] = {}
    wanted = body.privacy_mode
    if wanted not in {msgspec.UNSET, "PUBLIC", "PASSWORD"}:
        raise invalid("privacyMode must be PUBLIC or PASSWORD")
    has_password = site.password_hash is not None
    if isinstance(body.password, str):
        if not is_password(body.password):
            raise Complaint(
                400, "invalid_password", "8 to 128 printable letters, no space at either end"
            )
        values["password_hash"] = await request.app[ACCESS].hash(body.password)
        values["privacy"] = "PASSWORD"
        has_password = True
    elif body.password is None:
        values |= {"password_hash": None, "privacy": "PUBLIC"}
        has_password = False
    if wanted is not msgspec.UNSET:
        if wanted == "PASSWORD" and not has_password:
            raise invalid("a site with privacyMode PASSWORD needs a password")
        values["privacy"] = wanted
    return values


def _domain(site: Site, wanted: str | None) -> dict[str, Any]:
    domain = None if not wanted else wanted.strip().rstrip(".").lower()
    if domain is not None and not is_domain(domain):
        raise Complaint(400, "invalid_domain", "this is not the name of a domain")
    if domain == site.domain:
        return {}
    return {"domain": domain, "domain_verified_at": None}
