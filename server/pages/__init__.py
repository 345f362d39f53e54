"""The pages for people: front, documents, editor, key, tokens, sites, server.

Pages are made on the server (Jinja2) and hold nothing of anybody: what belongs to an account comes
through the APIs, asked for by the scripts in `built/`, which `npm run build` makes of `source/`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from server.pages.assets import ROUTES as ASSETS
from server.pages.frame import NAME, page, set_up
from server.pages.lost import show_way_back
from server.pages.routes import ROUTES
from server.pages.worker import ROUTES as WORKER

from server.adapter import Adapter  # isort: skip

if TYPE_CHECKING:
    from aiohttp import web

    from storage.pool import Pool

__all__ = ["NAME", "PAGES", "page"]


def _install(app: web.Application, pool: Pool) -> None:
    del pool
    set_up(app)
    app.middlewares.append(show_way_back)


PAGES = Adapter(
    name="pages",
    routes=[*ROUTES, *ASSETS, *WORKER],
    about=__doc__.partition("\n")[0],
    install=_install,
)
