"""Bodies of the routes about files and uploads."""

from typing import Annotated

import msgspec

Hash = Annotated[
    str,
    msgspec.Meta(
        pattern="^[0-9a-fA-F]{64}$",
        examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    ),
]
"""SHA-256 of the whole file in hex."""
Size = Annotated[int, msgspec.Meta(ge=0, le=1 << 50)]


class BeginUpload(msgspec.Struct, kw_only=True):
    """Body of POST /api/upload/init."""

    hash: Hash
    file_size: Size
    chunk_size: Annotated[int, msgspec.Meta(ge=1, le=1 << 40)] | None = None
    """Bytes of each chunk but the last; the reply says which are taken."""
    name: Annotated[str, msgspec.Meta(max_length=4096)] = ""
    mime_type: Annotated[str, msgspec.Meta(max_length=255)] = ""


class Upload(msgspec.Struct, kw_only=True):
    """A file that comes in chunks, and how far it is."""

    success: bool
    status: str
    """uploading, or complete."""
    heap_id: str
    block_id: str
    file_hash: str
    file_size: int
    chunk_size: int
    total_chunks: int
    uploaded: list[int]
    """The chunks that are here, by their index."""
    file_id: str | None
    """Once it is complete."""


class ChunkTaken(msgspec.Struct, kw_only=True):
    """Reply of PUT /api/upload/chunk."""

    success: bool
    status: str
    index: int
    size: int


class DirectUpload(msgspec.Struct, kw_only=True):
    """Form of POST /api/upload/file, its fields in any order."""

    file: bytes
    hash: Hash


class Uploaded(msgspec.Struct, kw_only=True):
    """A file that is here. Uploading the same bytes to the same block again gives the same id."""

    success: bool
    status: str
    """complete."""
    block_id: str
    file_hash: str
    file_id: str
    file_size: int
    name: str
    mime_type: str


class FileStatus(msgspec.Struct, kw_only=True):
    """Reply of GET /api/status/file."""

    success: bool
    status: str
    """complete, or uploading."""
    heap_id: str
    block_id: str
    file_hash: str
    is_uploaded: bool
    file_id: str | None
    file_size: int
    uploaded_bytes: int


class FileToken(msgspec.Struct, kw_only=True):
    """Reply of POST /api/file/:key/token."""

    success: bool
    token: str
    """For `?token=` in URLs of this block's files."""
    expires_in: int
    """Seconds."""


class Shown(msgspec.Struct, kw_only=True):
    """Query of the routes that give a file."""

    token: str = ""
    """A file or access token, where a header cannot be sent."""
    hash: str = ""
    """Which of the block's files; the slug may say it too."""
    download: str = ""
    """1: to be saved, whatever it is."""


class Exported(msgspec.Struct, kw_only=True):
    """Query of an export."""

    fragment: str = ""
    """1: of HTML the body alone, to be shown in a page; pictures keep their addresses."""
