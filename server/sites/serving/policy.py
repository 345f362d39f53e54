"""The Content-Security-Policy of each kind of answer. Pure.

Pages are ours, and what notes say in them is cleaned: they run our scripts and no others. Files are
whatever their owner uploaded: they may run, but in a sandbox with an origin of their own, so that
they have no cookies, no storage and nothing to read of any site, not even of theirs.
"""

from __future__ import annotations

from server.sites.rendering.sanitising import FRAME_HOSTS

ASSETS = "/_plait"
"""Where our own style sheet and scripts are, on every host that shows sites."""
_FRAMES = " ".join(f"https://{host}" for host in FRAME_HOSTS)
_OWN_FILES = "data: blob: 'unsafe-inline' 'unsafe-eval'"


def page(origin: str, *, has_own_origin: bool) -> str:
    """Of the pages that we make."""
    said = (
        f"default-src 'none'; script-src {origin}{ASSETS}/; style-src {origin} 'unsafe-inline'; "
        f"img-src {origin} https: data:; media-src {origin} https:; font-src {origin} data:; "
        f"connect-src {origin}; frame-src {origin} {_FRAMES}; form-action {origin}; "
        "base-uri 'none'; object-src 'none'; frame-ancestors 'self'"
    )
    # Where sites share an origin with the rest of the server, not even our own pages are of it.
    return said if has_own_origin else f"{said}; sandbox {_SANDBOX}"


def file(origin: str) -> str:
    """Of files as they were uploaded: HTML and SVG may run, in a sandbox."""
    return (
        f"default-src {origin} {_OWN_FILES}; img-src {origin} https: data: blob:; "
        f"media-src {origin} https: data: blob:; style-src {origin} https: 'unsafe-inline'; "
        f"script-src {origin} https: {_OWN_FILES}; font-src {origin} https: data:; "
        f"connect-src {origin}; frame-src {origin} {_FRAMES}; form-action {origin}; "
        f"base-uri 'none'; object-src 'none'; frame-ancestors 'self'; sandbox {_SANDBOX}"
    )


def pdf() -> str:
    """Of PDF, whose viewers do not work in a sandbox, and need nothing."""
    return "script-src 'none'; base-uri 'none'; frame-ancestors 'self'"


_SANDBOX = (
    "allow-scripts allow-forms allow-modals allow-popups allow-popups-to-escape-sandbox "
    "allow-downloads"
)
