"""Files for tests of media: good ones, broken ones, and ones that lie or mean harm."""

from __future__ import annotations

import io
import struct
import zlib
from fractions import Fraction
from typing import Any

import av
import pillow_heif
import pypdfium2
import pyvips

RED, GREEN, BLUE = (220, 30, 30), (30, 200, 30), (30, 30, 220)
Colour = tuple[int, int, int]


def image(width: int = 320, height: int = 200, colour: Colour = RED) -> pyvips.Image:
    """An image whose upper half has a colour and whose lower half is blue."""
    upper = pyvips.Image.black(width, height // 2, bands=3) + list(colour)
    lower = pyvips.Image.black(width, height - height // 2, bands=3) + list(BLUE)
    both = upper.join(lower, "vertical").cast("uchar")
    return both.copy(interpretation="srgb")


def encoded(suffix: str, width: int = 320, height: int = 200, **options: Any) -> bytes:
    """An image as a file of a format that libvips writes."""
    return bytes(image(width, height).write_to_buffer(suffix, **options))


def turned(orientation: int) -> bytes:
    """A JPEG whose EXIF says how it is to be turned."""
    picture = image().copy()
    picture.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    return bytes(picture.jpegsave_buffer())


def photographed() -> bytes:
    """A JPEG of a camera that noted where it was: 52.5 north, 13.25 west, 34 m."""
    picture = image().copy()
    for name, value in {
        "exif-ifd0-Make": "Plait Cameras",
        "exif-ifd0-Model": "P1",
        "exif-ifd2-DateTimeOriginal": "2026:01:02 03:04:05",
        "exif-ifd2-FNumber": "28/10",
        "exif-ifd3-GPSLatitudeRef": "N",
        "exif-ifd3-GPSLatitude": "52/1 30/1 0/1",
        "exif-ifd3-GPSLongitudeRef": "W",
        "exif-ifd3-GPSLongitude": "13/1 15/1 0/1",
        "exif-ifd3-GPSAltitude": "34/1",
    }.items():
        picture.set_type(pyvips.GValue.gstr_type, name, value)
    return bytes(picture.jpegsave_buffer())


def moving(suffix: str = ".gif", frames: int = 4, side: int = 64) -> bytes:
    """A moving image whose colour changes from red to green."""
    steps = [image(side, side, (255 - 60 * n, 60 * n, 0)) for n in range(frames)]
    film = pyvips.Image.arrayjoin(steps, across=1).copy()
    film.set_type(pyvips.GValue.gint_type, "page-height", side)
    film.set_type(pyvips.GValue.array_int_type, "delay", [100] * frames)
    return bytes(film.write_to_buffer(suffix))


def heic(width: int = 320, height: int = 200) -> bytes:
    """The image as HEIC."""
    data = image(width, height).write_to_memory()
    file = io.BytesIO()
    pillow_heif.from_bytes("RGB", (width, height), bytes(data)).save(file, quality=90)
    return file.getvalue()


def video(
    seconds: int = 4,
    *,
    form: str = "mp4",
    codec: str = "libx264",
    size: tuple[int, int] = (320, 180),
) -> bytes:
    """A video that goes from red to blue, 10 frames a second."""
    file = io.BytesIO()
    with av.open(file, "w", format=form) as box:
        stream = box.add_stream(codec, rate=10)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for number in range(10 * seconds):
            share = number / (10 * seconds - 1)
            colour = bytes([round(255 * (1 - share)), 0, round(255 * share)])
            frame = av.VideoFrame(*size, "rgb24")
            plane = frame.planes[0]
            line = (colour * size[0]).ljust(plane.line_size, b"\0")
            plane.update(line * size[1])
            frame.pts, frame.time_base = number, Fraction(1, 10)
            for packet in stream.encode(frame.reformat(format="yuv420p")):
                box.mux(packet)
        for packet in stream.encode():
            box.mux(packet)
    return file.getvalue()


def pdf(width: int = 300, height: int = 400) -> bytes:
    """One empty page."""
    document = pypdfium2.PdfDocument.new()
    document.new_page(width, height)
    file = io.BytesIO()
    document.save(file)
    document.close()
    return file.getvalue()


def svg(inside: str = '<rect width="50" height="50" fill="red"/>', before: str = "") -> bytes:
    """A drawing of 100 by 50."""
    xmlns = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f'{before}<svg {xmlns} width="100" height="50">{inside}</svg>'.encode()


def bomb(width: int = 50_000, height: int = 50_000) -> bytes:
    """A small PNG that says it has very many pixels, and has the lines to show for some of them."""
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    packer = zlib.compressobj(9)
    line = b"\0" * (width // 8 + 2)
    lines = b"".join(packer.compress(line) for _ in range(min(height, 2000))) + packer.flush()
    parts = ((b"IHDR", head), (b"IDAT", lines), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )


def laughing() -> bytes:
    """An SVG whose entities unfold into a billion words."""
    entities = ['<!ENTITY a0 "ha">']
    entities += [f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10)]
    return svg("<text y='20'>&a9;</text>", f"<!DOCTYPE svg [{''.join(entities)}]>")


def pixels_of(data: bytes) -> pyvips.Image:
    """A picture, read again."""
    return pyvips.Image.new_from_buffer(data, "")


def colour_at(data: bytes, x: float = 0.5, y: float = 0.25) -> str:
    """What is mostly at a place of a picture: red, green, blue, white or dark."""
    picture = pixels_of(data)
    red, green, blue = picture.getpoint(int(picture.width * x), int(picture.height * y))[:3]
    if min(red, green, blue) > 200:
        return "white"
    most = max(red, green, blue)
    if most < 80:
        return "dark"
    return {red: "red", green: "green", blue: "blue"}[most]
