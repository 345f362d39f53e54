"""In a helper: HEIC, which libvips' binaries leave out, with pillow-heif where it is installed."""

from __future__ import annotations

import os
from typing import Any

from server.media import pictures
from server.media.work import Answer, Job, Limits, Refused

try:
    import pillow_heif
except ImportError:
    pillow_heif = None


def prepare() -> None:
    """Load what it loads late, while files can still be opened."""
    if pillow_heif is not None:
        pillow_heif.libheif_version()


def open_image(limits: Limits, file: int) -> Any:  # noqa: ANN401 (the package has no types)
    """The main image, not decoded yet. Raises Refused."""
    if pillow_heif is None:
        raise Refused("missing", "HEIC needs the extra package pillow-heif")
    os.lseek(file, 0, os.SEEK_SET)
    try:
        with os.fdopen(os.dup(file), "rb") as opened:
            found = pillow_heif.open_heif(opened, convert_hdr_to_8bit=True)
    except (ValueError, OSError, EOFError, RuntimeError, SyntaxError) as error:
        raise Refused("broken", str(error)[:200] or "it cannot be read") from None
    width, height = found.size
    if width * height > limits.pixels_max or max(width, height) > pictures.SIDE_MAX:
        raise Refused("too_large", f"{width} x {height} pixels")
    return found


def still(job: Job, file: int) -> tuple[Answer, bytes]:
    """A picture of the main image."""
    found = open_image(job.limits, file)
    try:
        data, stride = found.data, found.stride
    except (ValueError, OSError, EOFError, RuntimeError) as error:
        raise Refused("broken", str(error)[:200] or "it cannot be read") from None
    width, height = found.size
    bands = {"L": 1, "RGB": 3, "RGBA": 4}.get(found.mode)
    if bands is None:
        raise Refused("unsupported", f"HEIC of mode {found.mode}")
    image = pictures.from_pixels(data, width, height, stride, bands)
    profile = found.info.get("icc_profile") or b""
    return pictures.encode(pictures.shrink(image, job.pixels, profile=profile), job.pixels)
