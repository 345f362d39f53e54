"""The pages for people: front, documents, editor, key, tokens, sites, server.

Pages are made on the server (Jinja2) and hold nothing of anybody: what belongs to an account comes
through the APIs, asked for by the scripts in `built/`, which `npm run build` makes of `source/`.
"""

from server.pages.assets import ROUTES as ASSETS
from server.pages.frame import NAME, install, page
from server.pages.routes import ROUTES

from server.adapter import Adapter  # isort: skip

__all__ = ["NAME", "PAGES", "page"]

PAGES = Adapter(
    name="pages", routes=[*ROUTES, *ASSETS], about=__doc__.partition("\n")[0], install=install
)
