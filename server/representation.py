"""Under which type and name a file that somebody uploaded is handed to a browser. Pure.

The type that the uploader gave is believed only where nothing can run in it: pictures, sound,
video, PDF and plain text. HTML, SVG, XML, scripts and everything unknown go out as nameless bytes
to be downloaded, with a policy that gives them a sandbox without scripts and an origin of their
own, should a browser show them all the same. `nosniff` keeps it from guessing otherwise.
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote

OCTETS = "application/octet-stream"
NAME_BYTES_MAX = 240
"""Bytes of a file name in UTF-8: what file systems take, with room for a suffix."""
NAMELESS = "file"

_PICTURES = "png jpeg gif webp avif bmp tiff heic heif x-icon vnd.microsoft.icon apng jxl"
_SOUNDS = "mpeg mp4 aac ogg opus wav x-wav wave webm flac x-flac x-m4a"
_VIDEOS = "mp4 webm ogg quicktime x-matroska x-m4v mpeg x-msvideo 3gpp"
_INLINE = frozenset(
    {
        *(f"image/{kind}" for kind in _PICTURES.split()),
        *(f"audio/{kind}" for kind in _SOUNDS.split()),
        *(f"video/{kind}" for kind in _VIDEOS.split()),
        *(f"text/{kind}" for kind in ("plain", "csv", "markdown", "vtt")),
        "application/json",
        "application/pdf",
    }
)
_TEXTS = ("text/", "application/json")
_ESSENCE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")
_SANDBOX = "default-src 'none'; sandbox"
_SHOWN = "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox"
_UNSAFE = re.compile(r'[\\/:*?"<>|%]')
_ATTRIBUTE_SAFE = "!#$&+-.^_`|~"


def essence(mime_type: str) -> str:
    """A type without parameters, in small letters; octets where it is none."""
    found = mime_type.partition(";")[0].strip().lower()
    return found if _ESSENCE.fullmatch(found) else OCTETS


def headers(name: str, mime_type: str, *, download: bool = False) -> dict[str, str]:
    """Type, disposition and policy with which a file is safe to show."""
    kind = essence(mime_type)
    is_shown = kind in _INLINE
    found = {
        "Content-Type": _content_type(kind) if is_shown else OCTETS,
        "Content-Disposition": disposition(name, inline=is_shown and not download),
        "X-Content-Type-Options": "nosniff",
    }
    if kind != "application/pdf":  # The viewers of browsers do not work in a sandbox.
        found["Content-Security-Policy"] = _SHOWN if is_shown else _SANDBOX
    return found


def disposition(name: str, *, inline: bool) -> str:
    """Content-Disposition (RFC 6266): the name in ASCII, and after RFC 8187 where it differs."""
    clean = shown_name(name)
    # Its compatible form may bring back what was taken out: a wide slash becomes a slash.
    plain = unicodedata.normalize("NFKD", clean).encode("ascii", "ignore").decode()
    plain = " ".join(_UNSAFE.sub("_", plain).split()).rstrip(" .")
    if not plain or plain.startswith("."):
        plain = _cut(NAMELESS + plain).rstrip(" .")
    said = f'{"inline" if inline else "attachment"}; filename="{plain}"'
    if plain != clean:
        said += f"; filename*=UTF-8''{quote(clean, safe=_ATTRIBUTE_SAFE)}"
    return said


def shown_name(name: str) -> str:
    """A name that is safe to save under: no path, no control characters, not hidden, not too long.

    What turns the direction of text goes too: it makes `gpj.exe` look like a picture.
    """
    text = unicodedata.normalize("NFC", kept_name(name))
    text = "".join(c for c in text if unicodedata.category(c) not in {"Cf", "Zl", "Zp", "Cn"})
    text = " ".join(_UNSAFE.sub("_", text).split()).strip(" .")
    return _cut(text) or NAMELESS


def kept_name(name: str) -> str:
    """A name as it is stored: what no database and no header can hold is left out."""
    return "".join(c for c in name if unicodedata.category(c) not in {"Cc", "Cs"})[:1024]


def _cut(name: str) -> str:
    """A name that is not too long, its suffix kept."""
    if len(name.encode()) <= NAME_BYTES_MAX:
        return name
    stem, dot, suffix = name.rpartition(".")
    if not dot or len(suffix.encode()) > 16:
        stem, dot, suffix = name, "", ""
    left = NAME_BYTES_MAX - len((dot + suffix).encode())
    return stem.encode()[:left].decode("utf-8", "ignore").rstrip() + dot + suffix


def _content_type(kind: str) -> str:
    return f"{kind}; charset=utf-8" if kind.startswith(_TEXTS) else kind
