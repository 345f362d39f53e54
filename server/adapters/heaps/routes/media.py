"""Pictures of files: made by the server when they are asked for, or brought by clients."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
from aiohttp import web

from auth.principal import Role
from server.adapter import FILE, principal_of
from server.adapters.heaps import schema_media as schema
from server.adapters.heaps.admission import block_of
from server.adapters.heaps.filing import file_asked_for, readable_block
from server.adapters.heaps.picturing import (
    MOVING,
    STILLS,
    blob_of,
    digest_of,
    of_client,
    read_form,
    show,
)
from server.adapters.heaps.policy import API, WRITE
from server.catalogue import CATALOGUE
from server.describe import Binary, Form, Reply
from server.errors import ApiError, BadBody, NotFound
from server.http import reply
from server.media.gallery import GALLERY, Made, Picture
from server.media.work import SIZES, Refused, seconds_of
from server.routing import Routes
from storage.derived import ClientPicture

ROUTES = Routes("Pictures of files")
SHOWN = FILE.reading(API)
"""A browser cannot add a header to an image's address: a token in it counts."""

_PICTURE = Reply(
    Binary(media="image/webp", about="The picture."),
    headers={"ETag": "Changes with the picture.", "Cache-Control": "How long it may be shown."},
    also=(
        Binary(media="image/jpeg"),
        Binary(media="image/png"),
        Binary(media="image/gif"),
        Binary(media="image/avif"),
    ),
)
_REPLIES = {200: _PICTURE, 304: None}
_ERRORS = {
    404: "No such block, file or size; none that the caller may know of.",
    415: "There are no pictures of such files, or this one is broken or over a bound. Said again "
    "without another try for an hour.",
    501: "The server lacks the package that reads such files.",
}


@ROUTES.get(
    "/api/file/{key}/thumbnail/{size}/{slug}",
    access=SHOWN,
    query=schema.PictureQuery,
    replies=_REPLIES,
    errors=_ERRORS,
)
async def thumbnail(request: web.Request) -> web.Response:
    """A picture of a file: small, medium or large.

    Of images, videos, PDFs (the first page) and texts (the first lines). One that a client made of
    it comes first. `key` is the block's id, or the file's; the slug says which file of the block,
    by its hash, id or name, and any other slug means the newest.
    """
    return await _shown(request, "still", STILLS)


@ROUTES.get(
    "/api/file/{key}/animated_thumbnail/{size}/{slug}",
    access=SHOWN,
    query=schema.PictureQuery,
    replies=_REPLIES,
    errors=_ERRORS,
)
async def animated_thumbnail(request: web.Request) -> web.Response:
    """A moving picture of a moving image or a video."""
    return await _shown(request, "animated", MOVING)


@ROUTES.get(
    "/api/file/{key}/video_thumbnail/{size}/{position}",
    access=SHOWN,
    query=schema.PictureQuery,
    replies=_REPLIES,
    errors={400: "The position is neither seconds nor `N%`.", **_ERRORS},
)
async def video_thumbnail(request: web.Request) -> web.Response:
    """A frame of a video, at a position in seconds or as `N%` of its length.

    Behind its end the last frame is meant.
    """
    _, file = await file_asked_for(request)
    size = _size(request)
    position = _position(request.match_info["position"])
    gallery = request.app[GALLERY]
    if (await gallery.facts(blob_of(file), file.name)).family != "video":
        raise Refused("unsupported", "it is no video")
    picture = await gallery.picture(blob_of(file), "still", size, position=position, name=file.name)
    return await show(request, picture)


async def _shown(request: web.Request, made: Made, kinds: tuple[str, ...]) -> web.Response:
    _, file = await file_asked_for(request)
    size = _size(request)
    picture = await of_client(request, file, kinds, size)
    if picture is None:
        picture = await request.app[GALLERY].picture(blob_of(file), made, size, name=file.name)
    return await show(request, picture)


def _size(request: web.Request) -> str:
    size = request.match_info["size"]
    if size not in SIZES:
        raise NotFound
    return size


def _position(text: str) -> str:
    """A position in its one spelling, a tenth of a second or a percent at the finest."""
    try:
        seconds_of(text or "-", 1.0)
    except Refused as refused:
        raise ApiError(400, "bad_position", refused.reason) from None
    number = float(text.rstrip("%s"))
    return f"{round(number)}%" if text.endswith("%") else f"{round(number, 1):g}"


