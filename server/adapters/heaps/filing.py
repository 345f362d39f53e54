"""Which block, file or upload a request means, and whether the caller may have to do with it.

`media` routes find their file here too. What the caller may not know of is 404.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from aiohttp import web

from auth.errors import Forbidden
from auth.principal import Role
from crdt.errors import BadName
from crdt.ids import DocumentName, is_global_id
from server.adapter import principal_of
from server.adapters.heaps.admission import admit, heap_of
from server.blocks import BLOCKS
from server.catalogue import CATALOGUE
from server.errors import NotFound
from server.files import FILES
from server.rights import RIGHTS
from storage.documents import DocumentRecord
from storage.files import FileRecord
from storage.uploads import Upload

UPLOAD = "heaps"
"""The kind of this API's uploads; their target is the block's document."""
_HASH = re.compile(r"[0-9a-fA-F]{64}")


class Filed(NamedTuple):
    """A file and the block that has it."""

    block: DocumentRecord
    file: FileRecord


def digest_of(text: str) -> bytes:
    """The digest that a path spells. Raises NotFound for what is none."""
    if not _HASH.fullmatch(text):
        raise NotFound
    return bytes.fromhex(text)


async def block_to_fill(request: web.Request, *, create: bool = False) -> DocumentRecord:
    """The block of the path (heap_id, block_id), which the caller may edit.

    With `create` one that is not there is made: devices make blocks offline, and may come with the
    file first. Raises NotFound and Forbidden.
    """
    scope = heap_of(request)
    await admit(request, scope, Role.EDITOR)
    try:
        name = DocumentName(scope, DocumentName.parse(request.match_info["block_id"]).name)
    except BadName:
        raise NotFound from None
    blocks, principal = request.app[BLOCKS], principal_of(request)
    (found,) = await blocks.find(principal, [name])
    if found.block is None and create:
        (found,) = await blocks.create(principal, [name])
    if found.block is None:
        raise NotFound
    return await _alive(request, found.block.record)


async def file_asked_for(request: web.Request) -> Filed:
    """The file that `key`, the id of a block or of a file, and the slug mean, for its readers.

    Of several files of a block the slug says which, by hash, id or name (so does `?hash=`); one
    that says nothing means the newest. Raises NotFound.
    """
    key = request.match_info["key"]
    block = await _block(request, key)
    files = request.app[FILES].records
    if block is not None:
        said = request.query.get("hash") or request.match_info.get("slug", "")
        return Filed(block, _chosen(await files.of(block.id), said))
    file = await files.by_id(key) if is_global_id(key) else None
    if file is None:
        raise NotFound
    block = await request.app[CATALOGUE].block(file.document)
    if block is None or await request.app[RIGHTS].role(principal_of(request), block) is Role.NONE:
        raise NotFound
    return Filed(await _alive(request, block), file)


async def readable_block(request: web.Request) -> DocumentRecord:
    """The block of the path's `key`, for its readers. Raises NotFound."""
    block = await _block(request, request.match_info["key"])
    if block is None:
        raise NotFound
    return block


async def upload_of(request: web.Request, block: DocumentRecord, digest: bytes) -> Upload | None:
    """The caller's own upload to a block; nobody else's."""
    uploads = request.app[FILES].uploads
    return await uploads.find(principal_of(request).account, UPLOAD, str(block.id), digest)


async def _block(request: web.Request, key: str) -> DocumentRecord | None:
    """The block of that name, if the caller may read it."""
    try:
        record, _ = await request.app[RIGHTS].open_document(
            principal_of(request), DocumentName.parse(key), create=False
        )
    except (BadName, Forbidden):
        return None
    return await _alive(request, record)


async def _alive(request: web.Request, block: DocumentRecord) -> DocumentRecord:
    """The block, unless it was deleted for good."""
    known = (await request.app[BLOCKS].store.look_up([block.id])).get(block.id)
    if known is None or known.record.deleted:
        raise NotFound
    if known.known is not None and known.known.removed_at is not None:
        raise NotFound
    return known.record


def _chosen(files: list[FileRecord], said: str) -> FileRecord:
    stem = said.partition(".")[0]
    if _HASH.fullmatch(stem):
        files = [file for file in files if file.hash == bytes.fromhex(stem)]
    else:
        files = [file for file in files if said and said in {file.id, file.name}] or files
    if not files:
        raise NotFound
    return files[0]
