"""Files and uploads: how files come to blocks, in one go or in chunks that can be resumed."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator
from http import HTTPStatus

from aiohttp import web

from crdt.ids import make_ulid
from server.adapter import Routes, principal_of
from server.adapters.heaps import mapping_files as mapping
from server.adapters.heaps import schema_files as schema
from server.adapters.heaps.filing import UPLOAD, block_to_fill, digest_of, upload_of
from server.adapters.heaps.policy import READ, WRITE
from server.bodies import FormReader, Part, stream
from server.catalogue import CATALOGUE
from server.describe import Binary, Form
from server.errors import ApiError, BadBody, BodyTooLarge, NotFound
from server.files import FILES
from server.http import read_body, reply
from storage.blobs import Blob
from storage.documents import DocumentRecord
from storage.errors import HashMismatch, QuotaExceeded
from storage.uploads import Upload

ROUTES = Routes(section="Files and uploads")

_REFUSED = {
    400: "The body cannot be read, or its SHA-256 is not the one that was said (hash_mismatch).",
    413: "The file is too large, or the account of the workspace has no room (quota_exceeded).",
}


@ROUTES.post(
    "/api/upload/file/{heap_id}/{block_id}",
    access=WRITE,
    body=Form(schema.DirectUpload),
    reply=schema.Uploaded,
    errors=_REFUSED,
)
async def direct(request: web.Request) -> web.Response:
    """Give a block a file in one go; a block that is not there yet is made."""
    files, settings = request.app[FILES], request.app[FILES].settings
    block = await block_to_fill(request, create=True)
    payer = await _payer(request, block)
    await _has_room(request, payer)
    form = _Form(request, settings.file_bytes_max)
    with files.transfer():
        blob, part, said = await form.read()
    if said is None:
        raise BadBody("it has no field hash")
    expected = mapping.read_hash(said)
    if blob is None or part is None:
        raise BadBody("it has no file")
    if expected != blob.digest:
        raise HashMismatch(expected, blob.digest)
    upload = Upload(
        id=_new_id(),
        account=principal_of(request).account,
        payer=payer,
        kind=UPLOAD,
        target=str(block.id),
        hash=blob.digest,
        size=blob.size,
        chunk_size=max(1, blob.size),
        name=mapping.read_name(part.filename or ""),
        mime_type=mapping.read_mime_type(part.content_type),
    )
    return reply(mapping.uploaded(block, await files.keep(block, upload)))


@ROUTES.post(
    "/api/upload/init/{heap_id}/{block_id}",
    access=WRITE,
    body=schema.BeginUpload,
    reply=schema.Upload,
    errors={**_REFUSED, 409: "This hash is being uploaded with another size."},
)
async def begin(request: web.Request) -> web.Response:
    """Begin a file that comes in chunks, or find out how to go on with it."""
    files = request.app[FILES]
    settings = files.settings
    body = await read_body(request, schema.BeginUpload)
    if body.file_size > settings.file_bytes_max:
        raise BodyTooLarge(settings.file_bytes_max)
    block = await block_to_fill(request, create=True)
    digest = bytes.fromhex(body.hash)
    chunk_size = mapping.chunk_size(body, settings)
    file = await files.records.find(block.id, digest)
    if file is not None:
        upload = await upload_of(request, block, digest)
        size = upload.chunk_size if upload is not None else chunk_size
        return reply(mapping.complete(block, file, size))
    wanted = Upload(
        id=_new_id(),
        account=principal_of(request).account,
        payer=await _payer(request, block),
        kind=UPLOAD,
        target=str(block.id),
        hash=digest,
        size=body.file_size,
        chunk_size=chunk_size,
        name=mapping.read_name(body.name),
        mime_type=mapping.read_mime_type(body.mime_type),
    )
    upload = await files.uploads.begin(
        wanted, quota=settings.account_bytes_max, most=settings.uploads_per_account_max
    )
    return reply(mapping.under_way(block, upload, await files.uploads.received(upload)))


@ROUTES.get("/api/upload/status/{heap_id}/{block_id}/{hash}", access=READ, reply=schema.Upload)
async def status(request: web.Request) -> web.Response:
    """How far an upload of the caller's is."""
    files, digest = request.app[FILES], digest_of(request.match_info["hash"])
    block = await block_to_fill(request)
    upload = await upload_of(request, block, digest)
    file = await files.records.find(block.id, digest)
    if file is not None:
        size = files.settings.upload_chunk_bytes if upload is None else upload.chunk_size
        return reply(mapping.complete(block, file, size))
    if upload is None or upload.completed_at is not None:
        raise NotFound
    return reply(mapping.under_way(block, upload, await files.uploads.received(upload)))