@ROUTES.post(
    "/api/upload/thumbnail/{block_key}/{file_hash}/{thumbnail_key}",
    access=WRITE,
    body=Form(schema.PictureForm),
    reply=schema.PictureStored,
    errors={
        404: "No such block, or it has no such file.",
        409: "The block has as many pictures as it may.",
        413: "The picture is too large.",
        415: "It is no picture that a browser shows.",
        507: "The quota of the workspace's owner is used up.",
    },
)
async def upload(request: web.Request) -> web.Response:
    """Keep a picture that the client made of a file, in place of the one before."""
    block = await block_of(request, Role.EDITOR)
    source = digest_of(request.match_info["file_hash"])
    gallery = request.app[GALLERY]
    if source is None or not await _has_file(request, source):
        raise NotFound
    form = await read_form(request, gallery.upload_bytes_max)
    if not form.get("thumbnail"):
        raise BadBody("it has no thumbnail")
    kind, size = _words(form)
    if await gallery.kept.count_of(block.record.id) >= gallery.uploads_max:
        raise ApiError(409, "too_many_pictures", "this block has as many pictures as it may")
    data = form["thumbnail"]
    blob = await gallery.blobs.receive(_once(data), bytes_max=len(data))
    made = await gallery.check(blob)
    account = principal_of(request).account
    picture = ClientPicture(
        document=block.record.id,
        source=source,
        kind=kind,
        size=size,
        key=request.match_info["thumbnail_key"][:200],
        blob=blob.digest,
        mime=made.mime,
        width=made.width,
        height=made.height,
        author=account,
    )
    owner = await request.app[CATALOGUE].workspaces.owner(block.record.scope)
    payer = account if owner is None or owner[0] is None else owner[0]
    await gallery.kept.put(picture, payer, gallery.quota)
    return reply(_stored(block.record.name, picture))


@ROUTES.get(
    "/api/download/thumbnail/{key}/{file_hash}/{thumbnail_type}/{thumbnail_size}",
    access=SHOWN,
    query=schema.PictureQuery,
    replies=_REPLIES,
    errors={404: "No such block, or no such picture is kept."},
)
async def download(request: web.Request) -> web.Response:
    """A kept picture: one that a client made, else one that the server made before."""
    block = await readable_block(request)
    source = digest_of(request.match_info["file_hash"])
    kind, size = request.match_info["thumbnail_type"], request.match_info["thumbnail_size"]
    if source is None:
        raise NotFound
    gallery = request.app[GALLERY]
    found = await gallery.kept.get(block.id, source, [kind], [size])
    if found is not None:
        picture: Picture | None = Picture(
            digest=found.blob, mime=found.mime, width=found.width, height=found.height
        )
    elif await gallery.files.find(block.id, source) is None:
        picture = None
    else:
        made: Made | None = "still" if kind in STILLS else "animated" if kind in MOVING else None
        picture = await gallery.stored(source, made, size) if made else None
    if picture is None:
        raise NotFound
    return await show(request, picture)


async def _has_file(request: web.Request, source: bytes) -> bool:
    """Whether the block has the file, or its document says that it will."""
    block = await block_of(request, Role.EDITOR)
    if await request.app[GALLERY].files.find(block.record.id, source) is not None:
        return True
    seen, _ = await request.app[CATALOGUE].extracting.projection(block)
    return any(file.hash.lower() == source.hex() for file in seen.files)


def _words(form: dict[str, bytes]) -> tuple[str, str]:
    """Type and size of a client's picture. Raises BadBody."""
    given: dict[str, bytes | str] = {"thumbnail": b""}
    for name in ("type", "size"):
        if name in form:
            given[name] = form[name].decode("utf-8", "replace")
    try:
        read = msgspec.convert(given, schema.PictureForm)
    except msgspec.ValidationError as error:
        raise BadBody(str(error)) from error
    return read.type, read.size


def _stored(name: str, picture: ClientPicture) -> schema.PictureStored:
    return schema.PictureStored(
        success=True,
        status="stored",
        block_id=name,
        file_hash=picture.source.hex(),
        thumbnail_key=picture.key,
        type=picture.kind,
        size=picture.size,
        thumbnail_hash=picture.blob.hex(),
        mime_type=picture.mime,
        width=picture.width,
        height=picture.height,
    )


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
