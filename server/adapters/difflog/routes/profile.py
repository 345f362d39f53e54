"""Profiles: create, read, update, remove, and the change of the password."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import msgspec
from aiohttp import web

from server.adapter import PASSWORD, Routes
from server.adapters.difflog import mapping, schema
from server.adapters.difflog.bodies import check_metadata, json_text, read
from server.adapters.difflog.profiles import PROFILES, client_salt, now_text
from server.errors import ApiError
from server.http import read_query, reply
from storage.difflog import Profile, Secrets

ROUTES = Routes("Profile")


@ROUTES.post(
    "/api/profile/create",
    access=PASSWORD.limited("difflog_create"),
    body=schema.Create,
    replies={201: schema.Created},
)
async def create(request: web.Request) -> web.Response:
    """Create a profile, or replace all that one says about itself; its items stay."""
    profiles = request.app[PROFILES]
    body = await read(request, schema.Create)
    if not (body.name and body.password_hash and body.encrypted_api_key and body.salt):
        raise ApiError(400, "missing_fields", "Missing required fields")
    fields = mapping.metadata_of(body, whole=True)
    check_metadata(profiles.settings, fields, body.encrypted_api_key, body.salt)
    profile, now = body.id or str(uuid4()), now_text()

    def write(doc: Any) -> None:  # noqa: ANN401
        mapping.write_metadata(doc, fields)
        mapping.write_updated(doc, now)

    if await profiles.store.find(profile) is None:
        secrets = _secrets(body, await profiles.hashed(body.password_hash))
        if await profiles.create(profile, secrets, write):
            return reply(schema.Created(profile, str(body.name)), 201)
    found = await profiles.opened(profile, body.password_hash)
    await profiles.change(found, write)
    await profiles.store.set_secrets(profile, _secrets(body, found.secrets.password_hash))
    return reply(schema.Created(profile, str(body.name)), 201)


def _secrets(body: schema.Create, stored: str) -> Secrets:
    assert body.password_hash and body.encrypted_api_key and body.salt  # noqa: PT018
    return Secrets(
        password_hash=stored,
        password_salt=client_salt(body.password_hash),
        encrypted_api_key=body.encrypted_api_key,
        salt=body.salt,
        keys_hash=body.keys_hash or None,
    )


@ROUTES.get(
    "/api/profile/{id}", access=PASSWORD, query=schema.ProfileQuery, reply=schema.ProfileReply
)
async def get_profile(request: web.Request) -> web.Response:
    """All that a profile says of itself, its encrypted keys, and its items if asked for."""
    profiles, query = request.app[PROFILES], read_query(request, schema.ProfileQuery)
    found = await profiles.opened(request.match_info["id"], query.password_hash)
    stored = await profiles.look(found, mapping.read_stored)
    answer = schema.ProfileReply(
        id=found.id,
        encrypted_api_key=found.secrets.encrypted_api_key,
        salt=found.secrets.salt,
        resolved_sources=msgspec.Raw(stored.resolved_sources.encode()),
        content_updated_at=stored.content_updated_at,
        **stored.metadata,
    )
    if query.include_data == "true":
        answer = msgspec.structs.replace(
            answer,
            encrypted_diffs=await _texts(request, found, "diffs"),
            encrypted_stars=await _texts(request, found, "stars"),
        )
    return reply(answer)


async def _texts(request: web.Request, profile: Profile, name: str) -> list[str]:
    items = await request.app[PROFILES].look(profile, lambda doc: mapping.read_items(doc, name))
    return [item.encrypted_data for item in items]


@ROUTES.put("/api/profile/{id}", access=PASSWORD, body=schema.Update, reply=schema.Done)
async def update(request: web.Request) -> web.Response:
    """Replace what is sent of what the profile says about itself."""
    profiles = request.app[PROFILES]
    body = await read(request, schema.Update)
    found = await profiles.opened(request.match_info["id"], body.password_hash)
    fields, sources = mapping.metadata_of(body), json_text(body.resolved_sources)
    check_metadata(profiles.settings, fields, sources or "")
    await profiles.change(found, lambda doc: mapping.write_metadata(doc, fields, sources))
    return reply(schema.Done(success=True))


@ROUTES.delete("/api/profile/{id}", access=PASSWORD, query=schema.PasswordQuery, reply=schema.Done)
async def delete(request: web.Request) -> web.Response:
    """Remove the profile and everything of it; its id may be taken again."""
    profiles = request.app[PROFILES]
    query = read_query(request, schema.PasswordQuery)
    await profiles.delete(await profiles.opened(request.match_info["id"], query.password_hash))
    return reply(schema.Done(success=True))


@ROUTES.post(
    "/api/profile/{id}/password",
    access=PASSWORD,
    body=schema.PasswordChange,
    reply=schema.Done,
    errors={409: "Another device changed the password meanwhile."},
)
async def change_password(request: web.Request) -> web.Response:
    """Replace password, keys and all items by newly encrypted ones, at one moment."""
    profiles = request.app[PROFILES]
    body = await read(request, schema.PasswordChange)
    new, key, salt = body.new_password_hash, body.new_encrypted_api_key, body.new_salt
    if not (body.old_password_hash and new):
        raise ApiError(400, "missing_fields", "Both old and new passwords required")
    if not (key and salt):
        raise ApiError(400, "missing_fields", "New encrypted API key and salt required")
    check_metadata(profiles.settings, {}, key, salt)
    found = await profiles.opened(request.match_info["id"], body.old_password_hash)
    stored, now = await profiles.look(found, mapping.read_stored), now_text()
    secrets = Secrets(
        password_hash=await profiles.hashed(new),
        password_salt=client_salt(new),
        encrypted_api_key=key,
        salt=salt,
        keys_hash=body.keys_hash or found.secrets.keys_hash,
    )
    uploads = {name: getattr(body, name) or [] for name in mapping.ITEMS}
    if not await profiles.replace(
        found, secrets, lambda doc: mapping.write_anew(doc, stored, uploads, now, profiles.room)
    ):
        raise ApiError(413, "too_large", "The profile would be too large")
    return reply(schema.Done(success=True, message="Password updated successfully"))
