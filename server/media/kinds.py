"""What bytes are, by their content and never by their name. Pure.

A name only chooses among kinds of plain text, where the bytes cannot tell: `notes.md` that is text
is Markdown, `photo.jpg` that is text is text.
"""

from __future__ import annotations

import re
from typing import Final, Literal

import msgspec

HEAD_BYTES: Final = 4096
"""What `sniff` wants to see of the start of a file."""

Family = Literal["image", "svg", "video", "audio", "pdf", "text", "other"]


class Kind(msgspec.Struct, frozen=True):
    """A media type, and who can make a picture of it."""

    mime: str
    family: Family


UNKNOWN: Final = Kind("application/octet-stream", "other")

_MAGIC: Final[tuple[tuple[bytes, Kind], ...]] = (
    (b"\xff\xd8\xff", Kind("image/jpeg", "image")),
    (b"\x89PNG\r\n\x1a\n", Kind("image/png", "image")),
    (b"GIF87a", Kind("image/gif", "image")),
    (b"GIF89a", Kind("image/gif", "image")),
    (b"II*\0", Kind("image/tiff", "image")),
    (b"MM\0*", Kind("image/tiff", "image")),
    (b"II+\0", Kind("image/tiff", "image")),
    (b"MM\0+", Kind("image/tiff", "image")),
    (b"\0\0\x01\0", Kind("image/x-icon", "other")),
    (b"8BPS", Kind("image/vnd.adobe.photoshop", "other")),
    (b"fLaC", Kind("audio/flac", "audio")),
    (b"ID3", Kind("audio/mpeg", "audio")),
    (b"FLV\x01", Kind("video/x-flv", "video")),
    (b"\0\0\x01\xba", Kind("video/mpeg", "video")),
    (b"\0\0\x01\xb3", Kind("video/mpeg", "video")),
    (b"0&\xb2u\x8ef\xcf\x11", Kind("video/x-ms-wmv", "video")),
    (b"\x1f\x8b", Kind("application/gzip", "other")),
    (b"7z\xbc\xaf\x27\x1c", Kind("application/x-7z-compressed", "other")),
    (b"Rar!\x1a\x07", Kind("application/vnd.rar", "other")),
    (b"BZh", Kind("application/x-bzip2", "other")),
    (b"\xfd7zXZ\0", Kind("application/x-xz", "other")),
    (b"(\xb5/\xfd", Kind("application/zstd", "other")),
    (b"\x7fELF", Kind("application/x-executable", "other")),
    (b"\0asm", Kind("application/wasm", "other")),
    (b"SQLite format 3\0", Kind("application/vnd.sqlite3", "other")),
    (b"wOFF", Kind("font/woff", "other")),
    (b"wOF2", Kind("font/woff2", "other")),
)
_RIFF: Final = {
    b"WEBP": Kind("image/webp", "image"),
    b"AVI ": Kind("video/x-msvideo", "video"),
    b"WAVE": Kind("audio/wav", "audio"),
}
_AVIF: Final = frozenset({b"avif", b"avis"})
_HEIC: Final = frozenset(
    {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs", b"mif1", b"msf1"}
)
_TEXTS: Final = {
    "md": "text/markdown",
    "markdown": "text/markdown",
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "json": "application/json",
    "css": "text/css",
    "js": "text/javascript",
    "mjs": "text/javascript",
    "xml": "application/xml",
    "yaml": "application/yaml",
    "yml": "application/yaml",
    "ics": "text/calendar",
    "vcf": "text/vcard",
    "vtt": "text/vtt",
    "tex": "text/x-tex",
    "py": "text/x-python",
    "sh": "text/x-shellscript",
}
_BEFORE_ROOT: Final = re.compile(
    rb"(?:\s+|<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^\[>]*(?:\[.*?\]\s*)?>)*", re.DOTALL | re.IGNORECASE
)
_HTML: Final = (b"<html", b"<head", b"<body", b"<script")
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


def sniff(head: bytes, name: str = "") -> Kind:
    """The kind of a file that starts with `head` (its first 4 KiB, or all of it)."""
    head = head[:HEAD_BYTES]
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12], UNKNOWN)
    if head[4:8] == b"ftyp":
        return _by_brands(head)
    return _by_structure(head) or _text(head, name) or UNKNOWN


