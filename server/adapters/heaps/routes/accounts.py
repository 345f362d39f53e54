"""Accounts, for administrators: list, approve, refuse, disable, enable, and make administrators."""

from __future__ import annotations

import logging
from collections.abc import Awaitable

from aiohttp import web

from auth.keys import encode_base58
from server.adapter import ADMINISTRATOR, Routes, principal_of
from server.adapters.heaps import schema_accounts as schema
from server.errors import ApiError, NotFound
from server.http import read_query, reply
from server.identity import IDENTITY
from server.rights import is_fit
from storage.accounts import Account

log = logging.getLogger("plait.accounts")

ROUTES = Routes(section="Administration")

_UNFIT = {404: "", 409: "The account is in no state in which that can be done."}


@ROUTES.get(
    "/api/admin/accounts",
    "/api/admin/users",
    access=ADMINISTRATOR,
    query=schema.AccountsPage,
    reply=schema.AccountList,
    errors=(400,),
)
async def accounts(request: web.Request) -> web.Response:
    """List accounts, all or those in one state."""
    query = read_query(request, schema.AccountsPage)
    return await _list(request, query, query.state)


@ROUTES.get(
    "/api/admin/pending-users",
    access=ADMINISTRATOR,
    query=schema.AccountsPage,
    reply=schema.AccountList,
    errors=(400,),
)
async def pending(request: web.Request) -> web.Response:
    """List the accounts that wait for approval."""
    return await _list(request, read_query(request, schema.AccountsPage), "pending")


@ROUTES.get(
    "/api/admin/accounts/{account_id}",
    access=ADMINISTRATOR,
    reply=schema.AccountChanged,
    errors=(404,),
)
async def account(request: web.Request) -> web.Response:
    """One account."""
    return await _show(request, await _named(request))


@ROUTES.post(
    "/api/admin/accounts/{account_id}/approve",
    access=ADMINISTRATOR,
    body=None,
    reply=schema.AccountChanged,
    errors=_UNFIT,
)
async def approve(request: web.Request) -> web.Response:
    """Let a pending account in, or one that was refused."""
    found = await _named(request)
    return await _change(request, found, request.app[IDENTITY].accounts.approve(found.id))


@ROUTES.post(
    "/api/admin/accounts/{account_id}/refuse",
    access=ADMINISTRATOR,
    body=None,
    reply=schema.AccountChanged,
    errors=_UNFIT,
)
async def refuse(request: web.Request) -> web.Response:
    """Do not let a pending account in; its key is told so at each login."""
    found = await _named(request)
    return await _change(request, found, request.app[IDENTITY].accounts.refuse(found.id))


@ROUTES.post(
    "/api/admin/accounts/{account_id}/disable",
    "/api/admin/accounts/{account_id}/revoke",
    access=ADMINISTRATOR,
    body=None,
    reply=schema.AccountChanged,
    errors=_UNFIT | {409: "It is the last administrator."},
)
async def disable(request: web.Request) -> web.Response:
    """Close an account: its logins and tokens end for good, its sockets within two seconds."""
    found = await _named(request)
    return await _change(request, found, request.app[IDENTITY].accounts.disable(found.id))


@ROUTES.post(
    "/api/admin/accounts/{account_id}/enable",
    access=ADMINISTRATOR,
    body=None,
    reply=schema.AccountChanged,
    errors=_UNFIT,
)
async def enable(request: web.Request) -> web.Response:
    """Open a disabled account again; its people log in anew."""
    found = await _named(request)
    return await _change(request, found, request.app[IDENTITY].accounts.enable(found.id))


@ROUTES.post(
    "/api/admin/accounts/{account_id}/crown",
    access=ADMINISTRATOR,
    body=None,
    reply=schema.AccountChanged,
    errors=_UNFIT,
)
async def crown(request: web.Request) -> web.Response:
    """Make an active account an administrator."""
    found = await _named(request)
    if found.state != "active":
        raise _unfit(found)
    change = request.app[IDENTITY].accounts.set_admin(found.id, is_admin=True)
    return await _change(request, found, change)


@ROUTES.post(
    "/api/admin/accounts/{account_id}/uncrown",
    access=ADMINISTRATOR,
    body=None,
    reply=schema.AccountChanged,
    errors=_UNFIT | {409: "It is the last administrator."},
)
async def uncrown(request: web.Request) -> web.Response:
    """Make an administrator an ordinary account again."""
    found = await _named(request)
    change = request.app[IDENTITY].accounts.set_admin(found.id, is_admin=False)
    return await _change(request, found, change)


async def _list(
    request: web.Request, query: schema.AccountsPage, state: str | None
) -> web.Response:
    identity = request.app[IDENTITY]
    after = query.after if is_fit(query.after) else ""
    found = await identity.accounts.listed(state, after=after, limit=query.limit + 1)
    page, has_more = found[: query.limit], len(found) > query.limit
    return reply(
        schema.AccountList(
            success=True,
            accounts=await _shown(request, page),
            has_more=has_more,
            next=page[-1].id if has_more else None,
        )
    )


async def _named(request: web.Request) -> Account:
    """The account that the path names; NotFound where there is none."""
    name = request.match_info["account_id"]
    found = await request.app[IDENTITY].accounts.get(name) if is_fit(name) else None
    if found is None:
        raise NotFound
    return found


async def _change(request: web.Request, found: Account, change: Awaitable[bool]) -> web.Response:
    if not await change:
        raise _unfit(found)
    await request.app[IDENTITY].take_in()
    what = request.path.rpartition("/")[2]
    log.info("%s %s of account %s", principal_of(request).account, what, found.id)
    return await _show(request, await _named(request))


def _unfit(found: Account) -> ApiError:
    return ApiError(409, "wrong_state", f"the account is {found.state}")


async def _show(request: web.Request, found: Account) -> web.Response:
    (shown,) = await _shown(request, [found])
    return reply(schema.AccountChanged(success=True, account=shown))


async def _shown(request: web.Request, found: list[Account]) -> list[schema.Account]:
    keys = await request.app[IDENTITY].devices.of_all([account.id for account in found])
    return [
        schema.Account(
            id=account.id,
            user_id=account.id,
            state=account.state,
            is_admin=account.is_admin,
            email=account.email_hint,
            public_keys=[encode_base58(key) for key in keys[account.id]],
            created_at=account.created_at.isoformat(),
        )
        for account in found
    ]
