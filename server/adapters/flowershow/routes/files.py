"""The files of a site: synced with a folder, added, taken away, and how far they are."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import unquote

from aiohttp import web

from auth.errors import Unauthorized
from auth.principal import Kind
from server.adapter import ANYONE, PRINCIPAL, Routes, principal_of
from server.adapters.flowershow import mapping, schema
from server.adapters.flowershow.policy import LOOK, WRITE, Complaint, invalid, own_site
from server.bodies import stream
from server.describe import Binary
from server.errors import BodyTooLarge
from server.files import FILES
from server.http import read_body, read_query, reply
from server.identity import IDENTITY
from server.settings import Settings
from server.sites.access import ACCESS
from server.sites.catalogue import SITES
from server.sites.diffing import Declared
from server.sites.names import is_path
from server.sites.publishing import PUBLISHING
from server.sites.receiving import RECEIVING

ROUTES = Routes("Files")
UPLOADS = Routes("Files")
"""The URLs where bytes go: pages of any origin may use them, for they carry all they need."""

_MANIFEST_BYTES_MAX = 16 * 1024 * 1024
_TOO_LARGE = "payload_too_large: more files, or more bytes, than one request may name. "
_ERRORS = {
    400: "invalid_request.",
    404: "",
    413: _TOO_LARGE + "file_too_large: one of them is.",
}


@ROUTES.post(
    "/api/sites/id/{site_id}/sync",
    access=WRITE,
    body=schema.Manifest,
    query=schema.SyncQuery,
    reply=schema.Synced,
    errors=_ERRORS,
)
async def sync(request: web.Request) -> web.Response:
    """Make a site's files those of a manifest: what is to be uploaded, and what is gone.

    Hashes may be SHA-256, SHA-1 or git's. What differs or is new gets a URL; PUT the bytes there.
    A text that was edited in a browser since its last upload is in `toUpdate` for whoever does not
    have it as it is: bring yours, both are merged.
    """
    site = await own_site(request)
    dry = read_query(request, schema.SyncQuery).dry_run.lower() in {"true", "1"}
    settings = request.app[SITES].settings
    body = await read_body(request, schema.Manifest, bytes_max=_MANIFEST_BYTES_MAX)
    declared = _declared(body)
    publishing, account = request.app[PUBLISHING], principal_of(request).account
    plan = await publishing.compare(site, declared)
    check_sizes([*plan.diff.upload, *plan.diff.update], settings)
    if len(declared) > settings.site_files_max:
        raise Complaint(413, "payload_too_large", f"at most {settings.site_files_max} files")
    if dry:
        return reply(mapping.synced(plan.told(), dry=True))
    done = await publishing.sync(site, plan, author=account, client=_client(request))
    return reply(mapping.synced(done, dry=False))


@ROUTES.post(
    "/api/sites/id/{site_id}/files",
    access=WRITE,
    body=schema.Manifest,
    reply=schema.Targets,
    errors=_ERRORS,
)
async def add(request: web.Request) -> web.Response:
    """Publish some files, whatever else the site has."""
    site = await own_site(request)
    body = await read_body(request, schema.Manifest, bytes_max=_MANIFEST_BYTES_MAX)
    declared = _declared(body)
    if not declared:
        raise invalid("files is empty")
    settings = request.app[SITES].settings
    check_sizes(declared, settings)
    if site.file_count + len(declared) > settings.site_files_max:
        raise Complaint(413, "payload_too_large", f"at most {settings.site_files_max} files")
    account = principal_of(request).account
    targets = await request.app[PUBLISHING].expect(site, declared, account, _client(request))
    return reply(schema.Targets(files=[mapping.target(one) for one in targets]))


@ROUTES.delete(
    "/api/sites/id/{site_id}/files",
    access=WRITE,
    body=schema.Paths,
    reply=schema.PathsDeleted,
    errors=_ERRORS,
)
async def delete(request: web.Request) -> web.Response:
    """Take some files away; what is not there is said, and no error."""
    site = await own_site(request)
    body = await read_body(request, schema.Paths, bytes_max=_MANIFEST_BYTES_MAX)
    most = request.app[SITES].settings.site_request_files_max
    if not body.paths:
        raise invalid("paths is empty")
    if len(body.paths) > most:
        raise Complaint(413, "payload_too_large", f"at most {most} paths")
    account = principal_of(request).account
    gone = await request.app[PUBLISHING].delete(site, body.paths, account)
    answer = schema.PathsDeleted(deleted=[], not_found=[])
    for path in body.paths:
        if path in gone:
            gone.discard(path)
            answer.deleted.append(path)
        else:
            answer.not_found.append(path)
    return reply(answer)


@ROUTES.get(
    "/api/sites/id/{site_id}/status", access=LOOK, reply=schema.Status, errors={403: "", 404: ""}
)
async def status(request: web.Request) -> web.Response:
    """How far the files of a site are; everybody is told the word, its owner everything."""
    catalogue = request.app[SITES]
    site = await catalogue.by_id(request.match_info["site_id"])
    if site is None:
        raise Complaint(404, "not_found", "there is no such site")
    principal = request.get(PRINCIPAL)
    if principal is not None and principal.account != site.account:
        raise Complaint(403, "forbidden", "this site is somebody else's")
    contents = (await catalogue.listing(site)).contents
    if principal is None:
        readable = request.app[ACCESS].may_read(request, site)
        told = mapping.public_status(contents, readable=readable)
    else:
        told = mapping.status(site, contents)
    return reply(told, headers={"Cache-Control": "no-store"})


@UPLOADS.put(
    "/api/sites/id/{site_id}/upload/{path:.+}",
    access=ANYONE,
    body=Binary(about="The bytes, whatever the type is called."),
    reply=schema.Done,
    errors={403: "The URL has expired, or was changed.", 404: "The file was deleted since."},
)
async def upload(request: web.Request) -> web.Response:
    """Bring the bytes of a file, to a URL that a sync gave; as often as wanted until it expires."""
    publishing = request.app[PUBLISHING]
    signatures = request.query.getall("signature", [])
    try:
        said = publishing.links.verify(
            signatures[0] if len(signatures) == 1 else "", request.app[IDENTITY].clock()
        )
    except Unauthorized as error:
        raise Complaint(403, error.reason, "this URL has expired, or was changed") from error
    path = unquote(request.rel_url.raw_path.partition("/upload/")[2])
    if (said["site"], said["path"]) != (request.match_info["site_id"], path):
        raise Complaint(403, "link_invalid", "this URL was changed")
    settings = publishing.settings
    size = request.content_length
    if size is not None and size > settings.site_file_bytes_max:
        raise BodyTooLarge(settings.site_file_bytes_max)
    site = await request.app[SITES].by_id(str(said["site"]))
    if site is None:
        raise Complaint(404, "not_found", "the site was deleted")
    if "Content-Encoding" in request.headers:
        size = None
    with request.app[FILES].transfer():
        await request.app[RECEIVING].receive(
            site,
            path,
            str(said["sha"]),
            stream(request, settings.transfer_stuck_s),
            size=size,
            author=site.account or "",
            client=str(said["client"]),
        )
    return reply(schema.Done())


def _client(request: web.Request) -> str:
    """Who has the files: a token, or a device that is logged in; each keeps a folder of its own."""
    principal = principal_of(request)
    return principal.token if principal.kind is Kind.PERSONAL else principal.device or ""


def _declared(body: schema.Manifest) -> list[Declared]:
    """The files of a manifest. Raises Complaint."""
    found = []
    for file in body.files:
        if not is_path(file.path):
            raise invalid(f"no file of a site can have the path {file.path[:100]!r}")
        if file.size < 0 or not file.sha or len(file.sha) > 200:
            raise invalid(f"size or sha of {file.path[:100]!r} cannot be")
        found.append(Declared(path=file.path, size=file.size, sha=file.sha))
    if len({one.path for one in found}) < len(found):
        raise invalid("a path is there twice")
    return found


def check_sizes(declared: Sequence[Declared], settings: Settings) -> None:
    """Refuse more files or bytes to bring than one request may name. Raises Complaint."""
    if len(declared) > settings.site_request_files_max:
        raise Complaint(
            413,
            "payload_too_large",
            f"at most {settings.site_request_files_max} files can be brought at a time; "
            "publish some first (POST files)",
        )
    largest = max(declared, key=lambda one: one.size, default=None)
    if largest is not None and largest.size > settings.site_file_bytes_max:
        raise Complaint(
            413,
            "file_too_large",
            f"{largest.path[:100]!r} has more than {settings.site_file_bytes_max} bytes",
        )
    if sum(one.size for one in declared) > settings.site_request_bytes_max:
        raise Complaint(
            413,
            "payload_too_large",
            f"at most {settings.site_request_bytes_max} bytes can be brought at a time",
        )
