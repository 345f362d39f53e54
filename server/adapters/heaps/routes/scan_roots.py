"""Where accounts may scan: nowhere, until an administrator says so."""

from __future__ import annotations

import asyncio

from aiohttp import web

from server.adapter import ADMINISTRATOR
from server.adapters.heaps import schema_scans as schema
from server.errors import NotFound
from server.http import read_body, reply
from server.identity import IDENTITY
from server.rights import is_fit
from server.routing import Routes
from server.scanning import rooted
from server.scanning.desk import DESK

ROUTES = Routes("Administration")


@ROUTES.get(
    "/api/admin/accounts/{account_id}/scan_root", access=ADMINISTRATOR, reply=schema.ScanRootShown
)
async def scan_root(request: web.Request) -> web.Response:
    """The folder in which an account may scan."""
    account = await _account(request)
    return await _root_shown(request, account)


@ROUTES.put(
    "/api/admin/accounts/{account_id}/scan_root",
    access=ADMINISTRATOR,
    body=schema.ScanRoot,
    reply=schema.ScanRootShown,
)
async def set_scan_root(request: web.Request) -> web.Response:
    """Let an account scan in a folder of this machine, and in what lies in it."""
    account = await _account(request)
    body = await read_body(request, schema.ScanRoot)
    root = await asyncio.to_thread(rooted.check_root, body.path)
    await request.app[DESK].scans.set_root(account, root)
    return await _root_shown(request, account)


@ROUTES.delete(
    "/api/admin/accounts/{account_id}/scan_root", access=ADMINISTRATOR, reply=schema.ScanRootShown
)
async def remove_scan_root(request: web.Request) -> web.Response:
    """Let an account scan nowhere any more; a scan under way ends with its next look."""
    account = await _account(request)
    await request.app[DESK].scans.set_root(account, None)
    return await _root_shown(request, account)


async def _account(request: web.Request) -> str:
    name = request.match_info["account_id"]
    found = await request.app[IDENTITY].accounts.get(name) if is_fit(name) else None
    if found is None:
        raise NotFound
    return found.id


async def _root_shown(request: web.Request, account: str) -> web.Response:
    path = await request.app[DESK].scans.root(account)
    return reply(schema.ScanRootShown(success=True, account_id=account, path=path))
