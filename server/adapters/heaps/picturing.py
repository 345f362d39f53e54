"""Pictures of a block's files for a request: which file is meant, and the reply to it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aiohttp import BodyPartReader, web

from server.errors import BadBody, BodyTooLarge
from server.media.gallery import GALLERY, Picture
from storage.blobs import Blob

if TYPE_CHECKING:
    from storage.files import FileRecord

_HASH = re.compile(r"([0-9a-fA-F]{64})(?::\d{1,19})?")
_FIELD_BYTES_MAX = 1024
_PARTS_MAX = 8
_SHOWN_S = 300
"""Seconds for which a browser need not ask again; after that it asks by the ETag."""

STILLS = ("thumbnail", "image", "still", "static")
"""Types under which clients keep pictures that stand still."""
MOVING = ("animated", "animation", "preview")


def digest_of(text: str) -> bytes | None:
    """The digest that a hash spells, bare or as `<hash>:<size>`; None where it spells none."""
    found = _HASH.fullmatch(text)
    return bytes.fromhex(found[1]) if found else None


async def show(request: web.Request, picture: Picture) -> web.Response:
    """The reply with a picture, or 304."""
    data = picture.data
    headers = {"Cache-Control": f"private, max-age={_SHOWN_S}"}
    if picture.digest:
        etag = picture.digest.hex()
        headers["ETag"] = f'"{etag}"'
        asked = request.if_none_match
        if asked and any(tag.value in {etag, "*"} for tag in asked):
            return web.Response(status=304, headers=headers)
    if data is None:
        gallery = request.app[GALLERY]
        data = await gallery.blobs.whole(picture.digest, gallery.picture_bytes_max)
    headers["Content-Disposition"] = "inline"
    # Whatever the bytes hold, a browser that opens them by themselves runs none of it.
    headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return web.Response(body=data, content_type=picture.mime, headers=headers)


async def of_client(
    request: web.Request, file: FileRecord, kinds: tuple[str, ...], size: str
) -> Picture | None:
    """The picture that a client made of a file, if one did."""
    found = await request.app[GALLERY].kept.get(file.document, file.hash, kinds, [size])
    if found is None:
        return None
    return Picture(digest=found.blob, mime=found.mime, width=found.width, height=found.height)


def blob_of(file: FileRecord) -> Blob:
    """The bytes of a file."""
    return Blob(file.hash, file.size)


async def read_form(request: web.Request, bytes_max: int) -> dict[str, bytes]:
    """The parts of a form by their names. Raises BadBody and BodyTooLarge."""
    if not request.content_type.startswith("multipart/"):
        raise BadBody("it is no multipart form")
    if request.content_length is not None and request.content_length > bytes_max + 64 * 1024:
        raise BodyTooLarge(bytes_max)
    found: dict[str, bytes] = {}
    try:
        reader = await request.multipart()
        while (part := await reader.next()) is not None:
            if not isinstance(part, BodyPartReader) or len(found) >= _PARTS_MAX:
                raise BadBody("it has parts that do not belong there")
            name = part.name or ""
            most = bytes_max if name == "thumbnail" else _FIELD_BYTES_MAX
            found[name] = await _read(part, most)
    except (ValueError, AssertionError, LookupError) as error:
        raise BadBody(str(error)) from error
    return found


async def _read(part: BodyPartReader, bytes_max: int) -> bytes:
    data = bytearray()
    while piece := await part.read_chunk(64 * 1024):
        data += piece
        if len(data) > bytes_max:
            raise BodyTooLarge(bytes_max)
    return bytes(part.decode(data))
