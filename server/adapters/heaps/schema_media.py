"""Bodies of the routes about pictures of files, scans and what is done to files again."""

from __future__ import annotations

from typing import Annotated

import msgspec

Word = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.-]{1,32}$")]


class PictureQuery(msgspec.Struct, kw_only=True):
    """Query of the routes that show pictures."""

    hash: Annotated[str, msgspec.Meta(max_length=80)] | None = None
    """Which file of the block: its SHA-256 in hex; left out: the newest."""
    token: str | None = None
    """Instead of the Authorization header."""


class PictureForm(msgspec.Struct, kw_only=True):
    """Form of POST /api/upload/thumbnail."""

    thumbnail: bytes
    """JPEG, PNG, WebP, GIF or AVIF."""
    type: Word = "thumbnail"
    """What it shows, in the client's words; `thumbnail`, `image`, `animated` count here too."""
    size: Word = "small"
    """small, medium or large, or a word of the client's own."""


class PictureStored(msgspec.Struct, kw_only=True):
    """Reply of POST /api/upload/thumbnail."""

    success: bool
    status: str
    """stored"""
    block_id: str
    file_hash: str
    thumbnail_key: str
    type: str
    size: str
    thumbnail_hash: str
    mime_type: str
    width: int
    height: int
