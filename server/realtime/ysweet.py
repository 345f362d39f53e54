"""The REST side of Y-Sweet: make a document, hand out a token for it, read and write it as bytes.

Client and paths: @y-sweet/client 0.9.1. A document token opens one document only and never gives
more than its issuer may do. Foreign and unknown ids are 404, alike.
"""

from __future__ import annotations

import re
import secrets
import time
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

import msgspec
from aiohttp import web

from auth.errors import Forbidden
from auth.grants import document_role
from auth.principal import Kind, Role
from crdt.ids import DocumentName, make_ulid
from server.adapter import ACCOUNT, DOCUMENT, Routes, principal_of
from server.describe import Binary
from server.documents import DOCUMENTS
from server.entrance import API
from server.errors import BadBody, NotFound
from server.hosts import HOSTS
from server.http import read_body, read_bytes, reply
from server.realtime.register import REALTIME

if TYPE_CHECKING:
    from auth.principal import Principal
    from storage.documents import DocumentRecord

ROUTES = Routes()

_DOC_ID = re.compile(r"[A-Za-z0-9_-]{1,256}")
_OCTETS = "application/octet-stream"


class NewDocument(msgspec.Struct, frozen=True, rename="camel"):
    """Body of POST /doc/new."""

    doc_id: str | None = None


class DocumentCreated(msgspec.Struct, frozen=True, rename="camel"):
    """Reply of POST /doc/new."""

    doc_id: str


class AuthRequest(msgspec.Struct, frozen=True, rename="camel"):
    """Body of POST /doc/{id}/auth; Y-Sweet clients send an empty object or none."""

    authorization: Literal["full", "read-only"] = "full"
    user_id: str | None = None
    valid_for_seconds: int | None = None


class ClientToken(msgspec.Struct, frozen=True, rename="camel"):
    """Reply of POST /doc/{id}/auth: where to connect, and the token to show there."""

    url: str
    base_url: str
    doc_id: str
    token: str
    authorization: str


def _name(text: str) -> DocumentName:
    if not _DOC_ID.fullmatch(text):
        raise NotFound
    return DocumentName.parse(text)


async def _find(request: web.Request, principal: Principal) -> tuple[DocumentRecord, Role]:
    """The document of the path and the caller's role; NotFound for foreign and unknown alike."""
    rights = request.app[REALTIME].rights
    try:
        name = _name(request.match_info["document"])
        return await rights.open_document(principal, name, create=False)
    except Forbidden:
        raise NotFound from None


@ROUTES.post("/doc/new", access=ACCOUNT.writing(API), body=NewDocument, reply=DocumentCreated)
async def new(request: web.Request) -> web.Response:
    """Make a document in the caller's default workspace, or find it there."""
    body = await read_body(request, NewDocument)
    now_ms = int(time.time() * 1000)
    doc_id = body.doc_id
    if doc_id is None:
        doc_id = make_ulid(now_ms, secrets.token_bytes(10))
    if not _DOC_ID.fullmatch(doc_id):
        raise BadBody("docId must be 1 to 256 letters, digits, - and _")
    try:
        record, _ = await request.app[REALTIME].rights.open_document(
            principal_of(request), DocumentName.parse(doc_id), create=True
        )
    except Forbidden:
        raise NotFound from None
    return reply(DocumentCreated(doc_id=record.name))


@ROUTES.post(
    "/doc/{document}/auth", access=ACCOUNT.reading(API), body=AuthRequest, reply=ClientToken
)
async def auth(request: web.Request) -> web.Response:
    """Hand out a token that opens this document only, never above the caller's own role."""
    app = request.app
    realtime = app[REALTIME]
    settings = realtime.settings
    body = await read_body(request, AuthRequest)
    lifetime_s = body.valid_for_seconds
    if lifetime_s is None:
        lifetime_s = settings.document_token_s
    if not 1 <= lifetime_s <= settings.document_token_s_max:
        raise BadBody(f"validForSeconds must be 1 to {settings.document_token_s_max}")
    if body.user_id is not None and len(body.user_id) > 256:
        raise BadBody("userId is longer than 256 letters")
    principal = principal_of(request)
    record, own = await _find(request, principal)
    role = document_role(body.authorization, own)
    if principal.kind is Kind.PERSONAL and principal.expires_at is not None:
        # Nothing outlives the token it was asked for with.
        lifetime_s = max(1, min(lifetime_s, int(principal.expires_at - time.time())))
    token = realtime.tokens.mint_document(
        account=principal.account,
        document=record.id,
        scope=record.scope,
        name=record.name,
        role=role,
        now=time.time(),
        random_bytes=secrets.token_bytes(16),
        lifetime_s=lifetime_s,
        display=body.user_id or "",
        via=principal.token if principal.kind is Kind.PERSONAL else "",
    )
    place = "/d/" + quote(record.name, safe="")
    hosts = app[HOSTS]
    return reply(
        ClientToken(
            url=f"{hosts.websocket_url}{place}/ws",
            base_url=hosts.public_url + place,
            doc_id=record.name,
            token=token,
            authorization="full" if role >= Role.EDITOR else "read-only",
        )
    )


@ROUTES.get(
    "/d/{document}/as-update",
    access=DOCUMENT.reading(API),
    body=None,
    reply=Binary(media=_OCTETS, about="A Yjs update V1."),
)
async def as_update(request: web.Request) -> web.Response:
    """The whole document as one Yjs update (V1), of what is stored."""
    record, _ = await _find(request, principal_of(request))
    data = await request.app[DOCUMENTS].encoded(record)
    return web.Response(body=data, content_type=_OCTETS, headers={"Cache-Control": "no-store"})


@ROUTES.post(
    "/d/{document}/update",
    access=DOCUMENT.writing(API),
    body=Binary(media=_OCTETS, about="A Yjs update V1."),
    reply=None,
    errors=(403,),
)
async def update(request: web.Request) -> web.Response:
    """Apply a Yjs update (V1): open editors see it at once; answered after the commit."""
    documents = request.app[DOCUMENTS]
    principal = principal_of(request)
    record, role = await _find(request, principal)
    if role < Role.EDITOR:
        raise Forbidden
    data = await read_bytes(request, documents.bounds.update_bytes_max)
    await documents.push(record, data, account=principal.account, device=principal.device)
    return web.Response(status=200)
