"""The one table from error to status, and the middleware that uses it.

    RequestError
      BadBody           the body is not what the route's schema says
      BodyTooLarge      the body is over the route's bound
      TooManyRequests   this address asks too often
      NotFound          there is no such thing, or none that the caller may see
      WrongHost         the request was meant for another host
      ApiError          anything else that one route's page describes
    Busy                we cannot serve this now

Adapters word the body (`Adapter.error_body`); nobody else turns an error into a status. What is
not in the table is a fault of ours: it is logged with its traceback and answered with 500.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, TypeAlias

import msgspec
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from auth import errors as auth
from crdt import errors as crdt
from server.media.work import Refused
from server.redact import redact
from storage import errors as storage

log = logging.getLogger("plait.http")

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


class RequestError(Exception):
    """Root of what is wrong with a request as such."""


class BadBody(RequestError):
    """The body of a request, or its query, cannot be read as what the route takes."""

    def __init__(self, problem: str, part: str = "the body") -> None:
        super().__init__(f"{part} cannot be read: {problem}")


class BodyTooLarge(RequestError):
    """The body is longer than the route takes; the rest of it was not read."""

    def __init__(self, bytes_max: int) -> None:
        super().__init__(f"the body is longer than {bytes_max} bytes")


class TooManyRequests(RequestError):
    """This address has to wait."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__("too many requests from this address")
        self.retry_after_s = retry_after_s


class NotFound(RequestError):
    """What was asked for is not there, or not for this caller to know of."""

    def __init__(self) -> None:
        super().__init__("not found")


class WrongHost(RequestError):
    """The Host header names none of this server's hosts."""

    def __init__(self) -> None:
        super().__init__("this server does not answer for that host")


class ApiError(RequestError):
    """An answer that only one route gives, with its status, word and sentence."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Busy(Exception):
    """Something cannot be served now; try again in `retry_after_s` seconds."""

    def __init__(self, reason: str, retry_after_s: float = 2) -> None:
        super().__init__(f"not available now: {reason}")
        self.reason = reason
        self.retry_after_s = retry_after_s


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """An error as a reply: what an adapter words in its own way."""

    status: int
    code: str
    """One stable word, for programs."""
    message: str
    """One sentence, for people."""
    facts: dict[str, Any] = {}
    """Further fields of the body."""
    headers: dict[str, str] = {}

    def body(self) -> dict[str, Any]:
        """The body where an adapter has no wording of its own."""
        return {"success": False, "error": self.code, "message": self.message, **self.facts}


Rule: TypeAlias = tuple[int, str | Callable[[Any], str], float | None]
"""Status, the word (or where to find it in the error), and seconds to wait where that is known."""


def _reason(error: Any) -> str:  # noqa: ANN401 (whatever carries a reason)
    return str(error.reason).replace("-", "_")


TABLE: dict[type[BaseException], Rule] = {
    auth.BadCredential: (400, lambda error: f"bad_{error.field}", None),
    auth.Unauthorized: (401, _reason, None),
    auth.Forbidden: (403, _reason, None),
    auth.RegistrationFull: (429, "registration_full", 3600),
    BadBody: (400, "bad_request", None),
    BodyTooLarge: (413, "too_large", None),
    TooManyRequests: (429, "rate_limited", None),
    NotFound: (404, "not_found", None),
    WrongHost: (421, "wrong_host", None),
    ApiError: (400, lambda error: error.code, None),
    Refused: (415, lambda error: error.code, None),
    Busy: (503, "unavailable", None),
    crdt.WireError: (400, lambda error: f"frame_{_reason(error)}", None),
    crdt.UpdateError: (400, lambda error: f"update_{_reason(error)}", None),
    crdt.BadName: (400, "bad_name", None),
    crdt.DocumentBroken: (503, "unavailable", 5),
    storage.Unavailable: (503, "unavailable", 2),
    storage.LogBroken: (503, "document_unavailable", 60),
    storage.LastAdministrator: (409, "last_administrator", None),
    storage.LastOwner: (409, "last_owner", None),
    storage.UnknownDocument: (404, "not_found", None),
    # The same answer as for what is not there: a foreign document must not be found by its name.
    storage.NameTaken: (404, "not_found", None),
    storage.StoreUnavailable: (503, "unavailable", 5),
    storage.UnknownBlob: (404, "not_found", None),
    storage.HashMismatch: (400, "hash_mismatch", None),
    storage.TooLarge: (413, "too_large", None),
    storage.QuotaExceeded: (413, "quota_exceeded", None),
    storage.UnknownUpload: (404, "not_found", None),
    storage.UploadConflict: (409, "upload_conflict", None),
    storage.TooManyUploads: (429, "too_many_uploads", 60),
    storage.ChunkOutOfRange: (400, "chunk_out_of_range", None),
    storage.ChunkLength: (400, "chunk_length", None),
    storage.ChunksMissing: (409, "chunks_missing", None),
    # Both mean a request that broke off or breaks HTTP's own rules.
    web.RequestPayloadError: (400, "bad_request", None),
    HttpProcessingError: (400, "bad_request", None),
}

_TOO_LARGE = frozenset({"update_too_large", "update_document_full", "frame_too_large"})

_MESSAGES: dict[type[BaseException], str] = {
    storage.Unavailable: "the database cannot be reached; nothing was changed for good",
    storage.LogBroken: "the document cannot be opened; the operator has been told",
    storage.StoreUnavailable: "files cannot be stored or read now",
    storage.UnknownBlob: "not found",
    crdt.DocumentBroken: "the document is being rebuilt",
    auth.ApprovalRequired: "an administrator has to approve this account first",
    auth.RegistrationClosed: "this server takes no new accounts",
    auth.AccountDisabled: "this account is disabled",
    auth.Unauthorized: "who is asking could not be established",
    auth.Forbidden: "this is not allowed",
    web.RequestPayloadError: "the body broke off or is not encoded as its header says",
    HttpProcessingError: "the body broke off or is not encoded as its header says",
}
"""Sentences where the error's own says too much, or too little."""


