"""One id for each request: in every line that is logged over it, in its answer, in its trace.

A proxy that made an id already sends it as X-Request-Id; any other is made here. Of each request
one line can be logged (setting log_requests): where it came from, what it asked, how it ended, how
long it took. Secrets in its URL are hidden, headers and bodies are never shown.
"""

from __future__ import annotations

import logging
import re
import secrets
from time import perf_counter
from typing import TYPE_CHECKING, Any

from aiohttp import web

from server.adapter import PRINCIPAL, mounted
from server.hosts import HOSTS
from server.logs import REQUEST
from server.operating import spans
from server.redact import redact

if TYPE_CHECKING:
    from server.errors import Handler

log = logging.getLogger("plait.requests")

HEADER = "X-Request-Id"
_FIT = re.compile(r"[A-Za-z0-9._-]{1,64}")

REQUEST_ID = web.RequestKey("request id", str)
LOG_REQUESTS = web.AppKey("log requests", bool)


@web.middleware
async def follow(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The outermost part of an application: everything below is followed by the request's id."""
    given = request.headers.get(HEADER, "")
    identity = given if _FIT.fullmatch(given) else secrets.token_hex(8)
    request[REQUEST_ID] = identity
    token = REQUEST.set(identity)
    started = perf_counter()
    status = 500
    try:
        if spans.on():
            found = mounted(request)
            route = found.route.path if found is not None else "(no route)"
            with spans.request(request.method, route, request.headers, identity) as span:
                response = await handler(request)
                span.set_attribute("http.response.status_code", response.status)
        else:
            response = await handler(request)
        status = response.status
    except web.HTTPException as answered:
        status = answered.status
        raise
    finally:
        if request.app[LOG_REQUESTS]:
            _tell(request, status, perf_counter() - started)
        REQUEST.reset(token)
    return response


async def name_answer(request: web.Request, response: web.StreamResponse) -> None:
    """Tell the client the id by which the log knows its request."""
    identity = request.get(REQUEST_ID)
    if identity is not None:
        response.headers[HEADER] = identity


def follow_requests(app: web.Application, *, logged: bool) -> None:
    """Follow every request of an application, from the outside of all else."""
    app[LOG_REQUESTS] = logged
    app.middlewares.insert(0, follow)
    app.on_response_prepare.append(name_answer)


def _tell(request: web.Request, status: int, seconds: float) -> None:
    principal = request.get(PRINCIPAL)
    fields: dict[str, Any] = {
        "method": request.method,
        "path": redact(request.path_qs),
        "status": status,
        "ms": round(seconds * 1000, 1),
        "remote": request.app[HOSTS].remote(request),
        "account": None if principal is None else principal.account,
    }
    text = "%(method)s %(path)s %(status)d in %(ms).1f ms for %(remote)s"
    log.info(text, fields, extra={"fields": fields})
