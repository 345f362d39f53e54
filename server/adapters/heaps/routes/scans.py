"""Scans of folders, and files looked at again: jobs that are begun, ended and listed."""

from __future__ import annotations

import asyncio

from aiohttp import web

from auth.errors import Forbidden
from auth.principal import Role
from crdt.errors import BadName
from crdt.ids import DocumentName
from server.adapter import principal_of
from server.adapters.heaps import mapping_scans as mapping
from server.adapters.heaps import schema_scans as schema
from server.adapters.heaps.admission import admit
from server.adapters.heaps.picturing import digest_of
from server.adapters.heaps.policy import READ, WRITE
from server.blocks import BLOCKS
from server.catalogue import CATALOGUE
from server.errors import ApiError, BadBody, NotFound
from server.http import read_body, reply
from server.routing import Routes
from server.scanning import rooted
from server.scanning.desk import DESK
from storage.jobs import Job
from storage.scans import WatchedFolder

ROUTES = Routes("Scans")

_LISTED_MAX = 1000
_SCOPES_MAX = 1000


@ROUTES.post(
    "/api/scan_folder",
    access=WRITE,
    body=schema.ScanFolder,
    reply=schema.JobBegun,
    errors={
        403: "The folder lies outside of what an administrator lets the account scan, or the "
        "workspace may not be edited.",
        404: "No such workspace, or no such folder inside.",
        409: "Somebody else scans this folder, or it is scanned into another workspace.",
        503: "`scan_root_away`: the machine that answers does not have the account's folder; with "
        "several nodes another one may. Ask again.",
    },
)
async def scan_folder(request: web.Request) -> web.Response:
    """Scan a folder: a block for each file, kept apart from what `.heaperignore` names.

    The reply comes at once; progress is told on /api/ws and in notices. A folder that is scanned
    already is not scanned twice: the reply is about the scan that runs.
    """
    body = await read_body(request, schema.ScanFolder)
    desk, account = request.app[DESK], principal_of(request).account
    scope = body.heap_id or body.workspace_id
    if scope is None and body.path is None:
        raise BadBody("it names neither path nor heap_id")
    if scope is not None:
        await admit(request, scope, Role.EDITOR)
    root = await desk.scans.root(account)
    if root is None:
        raise Forbidden("no_scan_root")
    path = await _folder(root, body.path, scope)
    if scope is None:
        scope = await _scope_of(request, path)
        await admit(request, scope, Role.EDITOR)
    if body.watch is not None:
        await _watch(
            request,
            WatchedFolder(scope=scope, path=path, account=account, machine=desk.jobs.machine),
            on=body.watch,
        )
    shown = rooted.below(path, root)
    job, is_new = await desk.jobs.ask("scan", account, scope, path, is_here=True, shown=shown)
    if (job.scope, job.account) != (scope, account):
        raise ApiError(409, "scanned_elsewhere", "this folder is being scanned by somebody else")
    return reply(_begun(job, is_new=is_new, watched=body.watch))


@ROUTES.post(
    "/api/abort_scan",
    access=WRITE,
    body=schema.AbortScan,
    reply=schema.JobEnded,
    errors={404: "No such job is under way."},
)
async def abort_scan(request: web.Request) -> web.Response:
    """End a scan, or another job; what it did until then stays."""
    body = await read_body(request, schema.AbortScan)
    desk = request.app[DESK]
    found = await _meant(request, body)
    ended = [job for job in [await desk.jobs.abort(one.id) for one in found] if job is not None]
    if not ended:
        raise NotFound
    first = ended[0]
    return reply(
        schema.JobEnded(
            success=True,
            id=first.id,
            scan_id=first.id,
            job_id=first.id,
            status="aborted" if first.state == "aborted" else "aborting",
            aborted=[job.id for job in ended],
        )
    )


@ROUTES.get("/api/active_scans", access=READ, reply=schema.ActiveScans)
async def active_scans(request: web.Request) -> web.Response:
    """The scans under way that the caller began, or that fill a workspace of theirs."""
    desk, account = request.app[DESK], principal_of(request).account
    scopes = await scopes_of(request)
    jobs = await desk.jobs.store.under_way(["scan"], account, scopes, _LISTED_MAX)
    root = await desk.scans.root(account)
    watched = [one for one in await desk.scans.watched() if one.account == account]
    return reply(
        schema.ActiveScans(
            success=True,
            scans=[mapping.shown(job) for job in jobs],
            watched=[
                schema.Watched(
                    heap_id=one.scope,
                    workspace_id=one.scope,
                    path=rooted.below(one.path, root),
                )
                for one in watched
            ],
        )
    )