_WORDS = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    411: "length_required",
    412: "precondition_failed",
    413: "too_large",
    414: "too_large",
    415: "unsupported_media_type",
    416: "range_not_satisfiable",
    417: "expectation_failed",
    426: "upgrade_required",
    429: "rate_limited",
    431: "too_large",
    500: "internal",
    503: "unavailable",
}
"""Words for aiohttp's own errors; HTTPStatus words some of them anew with each Python."""


def _look_up(kind: type[BaseException], table: dict[type[BaseException], Any]) -> Any:  # noqa: ANN401
    return next((table[base] for base in kind.__mro__ if base in table), None)


def fault_of(error: BaseException) -> Fault | None:
    """What to answer for an error; None for one that is our own fault."""
    if isinstance(error, web.HTTPException):
        return _fault_of_aiohttp(error)
    rule: Rule | None = _look_up(type(error), TABLE)
    if rule is None:
        return None
    status, word, wait_s = rule
    code = word if isinstance(word, str) else word(error)
    headers: dict[str, str] = {}
    wait_s = getattr(error, "retry_after_s", wait_s)
    if wait_s is not None:
        headers["Retry-After"] = str(max(1, math.ceil(wait_s)))
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, ApiError | Refused):
        status = error.status
    return Fault(
        status=413 if code in _TOO_LARGE else status,
        code=code,
        message=_look_up(type(error), _MESSAGES) or str(error),
        facts=_facts_of(error),
        headers=headers,
    )


def _facts_of(error: BaseException) -> dict[str, Any]:
    if isinstance(error, auth.ApprovalRequired):
        return {"approval_required": True}
    facts: dict[str, Any] = getattr(error, "facts", {})
    return facts


def _fault_of_aiohttp(error: web.HTTPException) -> Fault:
    kept = {
        name: value
        for name, value in error.headers.items()
        if name.lower() not in {"content-type", "content-length"}
    }
    phrase = HTTPStatus(error.status).phrase
    said = error.text or ""
    return Fault(
        status=error.status,
        code=_WORDS.get(error.status, "refused"),
        message=phrase if said.startswith(f"{error.status}:") else said or phrase,
        headers=kept,
    )


def answer(fault: Fault, body: dict[str, Any] | None = None) -> web.Response:
    """A fault as a response, with the adapter's `body` if it has one."""
    return web.Response(
        status=fault.status,
        body=msgspec.json.encode(fault.body() if body is None else body),
        content_type="application/json",
        headers=fault.headers,
    )


def faults_to_responses(word: Callable[[web.Request, Fault], dict[str, Any]]) -> Any:  # noqa: ANN401
    """The middleware that answers every error; `word` finds the adapter and asks it for a body."""

    @web.middleware
    async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as error:
            if error.status < HTTPStatus.BAD_REQUEST:
                raise
            fault = fault_of(error)
        except ConnectionResetError:
            # The client went away while it was answered; this reaches nobody.
            return web.Response(status=400)
        except Exception as error:
            fault = fault_of(error)
            if fault is None:
                log.exception("%s %s failed", request.method, redact(request.path_qs))
                fault = Fault(status=500, code="internal", message="this is a fault of the server")
        assert fault is not None
        response = answer(fault, word(request, fault))
        if request.content.exception() is not None:
            # The rest of the body cannot be told from a next request: say that this is the end.
            response.force_close()
        return response

    return answer_errors