@ROUTES.put(
    "/api/upload/chunk/{heap_id}/{block_id}/{hash}/{index}",
    access=WRITE,
    body=Binary(about="The bytes of this chunk, exactly as many as it has."),
    reply=schema.ChunkTaken,
    errors={
        400: "There is no such chunk (chunk_out_of_range), or it is too short (chunk_length).",
        409: "The upload is complete.",
        413: "The chunk is longer than it must be.",
    },
)
async def chunk(request: web.Request) -> web.Response:
    """Upload one chunk: in any order, several at a time, again after a failure.

    Answered once it is durable. A chunk that was here is replaced.
    """
    files, digest = request.app[FILES], digest_of(request.match_info["hash"])
    index = mapping.read_index(request.match_info["index"])
    upload = await upload_of(request, await block_to_fill(request), digest)
    if upload is None:
        raise NotFound
    length = upload.length(index)
    if upload.completed_at is not None:
        raise ApiError(HTTPStatus.CONFLICT, "upload_complete", "this upload is complete")
    if request.content_length is not None and request.content_length > length:
        raise BodyTooLarge(length)
    with files.transfer():
        body = stream(request, files.settings.transfer_stuck_s)
        size = await files.uploads.put(upload, index, body)
    return reply(schema.ChunkTaken(success=True, status="uploaded", index=index, size=size))


@ROUTES.post(
    "/api/upload/complete/{heap_id}/{block_id}/{hash}",
    access=WRITE,
    body=None,
    reply=schema.Uploaded,
    errors={
        400: "The SHA-256 of the chunks is not the one that was said; chunks may come again.",
        409: "Chunks are missing; `missing` lists them.",
    },
)
async def complete(request: web.Request) -> web.Response:
    """Make a file of the chunks, once all of them are here; asked again, the same answer."""
    files, digest = request.app[FILES], digest_of(request.match_info["hash"])
    block = await block_to_fill(request)
    file = await files.records.find(block.id, digest)
    if file is None:
        upload = await upload_of(request, block, digest)
        if upload is None:
            raise NotFound
        file = await files.complete(block, upload)
    else:
        await files.announce(block, file)
    return reply(mapping.uploaded(block, file))


@ROUTES.get("/api/status/file/{heap_id}/{block_id}/{hash}", access=READ, reply=schema.FileStatus)
async def file_status(request: web.Request) -> web.Response:
    """Whether a block's file is here, or how much of it the caller has uploaded."""
    files, digest = request.app[FILES], digest_of(request.match_info["hash"])
    block = await block_to_fill(request)
    file = await files.records.find(block.id, digest)
    if file is not None:
        return reply(mapping.file_here(block, file))
    upload = await upload_of(request, block, digest)
    if upload is None or upload.completed_at is not None:
        raise NotFound
    return reply(mapping.file_coming(block, upload, await files.uploads.received(upload)))


class _Form:
    """The form of a direct upload: the file goes to the store while it comes."""

    def __init__(self, request: web.Request, bytes_max: int) -> None:
        self._files = request.app[FILES]
        self._reader = FormReader(request, self._files.settings.transfer_stuck_s)
        self._bytes_max = bytes_max

    async def read(self) -> tuple[Blob | None, Part | None, str | None]:
        """The stored file, its part, and the field `hash`, whichever came first."""
        blob: Blob | None = None
        of: Part | None = None
        said: str | None = None
        async for part in self._reader:
            if part.name in {"hash", "file_hash"} and part.filename is None:
                said = await part.text()
            elif blob is None and (part.filename is not None or part.name == "file"):
                expected = None if said is None else mapping.read_hash(said)
                blob = await self._files.blobs.receive(
                    _bytes(part), bytes_max=self._bytes_max, expected=expected
                )
                of = part
        return blob, of, said


async def _bytes(part: Part) -> AsyncIterator[bytes]:
    async for piece in part:
        yield piece


async def _payer(request: web.Request, block: DocumentRecord) -> str:
    """The account in whose quota a block's files count: the workspace's owner."""
    found = await request.app[CATALOGUE].workspaces.owner(block.scope)
    if found is None or found[0] is None:
        raise NotFound
    return found[0]


async def _has_room(request: web.Request, payer: str) -> None:
    """Refuse at once what cannot fit; what is exact is judged when the bytes are here."""
    files = request.app[FILES]
    length = request.content_length or 0
    if length > files.settings.file_bytes_max + (1 << 20):
        raise BodyTooLarge(files.settings.file_bytes_max)
    usage = await files.blobs.usage(payer)
    used, quota = usage.bytes + usage.reserved_bytes, files.settings.account_bytes_max
    if used + length > quota + (1 << 20):
        raise QuotaExceeded(wanted=length, used=used, quota=quota)


def _new_id() -> str:
    return make_ulid(int(time.time() * 1000), secrets.token_bytes(10))
