"""The least that aiohttp and asyncpg need for a push, a pull or a delta: the same statements.

    python bare_sync_server.py PORT DSN

It reads the same JSON and base64, looks the blocks up and appends the rows as Plait does, and
answers the same, field for field; a pull with what is stored of each block, a delta with what has a
stamp. Nobody is asked who they are, no update is checked or applied, nothing is settled, no editor
hears of it. `scripts/bench/rest.py` measures it on the database of a server that made the blocks.
"""

import base64
import sys
import time
from pathlib import Path

import asyncpg
import msgspec
import uvloop
from aiohttp import web

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from storage.append import statements
from storage.blocks import BY_GLOBAL_ID
from storage.changes import _DIRTY_IN, _SINCE, NOWHERE

APPEND = statements(2000, 1 << 20).each
POOL: web.AppKey[asyncpg.Pool] = web.AppKey("pool", asyncpg.Pool)
APPENDS: web.AppKey[asyncpg.Pool] = web.AppKey("appends", asyncpg.Pool)
KNOWN: web.AppKey[dict[str, asyncpg.Record]] = web.AppKey("known", dict)
BY_KEY = {
    "enable_seqscan": "off",
    "enable_mergejoin": "off",
    "plan_cache_mode": "force_generic_plan",
}
"""As `storage.link` has it: with other plans the same statement costs PostgreSQL twice as much."""
DOCUMENTS_MAX = ENTRIES_MAX = 1000
"""As a settling and a page of Plait's have them."""


async def push(request: web.Request) -> web.Response:
    """Find the blocks, append one row to each in one transaction."""
    return await append(request, {})


async def push_known(request: web.Request) -> web.Response:
    """The same by a handler that keeps what it found: the append alone, as Plait asks it."""
    return await append(request, request.app[KNOWN])


async def append(request: web.Request, found: dict[str, asyncpg.Record]) -> web.Response:
    """Find the blocks that are not found yet, and append."""
    items = msgspec.json.decode(await request.read())["blocks"]
    missing = [one for one in ids(items) if one not in found]
    if missing:
        rows = await request.app[POOL].fetch(BY_GLOBAL_ID, missing)
        found.update((row["global_id"], row) for row in rows)
    documents = [found[item["block_id"]]["id"] for item in items]
    updates = [base64.b64decode(item["update"]) for item in items]
    many, now = len(items), time.time()
    await request.app[APPENDS].fetch(
        APPEND, documents, 1, 1, 1, updates, ["somebody"] * many, [None] * many, [now] * many
    )
    results = []
    for item in items:
        row = found[item["block_id"]]
        results.append(told(item, row, "updated", item["state_vector"]))
    return answer(results)


async def pull(request: web.Request) -> web.Response:
    """Find the blocks; what is known of them says that nothing is missing."""
    items = msgspec.json.decode(await request.read())["blocks"]
    found = {
        row["global_id"]: row for row in await request.app[POOL].fetch(BY_GLOBAL_ID, ids(items))
    }
    results = []
    for item in items:
        row, vector = found[item["block_id"]], base64.b64decode(item["state_vector"])
        status = "unchanged" if row["known_state_vector"] == vector else "updated"
        result = told(item, row, status, row["known_state_vector"])
        result["update"] = row["known_delete_only"]
        results.append(result)
    return answer(results)


async def delta(request: web.Request) -> web.Response:
    """Look whether something waits for a stamp, as Plait must; read the page and the totals."""
    scope, since = request.query["workspace_id"], int(request.query["since"])
    async with request.app[POOL].acquire() as connection:
        waiting = await connection.fetch(_DIRTY_IN, scope, NOWHERE, DOCUMENTS_MAX)
        if waiting:
            raise web.HTTPConflict(text="something is not settled")
        rows = await connection.fetch(_SINCE, scope, since, ENTRIES_MAX + 1)
    entries = [row for row in rows[:ENTRIES_MAX] if row["stamp"] is not None]
    has_more = len(rows) > ENTRIES_MAX
    body = {
        "changed_blocks": [changed(scope, row) for row in entries if not row["deleted"]],
        "deleted_blocks": [deleted(scope, row) for row in entries if row["deleted"]],
        "server_time": entries[-1]["stamp"] if has_more else rows[0]["last_stamp"],
        "has_more": has_more,
        "total_changed": rows[0]["changed"],
        "total_deleted": rows[0]["gone"],
    }
    return web.Response(body=msgspec.json.encode(body), content_type="application/json")


def changed(scope: str, row: asyncpg.Record) -> dict[str, object]:
    """A block that is there."""
    return {
        "block_id": row["name"],
        "workspace_id": scope,
        "sync_version": row["sync_version"],
        "updated_at": row["stamp"],
        "created_at": int(row["created_at"].timestamp() * 1000),
        "title": row["title"],
    }


def deleted(scope: str, row: asyncpg.Record) -> dict[str, object]:
    """A block that is in the trash or gone."""
    at = row["removed_at"] or row["trashed_at"]
    if not at and row["deleted_at"] is not None:
        at = int(row["deleted_at"].timestamp() * 1000)
    return {
        "block_id": row["name"],
        "workspace_id": scope,
        "sync_version": row["sync_version"],
        "updated_at": row["stamp"],
        "deleted_at": at or row["stamp"],
        "permanently_deleted": row["removed_at"] is not None or row["deleted_at"] is not None,
    }


def told(
    item: dict[str, str], row: asyncpg.Record, status: str, vector: str | bytes
) -> dict[str, object]:
    """What both say of a block."""
    return {
        "block_id": item["block_id"],
        "success": True,
        "status": status,
        "workspace_id": row["scope"],
        "sync_version": row["sync_version"],
        "state_vector": vector,
    }


def ids(items: list[dict[str, str]]) -> list[str]:
    """Which blocks are meant."""
    return [item["block_id"] for item in items]


def answer(results: list[dict[str, object]]) -> web.Response:
    """JSON."""
    body = {"success": True, "results": results, "server_time": int(time.time() * 1000)}
    return web.Response(body=msgspec.json.encode(body), content_type="application/json")


async def leave_as_it_is(_connection: object) -> None:
    """Ask nothing between two uses of a connection, as `storage.pool` has it."""


async def application() -> web.Application:
    """The routes and their pools."""
    app = web.Application(client_max_size=64 << 20)
    app[POOL] = await asyncpg.create_pool(sys.argv[2], min_size=2, max_size=4, reset=leave_as_it_is)
    app[APPENDS] = await asyncpg.create_pool(
        sys.argv[2], min_size=1, max_size=1, server_settings=BY_KEY, reset=leave_as_it_is
    )
    app[KNOWN] = {}
    app.router.add_post("/api/sync/push", push)
    app.router.add_post("/api/sync/push_known", push_known)
    app.router.add_post("/api/sync/pull", pull)
    app.router.add_get("/api/sync/delta", delta)
    return app


if __name__ == "__main__":
    uvloop.install()
    web.run_app(application(), host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
