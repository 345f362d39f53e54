"""Single documents, for administrators: which cost much, what is in their logs, who is in them.

A document is named by its id, by its global id, or as `workspace:name`. Whatever is told of memory
(sessions, costs, presence) is what the node that answers knows.
"""

from __future__ import annotations

import logging
from uuid import UUID

from aiohttp import web

from crdt.errors import BadName
from crdt.ids import DocumentName, is_global_id, is_uuid
from server.adapter import ADMINISTRATOR, Adapter, Routes, principal_of
from server.documents import DOCUMENTS
from server.errors import ApiError, NotFound
from server.http import read_body, read_query, reply
from server.inspecting import schema
from server.inspecting.inspector import INSPECTOR, NODE, Inspector, closed_for
from server.inspecting.overview import ROUTES as OVERVIEW
from server.inspecting.overview import WATCHING, Watching
from storage.documents import DocumentRecord
from storage.pool import Pool

log = logging.getLogger("plait.inspecting")

ROUTES = Routes(section="Inspector")


def _install(app: web.Application, pool: Pool) -> None:
    app[INSPECTOR] = Inspector(app[DOCUMENTS], pool)
    app[WATCHING] = Watching(pool)


_GONE = {404: "", 409: "The document is deleted."}


@ROUTES.get(
    "/api/admin/documents",
    access=ADMINISTRATOR,
    query=schema.Page,
    reply=schema.DocumentList,
    errors=(400,),
)
async def documents(request: web.Request) -> web.Response:
    """List the documents in memory, the costliest first, or those that are closed."""
    query = read_query(request, schema.Page)
    inspector = request.app[INSPECTOR]
    told = schema.DocumentList(success=True, node=NODE, total=0, documents=[], closed=[])
    if query.only == "open":
        told.total, told.documents = inspector.listed(query)
    else:
        closures = inspector.documents.breaker.closures()
        told.total = len(closures)
        for closure in closures[: query.limit]:
            shown = closed_for(closure)
            assert shown is not None
            told.closed.append(schema.Shut(id=str(closure.document), closed=shown))
    return reply(told)


@ROUTES.get(
    "/api/admin/documents/{document_id}",
    access=ADMINISTRATOR,
    query=schema.Look,
    reply=schema.DocumentShown,
    errors=(400, 404),
)
async def document(request: web.Request) -> web.Response:
    """One document: state vector, sizes, log tail, clients, pending, quarantine, costs.

    No content of the document is told, but for the presence of those who are in it.
    """
    query = read_query(request, schema.Look)
    record = await _named(request)
    inspected = await request.app[INSPECTOR].inspect(record, query.tail)
    return reply(schema.DocumentShown(success=True, node=NODE, document=inspected))


@ROUTES.post(
    "/api/admin/documents/{document_id}/compact",
    access=ADMINISTRATOR,
    body=None,
    reply=schema.Compacted,
    errors=_GONE,
)
async def compact(request: web.Request) -> web.Response:
    """Make a snapshot of the document now, so that opening it reads that and no rows."""
    record = await _named(request)
    if record.deleted:
        raise ApiError(409, "deleted", "the document is deleted")
    done = await request.app[INSPECTOR].compact(record.id)
    log.info("%s compacted document %s", principal_of(request).account, record.id)
    compacted = None
    if done is not None:
        compacted = schema.CompactedNow(
            **{name: getattr(done, name) for name in schema.CompactedNow.__struct_fields__}
        )
    return reply(schema.Compacted(success=True, compacted=compacted))


@ROUTES.post(
    "/api/admin/documents/{document_id}/close",
    access=ADMINISTRATOR,
    body=schema.CloseIt,
    reply=schema.Changed,
    errors=(400, 404),
)
async def close(request: web.Request) -> web.Response:
    """Let nobody open the document, for some time or until it is opened again.

    Sockets in it are closed with 4503 (Hocuspocus: the document is denied with `costly`), writes by
    REST get 503; the other nodes follow within a second or two.
    """
    body = await read_body(request, schema.CloseIt)
    record, account = await _named(request), principal_of(request).account
    inspector = request.app[INSPECTOR]
    breaker = inspector.documents.breaker
    await breaker.close(record.id, account, body.reason or "closed by hand", body.seconds)
    log.info("%s closed document %s", account, record.id)
    return reply(schema.Changed(success=True, closed=closed_for(breaker.closure(record.id))))


@ROUTES.post(
    "/api/admin/documents/{document_id}/open",
    access=ADMINISTRATOR,
    body=None,
    reply=schema.Changed,
    errors=(404,),
)
async def open_again(request: web.Request) -> web.Response:
    """Let people open a closed document again; nothing happens where it is not closed."""
    record = await _named(request)
    await request.app[INSPECTOR].documents.breaker.open(record.id)
    log.info("%s opened document %s again", principal_of(request).account, record.id)
    return reply(schema.Changed(success=True, closed=None))


async def _named(request: web.Request) -> DocumentRecord:
    """The document that the path names; NotFound where there is none."""
    text = request.match_info["document_id"]
    inspector: Inspector = request.app[INSPECTOR]
    store = inspector.documents.store
    found = None
    if is_uuid(text):
        found = await store.by_id(UUID(text))
    if found is None and is_global_id(text):
        found = await store.by_global_id(text)
    if found is None:
        try:
            name = DocumentName.parse(text)
        except BadName:
            raise NotFound from None
        if name.workspace is not None:
            found = await store.resolve(name.workspace, name.name)
    if found is None:
        raise NotFound
    return found


INSPECTING = Adapter(
    name="inspector", routes=[*OVERVIEW, *ROUTES], about=__doc__ or "", install=_install
)
