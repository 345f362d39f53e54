"""The feed: what changed, what a device has of it, and what devices report."""

from __future__ import annotations

from http import HTTPStatus

from aiohttp import web

from server.adapter import Routes
from server.adapters.pinakes import mapping, schema
from server.adapters.pinakes.asking import READ, SHELVES, WRITE, account_of, asking_device
from server.budget import BODIES
from server.errors import ApiError, BadBody
from server.http import read_body, read_query, reply

ROUTES = Routes(section="Changes")


@ROUTES.get(
    "/api/v1/sync/changes",
    "/api/sync/changes",
    access=READ,
    query=schema.ChangesQuery,
    headers=schema.ByDevice,
    reply=schema.Changes,
    errors={
        400: "The cursor was never given out, or is too old (cursor_expired): begin without one."
    },
)
async def changes(request: web.Request) -> web.Response:
    """What changed after a cursor, oldest first, each path once in its latest state.

    A path that the device cannot have seen is told as created. What the asking device did itself is
    left out, unless it had acknowledged something and begins anew without a cursor. The cursor is
    for the next page, and for `ack` once the page is dealt with.
    """
    query = read_query(request, schema.ChangesQuery)
    cursor, limit = mapping.read_cursor(query.cursor), mapping.read_limit(query.limit)
    device = await asking_device(request, query.device_id)
    asking = None if device is None else device.id
    shelves, account = request.app[SHELVES], account_of(request)
    page, seen = await shelves.page(account, asking, cursor, limit)
    # Who begins anew has lost what it knew, and must not take its own files for deleted.
    is_anew = seen.since == 0 and device is not None and device.sync_cursor > 0
    author = None if is_anew else asking
    answer = mapping.changes(page.entries, seen, author, has_more=page.has_more)
    if page.has_more:
        shelves.paused(account, asking, seen, answer.cursor)
    return reply(answer)


@ROUTES.post(
    "/api/v1/sync/ack",
    "/api/sync/ack",
    access=WRITE,
    body=schema.Acknowledge,
    headers=schema.ByDevice,
    reply=schema.Acknowledged,
    errors={400: "No device is named, or the cursor was never given out."},
)
async def acknowledge(request: web.Request) -> web.Response:
    """A device has dealt with everything up to a cursor; an older one changes nothing.

    What all devices of the account have acknowledged need not be remembered any more.
    """
    body = await read_body(request, schema.Acknowledge)
    device = await asking_device(request, body.device_id)
    if device is None:
        message = "say which device it is, by X-Device-Token or device_id"
        raise ApiError(HTTPStatus.BAD_REQUEST, "device_required", message)
    if body.cursor > mapping.CURSOR_MAX:
        raise ApiError(400, "bad_cursor", "this cursor was never given out")
    return reply(
        schema.Acknowledged(cursor=await request.app[SHELVES].acknowledge(device, body.cursor))
    )


@ROUTES.post(
    "/api/v1/sync/report",
    "/api/sync/report",
    access=WRITE,
    body=schema.Reports,
    headers=schema.ByDevice,
    reply=schema.Reported,
    errors={400: "A change cannot be read: nothing of the report was taken in."},
)
async def report(request: web.Request) -> web.Response:
    """Tell what a device changed; each change is judged by the version that it was made on.

    What is accepted and listed in upload_required is told to the others once its bytes are here.
    """
    shelves = request.app[SHELVES]
    settings = shelves.settings
    most = settings.pinakes_report_bytes_max
    with request.app[BODIES].take(request.content_length or most):
        body = await read_body(request, schema.Reports, bytes_max=most)
    if len(body.changes) > settings.pinakes_report_max:
        raise BadBody(f"a report has at most {settings.pinakes_report_max} changes")
    wanted = [
        mapping.read_report(one, f"changes[{place}]") for place, one in enumerate(body.changes)
    ]
    device = await asking_device(request, body.device_id)
    told = await shelves.report(account_of(request), None if device is None else device.id, wanted)
    return reply(
        schema.Reported(
            accepted=told.accepted,
            conflicts=[mapping.conflict(one) for one in told.conflicts],
            upload_required=told.wanted,
        )
    )
