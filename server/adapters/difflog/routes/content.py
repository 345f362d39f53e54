"""The content of a profile: is there news, download, upload."""

from __future__ import annotations

import time
from typing import Any

from aiohttp import web
from msgspec import UNSET

from server.adapter import ANYONE, PASSWORD, Routes
from server.adapters.difflog import mapping, schema
from server.adapters.difflog.bodies import check_metadata, json_text, read
from server.adapters.difflog.profiles import PROFILES, now_text
from server.errors import ApiError
from server.http import read_query, reply
from storage.difflog import Profile

ROUTES = Routes("Content")
_OPEN = ANYONE.limited("difflog_read")


@ROUTES.get("/api/profile/{id}/status", access=_OPEN, reply=schema.Status)
async def status(request: web.Request) -> web.Response:
    """Whether a profile is there, and the hashes that its clients gave its content."""
    profiles = request.app[PROFILES]
    found = await profiles.store.find(request.match_info["id"])
    if found is None:
        return reply(schema.Status(exists=False))
    stored = await profiles.look(found, mapping.read_stored)
    return reply(
        schema.Status(
            exists=True,
            keys_hash=found.secrets.keys_hash,
            content_updated_at=stored.content_updated_at,
            **stored.hashes,
        )
    )


@ROUTES.post(
    "/api/profile/{id}/content", access=PASSWORD, body=schema.ContentRequest, reply=schema.Content
)
async def content(request: web.Request) -> web.Response:
    """Everything, but for what the client has already by its hash."""
    profiles = request.app[PROFILES]
    body = await read(request, schema.ContentRequest)
    found = await profiles.opened(request.match_info["id"], body.password_hash)
    return reply(await profiles.look(found, lambda doc: _content(doc, found, body)))


def _content(doc: Any, profile: Profile, body: schema.ContentRequest) -> schema.Content:  # noqa: ANN401
    stored, secrets = mapping.read_stored(doc), profile.secrets
    parts: dict[str, Any] = {}
    for name in mapping.ITEMS:
        sent = getattr(body, f"{name}_hash")
        if sent and sent == stored.hashes[f"{name}_hash"]:
            parts |= {name: [], f"{name}_skipped": True}
        else:
            parts[name] = mapping.read_items(doc, name)
    has_keys = bool(body.keys_hash) and body.keys_hash == secrets.keys_hash
    return schema.Content(
        **parts,
        salt=secrets.salt,
        profile=stored.metadata,
        encrypted_api_key=UNSET if has_keys else secrets.encrypted_api_key,
        keys_skipped=True if has_keys else UNSET,
    )


@ROUTES.post("/api/profile/{id}/sync", access=PASSWORD, body=schema.Sync, reply=schema.Synced)
async def sync(request: web.Request) -> web.Response:
    """Take in items and deletions, all of them or none."""
    profiles = request.app[PROFILES]
    body = await read(request, schema.Sync)
    found = await profiles.opened(request.match_info["id"], body.password_hash)
    fields = mapping.metadata_of(body.profile) if body.profile is not None else {}
    sources, api_key = json_text(body.resolved_sources) or "", body.encrypted_api_key
    check_metadata(profiles.settings, fields, sources, api_key or "")
    now, now_ms = now_text(), time.time_ns() // 1_000_000

    def write(doc: Any) -> list[str] | None:  # noqa: ANN401
        if not mapping.write_sync(doc, body, now_ms, profiles.room):
            return None
        mapping.write_updated(doc, now)
        return mapping.read_public(doc)

    public = await profiles.change(found, write)
    if public is None:
        raise ApiError(413, "too_large", "The profile would be too large")
    if api_key or body.keys_hash:
        await profiles.store.set_keys(found.id, api_key or None, body.keys_hash or None)
    if public:
        most = profiles.settings.difflog_public_max
        await profiles.store.publish(found.id, public, most)
    return reply(_synced(body))


def _synced(body: schema.Sync) -> schema.Synced:
    lists = {
        **{name: getattr(body, name) for name in mapping.ITEMS},
        "deleted_diffs": body.deleted_diff_ids,
        "deleted_stars": body.deleted_star_ids,
        "deleted_tldrs": body.deleted_tldr_ids,
    }
    return schema.Synced(
        success=True,
        synced={name: len(sent or []) for name, sent in lists.items()},
        **{name: getattr(body, name) for name in mapping.HASHES},
    )


@ROUTES.get(
    "/api/profile/{id}/sync", access=_OPEN, query=schema.HashesQuery, reply=schema.SyncNeeded
)
async def sync_needed(request: web.Request) -> web.Response:
    """Whether the hashes of a client are those of the server."""
    profiles, query = request.app[PROFILES], read_query(request, schema.HashesQuery)
    found = await profiles.find(request.match_info["id"])
    stored = await profiles.look(found, mapping.read_stored)
    needed = {
        name: not (sent := getattr(query, f"{name}_hash")) or sent != stored.hashes[f"{name}_hash"]
        for name in mapping.ITEMS
    }
    parts: dict[str, Any] = {f"{name}_sync_needed": value for name, value in needed.items()}
    parts |= {f"server_{name}": stored.hashes[name] for name in mapping.HASHES}
    return reply(
        schema.SyncNeeded(
            needs_sync=any(needed.values()),
            server_updated_at=stored.content_updated_at,
            **parts,
        )
    )