@ROUTES.post(
    "/api/reindex_files", access=WRITE, body=schema.Reindex, reply=schema.JobBegun, errors=(404,)
)
async def reindex_files(request: web.Request) -> web.Response:
    """Look at every file of a workspace again, and tell its block what it says of itself."""
    body = await read_body(request, schema.Reindex)
    principal = principal_of(request)
    scope = body.heap_id or body.workspace_id or principal.default_workspace or ""
    await admit(request, scope, Role.EDITOR)
    job, is_new = await request.app[DESK].jobs.ask("reindex", principal.account, scope, scope)
    return reply(_begun(job, is_new=is_new))


@ROUTES.post(
    "/api/regenerate_file",
    access=WRITE,
    body=schema.Regenerate,
    reply=schema.JobBegun,
    errors={404: "No such block, or it has no such file."},
)
async def regenerate_file(request: web.Request) -> web.Response:
    """Look at one file again and make its pictures anew, also where that failed before."""
    body = await read_body(request, schema.Regenerate)
    key = body.block_id or body.block_key or body.key
    if not key:
        raise BadBody("it names no block_id")
    try:
        name = DocumentName.parse(key)
    except BadName:
        raise NotFound from None
    principal = principal_of(request)
    (found,) = await request.app[BLOCKS].find(principal, [name])
    if found.block is None or found.block.record.deleted:
        raise NotFound
    if found.role < Role.EDITOR:
        raise Forbidden
    record, desk = found.block.record, request.app[DESK]
    digest = digest_of(body.hash) if body.hash else None
    if body.hash:
        file = await desk.gallery.files.find(record.id, digest) if digest else None
    else:
        file = next(iter(await desk.gallery.files.of(record.id, 1)), None)
    if file is None:
        raise NotFound
    job, is_new = await desk.jobs.ask(
        "regenerate", principal.account, record.scope, file.id, file=file.id
    )
    return reply(_begun(job, is_new=is_new))


# -- what a request means --------------------------------------------------------------------


async def scopes_of(request: web.Request) -> list[str]:
    """The workspaces of the caller."""
    workspaces = request.app[CATALOGUE].workspaces
    account = principal_of(request).account
    found = await workspaces.of(account, shared=True, limit=_SCOPES_MAX, offset=0)
    return [one.id for one in found]


async def _folder(root: str, path: str | None, scope: str | None) -> str:
    """The real path of the folder that is meant. Raises Forbidden, NotFound, BadBody, RootAway."""
    await asyncio.to_thread(rooted.check_here, root)
    if path is not None:
        return await asyncio.to_thread(rooted.resolve, root, path)
    assert scope is not None
    try:
        return await asyncio.to_thread(rooted.resolve, root, scope)
    except NotFound:
        return await asyncio.to_thread(rooted.resolve, root, ".")


async def _scope_of(request: web.Request, path: str) -> str:
    """The workspace into which a folder was scanned before, else the caller's own."""
    known = await request.app[DESK].scans.scope_of(path, await scopes_of(request))
    scope = known or principal_of(request).default_workspace
    if scope is None:
        raise BadBody("it names no heap_id")
    return scope


async def _watch(request: web.Request, folder: WatchedFolder, *, on: bool) -> None:
    scans = request.app[DESK].scans
    if on:
        await scans.watch(folder)
    else:
        await scans.unwatch(folder.scope, folder.path)


async def _meant(request: web.Request, body: schema.AbortScan) -> list[Job]:
    """The jobs that a body means and that the caller may end: their own, or as an editor."""
    desk, account = request.app[DESK], principal_of(request).account
    name = body.scan_id or body.id or body.job_id
    scope = body.heap_id or body.workspace_id
    if name is not None:
        job = await desk.jobs.store.get(name)
        if job is None:
            raise NotFound
        if job.account != account:
            await admit(request, job.scope, Role.EDITOR)
        return [job]
    if scope is not None:
        await admit(request, scope, Role.EDITOR)
        return [
            job
            for job in await desk.jobs.store.under_way(["scan"], account, [scope], _LISTED_MAX)
            if job.scope == scope
        ]
    if body.path is None:
        raise BadBody("it names no scan_id, path or heap_id")
    root = await desk.scans.root(account)
    if root is None:
        raise Forbidden("no_scan_root")
    try:
        await asyncio.to_thread(rooted.check_here, root)
        path = await asyncio.to_thread(rooted.resolve, root, body.path)
    except rooted.RootAway:  # The scan runs at another node; whose it is is looked at below.
        path = rooted.lexical(root, body.path)
    job = await desk.jobs.store.running("scan", path)
    return [] if job is None or job.account != account else [job]


def _begun(job: Job, *, is_new: bool, watched: bool | None = None) -> schema.JobBegun:
    return schema.JobBegun(
        success=True,
        id=job.id,
        scan_id=job.id,
        job_id=job.id,
        status=job.state,
        already_running=not is_new,
        heap_id=job.scope,
        workspace_id=job.scope,
        watched=watched,
        scan=mapping.shown(job),
    )
