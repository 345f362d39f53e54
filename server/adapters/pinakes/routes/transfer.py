"""Bytes: uploads in chunks that can be resumed, and downloads with ranges."""

from __future__ import annotations

import mimetypes
from http import HTTPStatus

from aiohttp import web

from server.adapter import Routes
from server.adapters.pinakes import mapping, schema
from server.adapters.pinakes.asking import (
    READ,
    SHELVES,
    UPLOADING,
    WRITE,
    account_of,
    asking_device,
)
from server.adapters.pinakes.uploading import CHUNK_BYTES, Found, expires_at
from server.bodies import stream
from server.describe import Binary
from server.errors import NotFound
from server.http import read_body, reply
from server.serving import GIVEN, Conditions, Shown, serve
from storage.blobs import Blob
from storage.errors import UnknownBlob

ROUTES = Routes(section="Uploads and downloads")

_UNKNOWN = {404: "There is no such upload, or it ended."}
SERVE_TRIES = 3
"""How often a download looks again for a file that was replaced while it was asked for."""


@ROUTES.post(
    "/api/v1/sync/upload",
    "/api/sync/upload",
    access=WRITE,
    body=schema.BeginUpload,
    headers=schema.ByDevice,
    reply=schema.Upload,
    errors={413: "The file is too large, or the account has no room (quota_exceeded)."},
)
async def begin(request: web.Request) -> web.Response:
    """Begin an upload, or go on with the one of the same content for the same path."""
    body = await read_body(request, schema.BeginUpload)
    path = mapping.read_path(body.target_path, "target_path")
    device = await asking_device(request, body.device_id)
    found = await request.app[UPLOADING].begin(
        account_of(request),
        None if device is None else device.id,
        path,
        Blob(bytes.fromhex(body.expected_hash), body.expected_size),
        body.chunk_size or CHUNK_BYTES,
    )
    return reply(_upload(request, found))


@ROUTES.get(
    "/api/v1/sync/upload/{id}",
    "/api/sync/upload/{id}",
    access=READ,
    reply=schema.Upload,
    errors=_UNKNOWN,
)
async def status(request: web.Request) -> web.Response:
    """How far an upload is: upload the chunks that are missing, and complete it."""
    return reply(_upload(request, await _found(request)))


@ROUTES.delete(
    "/api/v1/sync/upload/{id}",
    "/api/sync/upload/{id}",
    access=WRITE,
    replies={204: None},
    errors={404: "There is no such upload, or it is complete: then the file stays."},
)
async def cancel(request: web.Request) -> web.Response:
    """Give an upload up, and all that came of it."""
    found = await _found(request)
    await request.app[UPLOADING].cancel(found)
    return web.Response(status=HTTPStatus.NO_CONTENT)


@ROUTES.put(
    "/api/v1/sync/upload/{id}/chunks/{index}",
    "/api/sync/upload/{id}/chunks/{index}",
    access=WRITE,
    body=Binary(about="The bytes of this chunk, exactly as many as it has."),
    headers=schema.ChunkHeaders,
    path_types=schema.ChunkPath,
    reply=schema.ChunkReceived,
    errors={
        400: "There is no such chunk, it has not the length or hash it must have, or all are here.",
        **_UNKNOWN,
    },
)
async def chunk(request: web.Request) -> web.Response:
    """Upload one chunk: in any order, several at a time, again after a failure.

    Answered once it is durable. A chunk that was here is replaced.
    """
    found = await _found(request)
    index = mapping.read_index(request.match_info["index"])
    said = request.headers.get("X-Chunk-Hash")
    digest = None if said is None else mapping.read_digest(said)
    uploading = request.app[UPLOADING]
    body = stream(request, uploading.settings.transfer_stuck_s)
    after = await uploading.put(found, index, body, digest, request.content_length)
    return reply(
        schema.ChunkReceived(
            chunk_index=index,
            received=True,
            received_chunks=after.received,
            chunk_count=after.upload.total_chunks,
        )
    )


@ROUTES.post(
    "/api/v1/sync/upload/{id}/complete",
    "/api/sync/upload/{id}/complete",
    access=WRITE,
    body=None,
    reply=schema.Upload,
    errors={
        400: "Chunks are missing (missing_chunks), or the whole has another hash (hash_mismatch).",
        **_UNKNOWN,
    },
)
async def complete(request: web.Request) -> web.Response:
    """Make a file of the chunks, once all of them are here; asked again, the same answer.

    The other devices are told of it. Was another version stored since the one that was reported as
    base, a text is merged with it, and of anything else there is a conflict.
    """
    found = await request.app[UPLOADING].complete(await _found(request))
    return reply(_upload(request, found))


@ROUTES.get(
    "/api/v1/sync/download/{path:.+}",
    "/api/sync/download/{path:.+}",
    access=READ,
    headers=Conditions,
    replies=GIVEN,
    errors={404: "There is no such file."},
)
async def download(request: web.Request) -> web.StreamResponse:
    """A file of the library, or one range of it."""
    path = mapping.read_download(request.match_info["path"])
    shelves = request.app[SHELVES]
    library = await shelves.of(account_of(request))
    for number in range(SERVE_TRIES):
        found = await shelves.store.file(library, path)
        if found is None:
            raise NotFound
        file, changed_at = found
        assert file.hash is not None
        kind = mimetypes.guess_type(path)[0] or ""
        shown = Shown(name=path.rpartition("/")[2], mime_type=kind, modified=changed_at)
        try:
            return await serve(request, Blob(file.hash, file.size), shown)
        except UnknownBlob:
            if number + 1 == SERVE_TRIES:
                raise
    raise NotFound


async def _found(request: web.Request) -> Found:
    return await request.app[UPLOADING].find(account_of(request), request.match_info["id"])


def _upload(request: web.Request, found: Found) -> schema.Upload:
    upload, session, received = found
    settings = request.app[UPLOADING].settings
    status = mapping.upload_status(
        received, failed=session.failed, published=session.published_at is not None
    )
    digest = session.published_hash
    return schema.Upload(
        id=upload.id,
        target_path=upload.target,
        expected_size=upload.size,
        expected_hash=upload.hash.hex(),
        hash_algorithm="sha256",
        chunk_size=upload.chunk_size,
        chunk_count=upload.total_chunks,
        received_chunks=received,
        received_bytes=sum(upload.length(number) for number in received),
        status=status,
        created_at=mapping.moment(session.created_at),
        expires_at=mapping.moment(expires_at(found, settings.pinakes_upload_expiry_s)),
        content_hash=None if digest is None else digest.hex(),
        conflict_id=None if session.conflict is None else str(session.conflict),
    )
