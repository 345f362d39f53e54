"""Under which type each file of a site is handed out, by the end of its name. Pure."""

from __future__ import annotations

from server.sites.rendering.wikilinks import suffix_of

OCTETS = "application/octet-stream"
_TEXT = "; charset=utf-8"
_TYPES = {
    "md": "text/markdown" + _TEXT,
    "mdx": "text/markdown" + _TEXT,
    "html": "text/html" + _TEXT,
    "htm": "text/html" + _TEXT,
    "txt": "text/plain" + _TEXT,
    "csv": "text/csv" + _TEXT,
    "tsv": "text/tab-separated-values" + _TEXT,
    "css": "text/css" + _TEXT,
    "js": "text/javascript" + _TEXT,
    "mjs": "text/javascript" + _TEXT,
    "json": "application/json",
    "geojson": "application/geo+json",
    "canvas": "application/json",
    "yaml": "application/yaml",
    "yml": "application/yaml",
    "base": "application/yaml",
    "xml": "application/xml",
    "vtt": "text/vtt" + _TEXT,
    "wasm": "application/wasm",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "png": "image/png",
    "apng": "image/apng",
    "gif": "image/gif",
    "svg": "image/svg+xml",
    "ico": "image/x-icon",
    "webp": "image/webp",
    "avif": "image/avif",
    "bmp": "image/bmp",
    "pdf": "application/pdf",
    "mp4": "video/mp4",
    "webm": "video/webm",
    "mov": "video/quicktime",
    "mkv": "video/x-matroska",
    "ogv": "video/ogg",
    "3gp": "video/3gpp",
    "aac": "audio/aac",
    "mp3": "audio/mpeg",
    "opus": "audio/opus",
    "ogg": "audio/ogg",
    "wav": "audio/wav",
    "m4a": "audio/mp4",
    "flac": "audio/flac",
    "woff": "font/woff",
    "woff2": "font/woff2",
    "ttf": "font/ttf",
    "otf": "font/otf",
}


def type_of(path: str) -> str:
    """The type of a file; octets where its end says nothing."""
    return _TYPES.get(suffix_of(path.rpartition("/")[2].replace("#", "").replace("?", "")), OCTETS)
