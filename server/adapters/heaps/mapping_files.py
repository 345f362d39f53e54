"""Files and uploads between what is stored and JSON. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from server import representation
from server.adapters.heaps import schema_files as schema
from server.errors import BadBody

if TYPE_CHECKING:
    from server.settings import Settings
    from storage.documents import DocumentRecord
    from storage.files import FileRecord
    from storage.uploads import Upload

UPLOADING, COMPLETE = "uploading", "complete"
_HASH = re.compile(r"[0-9a-fA-F]{64}")
_INDEX_DIGITS_MAX = 9


def read_hash(text: str) -> bytes:
    """The digest that a field spells. Raises BadBody."""
    if not _HASH.fullmatch(text.strip()):
        raise BadBody("hash must be 64 hex digits of SHA-256")
    return bytes.fromhex(text.strip())


def read_index(text: str) -> int:
    """The number of a chunk. Raises BadBody for what is no number."""
    if not (text.isascii() and text.isdigit() and len(text) <= _INDEX_DIGITS_MAX):
        raise BadBody("the index of a chunk is a whole number from 0", "the path")
    return int(text)


def read_name(text: str) -> str:
    """A name as it is kept: the client's own, without its folders."""
    name = representation.kept_name(text.replace("\\", "/").rpartition("/")[2])
    return name.strip() or representation.NAMELESS


def read_mime_type(text: str) -> str:
    """A type as it is kept."""
    return representation.essence(text)


def chunk_size(body: schema.BeginUpload, settings: Settings) -> int:
    """The size of chunks that is taken: what was asked for, within what is allowed."""
    least = -(-body.file_size // settings.upload_chunks_max)
    wanted = body.chunk_size or settings.upload_chunk_bytes
    return max(1, least, min(wanted, settings.upload_chunk_bytes_max))


def under_way(block: DocumentRecord, upload: Upload, received: Sequence[int]) -> schema.Upload:
    """An upload, and the chunks of it that are here."""
    return schema.Upload(
        success=True,
        status=UPLOADING,
        heap_id=block.scope,
        block_id=block.name,
        file_hash=upload.hash.hex(),
        file_size=upload.size,
        chunk_size=upload.chunk_size,
        total_chunks=upload.total_chunks,
        uploaded=list(received),
        file_id=None,
    )


def complete(block: DocumentRecord, file: FileRecord, chunk_size: int) -> schema.Upload:
    """A file that is here, as an upload of which nothing is missing."""
    total = -(-file.size // chunk_size)
    return schema.Upload(
        success=True,
        status=COMPLETE,
        heap_id=block.scope,
        block_id=block.name,
        file_hash=file.hash.hex(),
        file_size=file.size,
        chunk_size=chunk_size,
        total_chunks=total,
        uploaded=list(range(total)),
        file_id=file.id,
    )


def uploaded(block: DocumentRecord, file: FileRecord) -> schema.Uploaded:
    """A file that is here."""
    return schema.Uploaded(
        success=True,
        status=COMPLETE,
        block_id=block.name,
        file_hash=file.hash.hex(),
        file_id=file.id,
        file_size=file.size,
        name=file.name,
        mime_type=file.mime_type,
    )


def file_here(block: DocumentRecord, file: FileRecord) -> schema.FileStatus:
    """The state of a file that is here."""
    return schema.FileStatus(
        success=True,
        status=COMPLETE,
        heap_id=block.scope,
        block_id=block.name,
        file_hash=file.hash.hex(),
        is_uploaded=True,
        file_id=file.id,
        file_size=file.size,
        uploaded_bytes=file.size,
    )


def file_coming(
    block: DocumentRecord, upload: Upload, received: Sequence[int]
) -> schema.FileStatus:
    """The state of a file of which chunks are here."""
    return schema.FileStatus(
        success=True,
        status=UPLOADING,
        heap_id=block.scope,
        block_id=block.name,
        file_hash=upload.hash.hex(),
        is_uploaded=False,
        file_id=None,
        file_size=upload.size,
        uploaded_bytes=sum(upload.length(number) for number in received),
    )
