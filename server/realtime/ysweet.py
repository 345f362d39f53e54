"""The REST side of Y-Sweet: make a document, hand out a token for it, read and write it as bytes.

Client and paths: @y-sweet/client 0.9.1. A document token opens one document only and never gives
more than its issuer may do. Foreign and unknown ids are 404, alike.
"""

from __future__ import annotations

import re
import secrets
import time
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote, urlsplit, urlunsplit

import msgspec
from aiohttp import web

from auth.errors import Forbidden
from auth.grants import document_role
from auth.principal import Role
from crdt.ids import DocumentName, make_ulid
from server.errors import ApiError
from server.http import read_body, reply
from server.realtime.routes import REALTIME

if TYPE_CHECKING:
    from auth.principal import Principal
    from server.realtime.connection import Realtime
    from storage.documents import DocumentRecord

_DOC_ID = re.compile(r"[A-Za-z0-9_-]{1,256}")


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


def _doc_id(text: str) -> str:
    if not _DOC_ID.fullmatch(text):
        raise ApiError(400, "bad_document_id", "a document id is letters, digits, - and _")
    return text
