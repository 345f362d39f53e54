"""What sites, people and files may be called, and the type that a file's name stands for. Pure."""

from __future__ import annotations

import re
from typing import Final

from server.sites.listing import extension

NAME_LETTERS_MAX: Final = 100
PATH_BYTES_MAX: Final = 500
SEGMENT_BYTES_MAX: Final = 255

RESERVED: Final = frozenset({"id", "anon", "_domain", "github", "claim", "www", "api", "admin"})
"""Names of no site and of nobody: they stand for something else in paths."""

_OTHER: Final = re.compile(r"[^a-z0-9_-]")
_USERNAME: Final = re.compile(r"[A-Za-z0-9](?:-?[A-Za-z0-9]){0,38}")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_LABEL: Final = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_DOMAIN: Final = re.compile(rf"(?:{_LABEL}\.)+[a-z]{{2,63}}")

OCTETS: Final = "application/octet-stream"
_TYPES: Final = {
    "text/markdown": "md mdx",
    "text/html": "html htm",
    "text/csv": "csv",
    "text/css": "css",
    "text/plain": "txt",
    "text/javascript": "js mjs",
    "application/json": "json canvas",
    "application/geo+json": "geojson",
    "application/yaml": "yaml yml base",
    "application/xml": "xml",
    "image/jpeg": "jpeg jpg",
    "image/png": "png",
    "image/gif": "gif",
    "image/svg+xml": "svg",
    "image/x-icon": "ico",
    "image/webp": "webp",
    "image/avif": "avif",
    "application/pdf": "pdf",
    "video/mp4": "mp4",
    "video/webm": "webm",
    "video/quicktime": "mov",
    "video/x-matroska": "mkv",
    "video/ogg": "ogv",
    "audio/aac": "aac",
    "audio/mpeg": "mp3",
    "audio/ogg": "opus ogg",
    "audio/wav": "wav",
    "audio/mp4": "m4a",
    "audio/flac": "flac",
    "font/woff": "woff",
    "font/woff2": "woff2",
}
_BY_EXTENSION: Final = {ext: kind for kind, all_ in _TYPES.items() for ext in all_.split()}


def content_type(path: str) -> str:
    """The type of a file, by its name."""
    return _BY_EXTENSION.get(extension(path), OCTETS)


def site_name(text: str) -> str | None:
    """A name as it stands in addresses: in small letters, what is no letter or digit a hyphen.

    None where nothing that can be one is left.
    """
    if not 1 <= len(text) <= NAME_LETTERS_MAX:
        return None
    name = _OTHER.sub("-", text.lower())
    return None if name in RESERVED or not name.strip("-_") else name


def lookup_name(text: str) -> str:
    """The name under which a site called like that is found."""
    return _OTHER.sub("-", text.lower())


def is_username(text: str) -> bool:
    """Whether somebody may be called that."""
    return (
        3 <= len(text) <= 39
        and _USERNAME.fullmatch(text) is not None
        and text.lower() not in RESERVED
    )


def is_domain(text: str) -> bool:
    """Whether a text in small letters is a domain's name: labels with dots between."""
    return len(text) <= 253 and _DOMAIN.fullmatch(text) is not None


def is_path(path: str) -> bool:
    """Whether a file may have this path: relative, without `.` and `..`, not too long."""
    if not path or _CONTROL.search(path) or "\\" in path or path.startswith("plait:"):
        return False
    segments = path.split("/")
    return len(path.encode()) <= PATH_BYTES_MAX and all(
        segment not in {"", ".", ".."} and len(segment.encode()) <= SEGMENT_BYTES_MAX
        for segment in segments
    )