def _by_brands(head: bytes) -> Kind:
    """The box that starts an ISO media file: HEIC, AVIF, QuickTime, MP4 differ in their brands."""
    size = min(max(int.from_bytes(head[:4]), 16), 256)
    major = head[8:12]
    brands = {head[at : at + 4] for at in range(16, size - 3, 4)} | {major}
    if brands & _AVIF:
        return Kind("image/avif", "image")
    if major in _HEIC or (brands & _HEIC and not brands & {b"isom", b"mp41", b"mp42"}):
        return Kind("image/heic", "image")
    if major in {b"M4A ", b"M4B ", b"M4P "}:
        return Kind("audio/mp4", "audio")
    if major == b"qt  ":
        return Kind("video/quicktime", "video")
    return Kind("video/mp4", "video")


def _by_structure(head: bytes) -> Kind | None:
    """Formats whose first bytes alone do not say it."""
    found = None
    if head[:4] == b"\x1a\x45\xdf\xa3":
        is_webm = b"webm" in head[:64]
        found = Kind("video/webm" if is_webm else "video/x-matroska", "video")
    elif head[:4] == b"OggS":
        is_film = b"theora" in head[:256]
        found = Kind("video/ogg", "video") if is_film else Kind("audio/ogg", "audio")
    elif b"%PDF-" in head[:1024] and not head.lstrip().startswith(b"<"):
        found = Kind("application/pdf", "pdf")
    elif head[:1] == b"\x47" and len(head) > 376 and head[188] == head[376] == 0x47:
        found = Kind("video/mp2t", "video")
    elif head[:1] == b"\xff" and len(head) > 3 and head[1] & 0xE6 == 0xE2:
        found = Kind("audio/mpeg", "audio")
    elif head[:4] in {b"PK\x03\x04", b"PK\x05\x06"}:
        found = _zipped(head)
    return found


def _zipped(head: bytes) -> Kind:
    """Office documents and books are zip files that name themselves in their first entries."""
    office = "application/vnd.openxmlformats-officedocument."
    for mark, mime in (
        (b"mimetypeapplication/epub+zip", "application/epub+zip"),
        (
            b"mimetypeapplication/vnd.oasis.opendocument.text",
            "application/vnd.oasis.opendocument.text",
        ),
        (b"word/", office + "wordprocessingml.document"),
        (b"xl/", office + "spreadsheetml.sheet"),
        (b"ppt/", office + "presentationml.presentation"),
    ):
        if mark in head:
            return Kind(mime, "other")
    return Kind("application/zip", "other")


def _text(head: bytes, name: str) -> Kind | None:
    """Text of some kind; None for what cannot be read as text."""
    if head[:2] in {b"\xff\xfe", b"\xfe\xff"} and len(head) % 2 == 0:
        return Kind("text/plain", "text")
    if not head or not _is_text(head):
        return None
    plain = head.removeprefix(b"\xef\xbb\xbf")
    before = _BEFORE_ROOT.match(plain)
    root = plain[before.end() if before else 0 :][:64].lower()
    if re.match(rb"<(?:[\w-]+:)?svg[\s>/]", root):
        return Kind("image/svg+xml", "svg")
    if root.startswith(_HTML) or b"<!doctype html" in plain[:512].lower():
        return Kind("text/html", "text")
    if plain.lstrip().startswith(b"<?xml"):
        return Kind("application/xml", "text")
    extension = name.rpartition(".")[2].lower() if "." in name else ""
    return Kind(_TEXTS.get(extension, "text/plain"), "text")


def _is_text(head: bytes) -> bool:
    """UTF-8 without control characters; a character may be cut off where the head ends."""
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        if len(head) < HEAD_BYTES or error.start < len(head) - 3:
            return False
        text = head[: error.start].decode()
    return _CONTROLS.search(text) is None
