"""A block to take along: as Markdown, HTML or PDF. Ours; the API page has no such routes."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

from aiohttp import web

from server.adapter import DOCUMENT, Routes
from server.adapters.heaps import schema_files as schema
from server.adapters.heaps.filing import readable_block
from server.adapters.heaps.policy import API
from server.blocks import BLOCKS
from server.catalogue import CATALOGUE
from server.describe import Binary, Reply, Text
from server.documents import DOCUMENTS
from server.errors import ApiError, Busy, NotFound
from server.exporting import html, paper
from server.feed import FEED
from server.files import FILES
from server.http import read_query
from server.representation import disposition, essence
from server.workers import WorkerDied
from storage.errors import StorageError

if TYPE_CHECKING:
    from storage.documents import DocumentRecord

ROUTES = Routes(section="Export")

CHARACTERS_MAX = 2_000_000
"""Of a document that is made into HTML or PDF."""
PICTURES_BYTES_MAX = 24 << 20
"""Of the pictures that go into one export; what is over it stays a link or its name."""
PICTURES_MAX = 200

_TYPES = {"md": "text/markdown", "html": "text/html", "pdf": "application/pdf"}
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
_PICTURE = re.compile(r"/api/(?:file|stream)/[^/\s)]+/(?:raw/)?([0-9a-f]{64})[^\s)\"]*")


@ROUTES.get(
    "/api/export/{key}/{form}",
    access=DOCUMENT.reading(API),
    query=schema.Exported,
    reply=Reply(
        Text(media="text/markdown"),
        headers={"Content-Disposition": "A name to save it under, made of the title."},
        also=(Text(media="text/html"), Binary(media="application/pdf")),
    ),
    errors={413: "The document is too long.", 422: "The document cannot be set."},
)
async def export(request: web.Request) -> web.Response:
    """A block as `md`, `html` or `pdf`, of what is stored; pictures of its own are in it."""
    form, query = request.match_info["form"], read_query(request, schema.Exported)
    if form not in _TYPES:
        raise NotFound
    record = await readable_block(request)
    title, markdown = await _said(request, record)
    body = markdown.encode()
    if form != "md":
        if len(markdown) > CHARACTERS_MAX:
            raise ApiError(413, "too_large", f"the text is over {CHARACTERS_MAX} characters")
        body = await _made(request, record, form, title, markdown, is_part=query.fragment == "1")
    name = re.sub(r'[\\/:*?"<>|\s]+', " ", title).strip()[:100] or "Untitled"
    headers = {
        "Content-Disposition": disposition(f"{name}.{form}", inline=query.fragment == "1"),
        "Content-Security-Policy": _POLICY,
        "Cache-Control": "no-store",
    }
    charset = None if form == "pdf" else "utf-8"
    return web.Response(body=body, content_type=_TYPES[form], charset=charset, headers=headers)


async def _said(request: web.Request, record: DocumentRecord) -> tuple[str, str]:
    """Title and Markdown of a block, as of everything committed by now."""
    await request.app[FEED].settle(record.scope)
    block = (await request.app[BLOCKS].store.look_up([record.id]))[record.id]
    try:
        seen, _ = await request.app[CATALOGUE].extracting.projection(block)
    except WorkerDied:
        raise Busy("the block is too large to be shown") from None
    return seen.title, seen.markdown


async def _made(
    request: web.Request,
    record: DocumentRecord,
    form: str,
    title: str,
    markdown: str,
    *,
    is_part: bool,
) -> bytes:
    workers = request.app[DOCUMENTS].workers
    try:
        if is_part:
            return (await workers.run(html.fragment, markdown)).encode()
        pictures = await _pictures(request, record, markdown)
        if form == "html":
            shown = {src: _data(kind, content) for src, (kind, content) in pictures.items()}
            return (await workers.run(_page, title, markdown, shown)).encode()
        contents = {src: content for src, (_, content) in pictures.items()}
        printed = await workers.run(paper.pdf, title, markdown, contents)
    except WorkerDied:
        raise Busy("the document takes too long") from None
    if printed is None:
        raise ApiError(422, "unprintable", "the document cannot be set on paper")
    return printed


def _page(title: str, markdown: str, shown: dict[str, str]) -> str:
    """In a helper process: a whole page, with the pictures that are at hand."""
    return html.page(title, markdown, lambda src: shown.get(src, src))


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


async def _pictures(
    request: web.Request, record: DocumentRecord, markdown: str
) -> dict[str, tuple[str, bytes]]:
    """The block's own pictures in a text, by address, until a bound: type and bytes."""
    found: dict[str, tuple[str, bytes]] = {}
    room, files = PICTURES_BYTES_MAX, request.app[FILES]
    for match in _PICTURE.finditer(markdown):
        if match[0] in found or len(found) >= PICTURES_MAX:
            continue
        file = await files.records.find(record.id, bytes.fromhex(match[1]))
        kind = "" if file is None else essence(file.mime_type)
        if file is None or file.size > room or not kind.startswith("image/") or "svg" in kind:
            continue
        try:
            found[match[0]] = kind, await files.blobs.whole(file.hash, room)
        except StorageError:
            continue  # A picture that cannot be read now does not keep the text back.
        room -= file.size
    return found
