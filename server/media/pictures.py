"""In a helper: pictures of images with libvips.

Only the loaders of the formats that `kinds` tells are open, whatever else the library has; a header
is read and judged before a pixel is decoded. Orientation is applied, colours come out as sRGB, and
nothing of the original's metadata, its position least of all, is in what is made.
"""

from __future__ import annotations

import os
from typing import Any, Final

import pyvips

from server.media.kinds import Kind
from server.media.work import PICTURE, Answer, Job, Limits, Refused

_LOADERS: Final = {
    "image/jpeg": "jpegload",
    "image/png": "pngload",
    "image/webp": "webpload",
    "image/gif": "gifload",
    "image/tiff": "tiffload",
    "image/avif": "heifload",
    "image/svg+xml": "svgload",
}
_OPEN: Final = ("Jpeg", "Png", "Webp", "Nsgif", "Tiff", "Heif", "Svg")
_ANIMATED: Final = frozenset({"image/gif", "image/webp"})
_TURNED: Final = frozenset({5, 6, 7, 8})
"""Orientations that swap width and height."""
_QUALITY: Final = 80
_EFFORT: Final = 3
SIDE_MAX: Final = 65_500
"""Pixels of one side of an original; libvips' own bounds are near."""


def prepare() -> None:
    """Set the library up once: few loaders, no cache, one thread, and decode something small."""
    pyvips.cache_set_max(0)
    pyvips.operation_block_set("VipsForeignLoad", True)  # noqa: FBT003 (the library's own signature)
    for name in _OPEN:
        pyvips.operation_block_set(f"VipsForeignLoad{name}", False)  # noqa: FBT003
    small = pyvips.Image.black(16, 16, bands=3).copy(interpretation="srgb")
    encode(small, 16)
    pyvips.Image.text("a", font="monospace 8", dpi=72)


def still(job: Job, kind: Kind, file: int) -> tuple[Answer, bytes]:
    """A picture of an image, its first frame where it moves."""
    judge(job.limits, kind, file)
    # A drawing is as sharp at any size; what has pixels is not blown up.
    fit = "both" if kind.family == "svg" else "down"
    try:
        image = pyvips.Image.thumbnail_source(
            _source(file), job.pixels, height=job.pixels, size=fit, export_profile="srgb"
        )
        return encode(image, job.pixels)
    except pyvips.Error as error:
        raise Refused("broken", _first_line(error)) from None


def animated(job: Job, kind: Kind, file: int) -> tuple[Answer, bytes]:
    """A moving picture of a moving image. Raises Refused where it does not move."""
    header = judge(job.limits, kind, file)
    pages = frames_of(header, kind)
    if pages < 2:
        raise Refused("unsupported", "this image does not move")
    frames = min(pages, job.limits.frames_max)
    if header.width * page_height(header) * frames > 2 * job.limits.pixels_max:
        raise Refused("too_large", "too many pixels in all frames")
    try:
        image = pyvips.Image.thumbnail_source(
            _source(file),
            job.pixels,
            height=job.pixels,
            size="down",
            export_profile="srgb",
            option_string=f"n={frames}",
        )
        return encode(image, job.pixels)
    except pyvips.Error as error:
        raise Refused("broken", _first_line(error)) from None


def judge(limits: Limits, kind: Kind, file: int) -> pyvips.Image:
    """The header of an image that may be decoded. Raises Refused."""
    loader = _LOADERS.get(kind.mime)
    if loader is None:
        raise Refused("unsupported", f"no pictures of {kind.mime}")
    if kind.family == "svg" and os.fstat(file).st_size > limits.svg_bytes_max:
        raise Refused("too_large", f"an SVG of more than {limits.svg_bytes_max} bytes")
    try:
        header = getattr(pyvips.Image, f"{loader}_source")(_source(file))
    except pyvips.Error as error:
        raise Refused("broken", _first_line(error)) from None
    width, height = header.width, page_height(header)
    if kind.family != "svg" and (
        max(width, height) > SIDE_MAX or width * height > limits.pixels_max
    ):
        raise Refused("too_large", f"{width} x {height} pixels")
    return header


def page_height(header: pyvips.Image) -> int:
    """The height of one frame or page."""
    return int(header.get("page-height")) if _has(header, "page-height") else int(header.height)


def frames_of(header: pyvips.Image, kind: Kind) -> int:
    """How many frames a moving image has; 1 for one that does not move."""
    if kind.mime not in _ANIMATED or not _has(header, "n-pages"):
        return 1
    return max(1, int(header.get("n-pages")))


def shown_size(header: pyvips.Image) -> tuple[int, int]:
    """Width and height as the image is to be seen."""
    width, height = int(header.width), page_height(header)
    is_turned = _has(header, "orientation") and header.get("orientation") in _TURNED
    return (height, width) if is_turned else (width, height)


def blob(header: pyvips.Image, field: str) -> bytes:
    """A block of metadata; empty where there is none."""
    return bytes(header.get(field)) if _has(header, field) else b""


def from_pixels(
    data: Any,  # noqa: ANN401 (whatever is a buffer)
    width: int,
    height: int,
    stride: int,
    bands: int,
) -> pyvips.Image:
    """An sRGB image of raw rows, which may be padded to `stride` bytes."""
    across = stride // bands
    image = pyvips.Image.new_from_memory(data, across, height, bands, "uchar")
    if across != width:
        image = image.crop(0, 0, width, height)
    return image.copy(interpretation="srgb")


def shrink(image: pyvips.Image, pixels: int, *, profile: bytes = b"") -> pyvips.Image:
    """An image in memory, made to fit; a colour profile that came with it is applied."""
    if profile:
        image = image.copy()
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
        try:
            return image.thumbnail_image(
                pixels, height=pixels, size="down", export_profile="srgb"
            ).copy_memory()
        except pyvips.Error:
            image = image.copy()
            image.remove("icc-profile-data")
    return image.thumbnail_image(pixels, height=pixels, size="down")


def film(frames: list[pyvips.Image], delay_ms: int) -> pyvips.Image:
    """One moving image of frames of one size."""
    joined = pyvips.Image.arrayjoin(frames, across=1).copy()
    joined.set_type(pyvips.GValue.gint_type, "page-height", frames[0].height)
    joined.set_type(pyvips.GValue.array_int_type, "delay", [delay_ms] * len(frames))
    joined.set_type(pyvips.GValue.gint_type, "loop", 0)
    return joined


def encode(image: pyvips.Image, pixels: int) -> tuple[Answer, bytes]:
    """The finished picture. Its size is bound by `pixels`, whatever came before."""
    if image.format != "uchar":
        image = image.cast("uchar", shift=image.format == "ushort")
    if image.interpretation not in {"srgb", "b-w"}:
        image = image.colourspace("srgb")
    height = page_height(image)
    assert image.width <= pixels + 1
    assert height <= pixels + 1
    data = image.webpsave_buffer(Q=_QUALITY, effort=_EFFORT, keep="none")
    return Answer(mime=PICTURE, width=image.width, height=height), bytes(data)


def _source(file: int) -> pyvips.Source:
    os.lseek(file, 0, os.SEEK_SET)
    return pyvips.Source.new_from_descriptor(file)


def _has(image: pyvips.Image, field: str) -> bool:
    return bool(image.get_typeof(field) != 0)


def _first_line(error: pyvips.Error) -> str:
    return (
        str(error.detail or error.message).strip().partition("\n")[0][:200] or "it cannot be read"
    )
