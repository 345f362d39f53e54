"""Images by name: bytes in the blob store, safe names, and what kind of image it is."""

from __future__ import annotations

from collections.abc import AsyncIterable
from typing import Final

from aiohttp import web

from server.adapters.ascently.datasets import DATASETS
from server.errors import ApiError, BadBody, BodyTooLarge, NotFound
from server.files import FILES
from server.settings import Settings
from storage.ascently import Ascently
from storage.blobs import Blob, Blobs, Use

_NAME_BYTES_MAX: Final = 255
_USE: Final = "ascently-image"
_BY_EXTENSION: Final = {
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "webp": "image/webp",
}
_BY_BEGINNING: Final = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF8", "image/gif"),
)


def check_name(name: str) -> str:
    """A bare file name: a path, even one that would be harmless, is refused and never shortened.

    Raises BadBody.
    """
    size = len(name.encode("utf-8", "surrogatepass"))
    if (
        not 0 < size <= _NAME_BYTES_MAX
        or name.startswith(".")
        or any(bad in name for bad in ("/", "\\", "\0", ".."))
        or not name.isprintable()
    ):
        raise BadBody("filename must be a bare name", "the query")
    return name


def type_of(name: str, beginning: bytes) -> str:
    """The type of an image by its name, else by its first bytes."""
    found = _BY_EXTENSION.get(name.rpartition(".")[2].lower() if "." in name else "")
    if found is not None:
        return found
    if beginning[:4] == b"RIFF" and beginning[8:12] == b"WEBP":
        return "image/webp"
    return next(
        (kind for start, kind in _BY_BEGINNING if beginning.startswith(start)),
        "application/octet-stream",
    )


async def store(request: web.Request, account: str, name: str) -> None:
    """Keep the body under a name, in the place of what was there."""
    datasets = request.app[DATASETS]
    settings = datasets.settings
    if (request.content_length or 0) > settings.ascently_image_bytes_max:
        raise BodyTooLarge(settings.ascently_image_bytes_max)
    if await datasets.store.count_images(account) >= settings.ascently_images_max:
        raise ApiError(413, "too_many", f"more than {settings.ascently_images_max} images")
    await keep(
        request.app[FILES].blobs,
        datasets.store,
        settings,
        account=account,
        name=name,
        parts=request.content.iter_any(),
    )


async def keep(
    blobs: Blobs,
    images: Ascently,
    settings: Settings,
    *,
    account: str,
    name: str,
    parts: AsyncIterable[bytes],
) -> None:
    """Keep bytes under a name. Raises BadBody where there are none, TooLarge and QuotaExceeded."""
    blob = await blobs.receive(parts, bytes_max=settings.ascently_image_bytes_max)
    if not blob.size:
        raise BadBody("it is empty")
    by = Use(kind=_USE, holder=f"{account}/{name}", account=account)
    await blobs.use(blob.digest, by, settings.account_bytes_max)
    old = await images.put_image(account, name, blob.digest, blob.size)
    if old is not None and old != blob.digest:
        await blobs.release(_USE, by.holder, old)


async def load(request: web.Request, account: str, name: str) -> web.Response:
    """The image of a name. Raises NotFound."""
    found = await request.app[DATASETS].store.image(account, name)
    if found is None:
        raise NotFound
    blob = Blob(*found)
    data = b"".join([piece async for piece in request.app[FILES].blobs.read(blob)])
    headers = {
        "Content-Type": type_of(name, data[:16]),
        "Content-Security-Policy": "sandbox",
        "Cache-Control": "private, no-cache",
    }
    return web.Response(body=data, headers=headers)
