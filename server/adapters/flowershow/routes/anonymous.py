"""Publishing without an account: a few files, for some days, unless somebody claims them."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime, timedelta

from aiohttp import web

from auth.errors import Unauthorized
from auth.opaque import digest
from server.adapter import ANYONE, SESSION, Routes, principal_of
from server.adapters.flowershow import schema
from server.adapters.flowershow.policy import Complaint, invalid
from server.adapters.flowershow.routes.sites import check_username
from server.adapters.flowershow.stores import STORES
from server.errors import BadBody
from server.hosts import HOSTS
from server.http import read_body, reply
from server.identity import IDENTITY
from server.sites.catalogue import SITES
from server.sites.diffing import Declared
from server.sites.listing import extension, is_markdown
from server.sites.names import is_path
from server.sites.publishing import PUBLISHING

ROUTES = Routes("Anonymous publishing")

_UUID4 = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.IGNORECASE
)
_LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"
_TYPE = "anonymous_ownership"
_SUFFIXES_MAX = 1000


@ROUTES.post(
    "/api/sites/publish-anon",
    access=ANYONE,
    body=schema.PublishAnonymously,
    reply=schema.PublishedAnonymously,
    errors={400: "invalid_request."},
)
async def publish(request: web.Request) -> web.Response:
    """Publish up to five files without an account; the site ends after a week unless claimed."""
    settings = request.app[SITES].settings
    body = await read_body(request, schema.PublishAnonymously)
    declared = _declared(body, settings.anonymous_files_max, settings.site_file_bytes_max)
    # What cannot be published does not count.
    hosts, stores = request.app[HOSTS], request.app[STORES]
    stores.anonymous.take(hosts.remote(request))
    now = request.app[IDENTITY].clock()
    owner = body.anonymous_user_id.lower()
    name = "".join(secrets.choice(_LETTERS) for _ in range(8))
    claims = {"type": _TYPE, "anonymousUserId": owner, "site": name, "jti": secrets.token_hex(8)}
    token = stores.ownership.mint(claims, now=now, lifetime_s=settings.anonymous_claim_s)
    publishing = request.app[PUBLISHING]
    site = await publishing.create(
        None,
        name,
        anonymous_owner=owner,
        claim_digest=digest(token),
        expires_at=datetime.fromtimestamp(now, UTC) + timedelta(seconds=settings.anonymous_site_s),
    )
    assert site is not None, "a random name is free"
    targets = await publishing.expect(site, declared, "")
    published = schema.PublishedAnonymously(
        site_id=site.id,
        project_name=site.name,
        files=[schema.AnonymousTarget(file_name=one.path, upload_url=one.url) for one in targets],
        live_url=f"{hosts.public_url}/anon/{site.name}",
        ownership_token=token,
    )
    return reply(published, headers={"Cache-Control": "no-store"})


@ROUTES.post(
    "/api/sites/claim",
    access=SESSION,
    body=schema.Claim,
    reply=schema.Claimed,
    errors={400: "Something is missing, or the site is somebody's.", 403: "", 404: ""},
)
async def claim(request: web.Request) -> web.Response:
    """Take an anonymous site over; its token is good for that once."""
    try:
        body = await read_body(request, schema.Claim)
    except BadBody as error:
        raise _refused(400, "invalid_request", str(error)) from error
    if not body.site_id or not body.ownership_token:
        raise _refused(400, "invalid_request", "siteId and ownershipToken are needed")
    site = await request.app[SITES].by_id(body.site_id)
    if site is None:
        raise _refused(404, "not_found", "there is no such site, or it has expired")
    if site.account is not None:
        raise _refused(400, "not_anonymous", "the site is not anonymous")
    try:
        said = request.app[STORES].ownership.verify(
            body.ownership_token, request.app[IDENTITY].clock()
        )
    except Unauthorized as error:
        raise _refused(403, "invalid_token", "the token is wrong, or has expired") from error
    if said.get("anonymousUserId") != site.anonymous_owner or said.get("site") != site.name:
        raise _refused(403, "invalid_token", "the token is another site's")
    account = principal_of(request).account
    await check_username(request, account, success=False)
    names = [site.name, *(f"{site.name}-{number}" for number in range(2, _SUFFIXES_MAX))]
    name = await request.app[SITES].store.claim(
        site.id, digest(body.ownership_token), account, names
    )
    if name is None:
        raise _refused(403, "invalid_token", "the token was used already")
    await request.app[IDENTITY].take_in()
    shown = schema.ClaimedSite(id=site.id, project_name=name, user_id=account)
    return reply(schema.Claimed(success=True, site=shown))


def _refused(status: int, code: str, message: str) -> Complaint:
    return Complaint(status, code, message, success=False)


def _declared(body: schema.PublishAnonymously, files_max: int, bytes_max: int) -> list[Declared]:
    """The files to publish. Raises Complaint."""
    if not _UUID4.fullmatch(body.anonymous_user_id):
        raise invalid("anonymousUserId must be a UUID, version 4")
    if not 1 <= len(body.files) <= files_max:
        raise invalid(f"1 to {files_max} files; sign in to publish more")
    for file in body.files:
        name = file.file_name
        if not is_path(name) or not extension(name):
            raise invalid(f"{name[:100]!r} is no file name with an extension")
        if not 0 < file.file_size <= bytes_max or not file.sha or len(file.sha) > 200:
            raise invalid(f"size or sha of {name[:100]!r} cannot be")
    if len({file.file_name for file in body.files}) < len(body.files):
        raise invalid("a file name is there twice")
    if not any(is_markdown(file.file_name) for file in body.files):
        raise invalid("at least one file must be Markdown")
    return [Declared(path=file.file_name, size=file.file_size, sha=file.sha) for file in body.files]
