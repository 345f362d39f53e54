"""From a template to a page: the frame around it, and the policy that it is sent with."""

from __future__ import annotations

import secrets
from typing import Any

import aiohttp_jinja2
import jinja2
from aiohttp import web

from server.hosts import HOSTS
from server.pages.assets import folder

NAME = web.AppKey("server_name", str)
"""The name of this server, shown on its pages."""

NAVIGATION = (
    ("/w", "Documents"),
    ("/sites", "Sites"),
    ("/key", "Key"),
    ("/access", "Access"),
    ("/server", "Server"),
    ("/docs", "API"),
)


def set_up(app: web.Application) -> None:
    """Let an application render pages."""
    aiohttp_jinja2.setup(
        app,
        loader=jinja2.PackageLoader("server.pages"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        default_helpers=False,
    )


def page(
    request: web.Request,
    template: str,
    kind: str,
    *,
    status: int = 200,
    script: bool = True,
    **values: Any,  # noqa: ANN401 (whatever the template takes)
) -> web.Response:
    """A page of one kind; the kind is the class of its body, and what its script starts with."""
    hosts = request.app[HOSTS]
    # Editors make style sheets while they run: such a sheet shows this word, and no other counts.
    nonce = secrets.token_urlsafe(16) if script else ""
    context = {
        "name": request.app[NAME],
        "http": hosts.public_url,
        "ws": hosts.websocket_url,
        "assets": folder(),
        "nonce": nonce,
        "script": script,
        "page": kind,
        "nav": NAVIGATION,
        "here": request.path.rstrip("/") or "/",
        **values,
    }
    text = aiohttp_jinja2.render_string(template, request, context)
    headers = {"Content-Security-Policy": _policy(request, nonce), "Cache-Control": "no-cache"}
    return web.Response(text=text, status=status, content_type="text/html", headers=headers)


def _policy(request: web.Request, nonce: str) -> str:
    """What a page may load: from here alone, and no script that stands in the page itself."""
    said = [
        "default-src 'none'",
        f"style-src 'self' 'nonce-{nonce}'" if nonce else "style-src 'self'",
        "img-src 'self' blob: data:",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
    if nonce:
        socket = request.app[HOSTS].websocket_url
        said += ["script-src 'self'", "worker-src 'self'", "media-src 'self' blob:"]
        said.append(f"connect-src 'self' {socket}")
    return "; ".join(said)
