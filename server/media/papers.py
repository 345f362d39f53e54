"""In a helper: the first page of a PDF, and the first lines of a text as a page."""

from __future__ import annotations

import os
import re
from typing import Final

import pypdfium2
import pyvips
from pypdfium2 import raw as pdfium

from server.media import pictures
from server.media.work import Answer, Job, Refused

_PAPER: Final = (600, 800)
_MARGIN: Final = 32
_LINES_MAX, _COLUMNS_MAX = 44, 76
_TEXT_BYTES: Final = 16 * 1024
_CONTROLS: Final = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)


def prepare() -> None:
    """Start the PDF library while files can still be opened."""
    document = pypdfium2.PdfDocument.new()
    document.new_page(10, 10).render(scale=1)
    document.close()


def pages_of(file: int) -> int:
    """How many pages a PDF has. Raises Refused."""
    document = _open(file)
    try:
        return len(document)
    finally:
        document.close()


def page(job: Job, file: int) -> tuple[Answer, bytes]:
    """The first page of a PDF on white."""
    document = _open(file)
    try:
        if not len(document):
            raise Refused("broken", "it has no page")
        try:
            first = document[0]
            width, height = first.get_size()
            if not (0 < width < 1e6 and 0 < height < 1e6):
                raise Refused("too_large", f"a page of {width} x {height} points")
            bitmap = first.render(scale=job.pixels / max(width, height), rev_byteorder=True)
        except pypdfium2.PdfiumError as error:
            raise Refused("broken", str(error)[:200]) from None
        bands = {"RGB": 3, "RGBX": 4, "RGBA": 4, "L": 1}[bitmap.mode]
        data = bytes(bitmap.buffer)
        image = pictures.from_pixels(data, bitmap.width, bitmap.height, bitmap.stride, bands)
        if bands == 4:
            image = image.extract_band(0, n=3)
        return pictures.encode(pictures.shrink(image, job.pixels), job.pixels)
    finally:
        document.close()


def text(job: Job, file: int) -> tuple[Answer, bytes]:
    """The first lines of a text, black on white, in a fixed pitch."""
    lines = first_lines(os.pread(file, _TEXT_BYTES, 0))
    paper = pyvips.Image.black(*_PAPER) + 255
    if lines:
        # The library reads markup.
        safe = "\n".join(lines).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        try:
            ink = pyvips.Image.text(safe, font="monospace 9", dpi=72, spacing=4)
        except pyvips.Error:
            raise Refused("broken", "it cannot be written down") from None
        room = (_PAPER[0] - 2 * _MARGIN, _PAPER[1] - 2 * _MARGIN)
        ink = ink.crop(0, 0, min(ink.width, room[0]), min(ink.height, room[1]))
        ink = ink.embed(_MARGIN, _MARGIN, *_PAPER)
        paper = (255 - ink.cast("short") * 0.87).cast("uchar")
    picture = paper.cast("uchar").copy(interpretation="b-w")
    return pictures.encode(pictures.shrink(picture, job.pixels), job.pixels)


def first_lines(data: bytes) -> list[str]:
    """The lines that fit on the page, without what would disturb its layout."""
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        words = data.decode("utf-16", "replace")
    else:
        words = data.decode("utf-8-sig", "replace")
    lines = words.replace("\r\n", "\n").replace("\r", "\n").split("\n")[:_LINES_MAX]
    kept = [
        _CONTROLS.sub("", line.expandtabs(4)[: _COLUMNS_MAX * 2])[:_COLUMNS_MAX] for line in lines
    ]
    return [line.rstrip() for line in kept] if any(line.strip() for line in kept) else []


def _open(file: int) -> pypdfium2.PdfDocument:
    stream = os.fdopen(os.dup(file), "rb")
    stream.seek(0)
    try:
        return pypdfium2.PdfDocument(stream, autoclose=True)
    except pypdfium2.PdfiumError as error:
        stream.close()
        is_locked = pdfium.FPDF_GetLastError() == pdfium.FPDF_ERR_PASSWORD
        raise Refused("unsupported" if is_locked else "broken", str(error)[:200]) from None
