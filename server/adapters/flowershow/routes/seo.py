"""What crawlers ask of a site, by its names: its sitemap and robots.txt."""

from __future__ import annotations

from aiohttp import web

from server.adapter import ANYONE, Routes
from server.adapters.flowershow.mapping import moment
from server.describe import Text
from server.sites.catalogue import SITES
from server.sites.names import lookup_name
from server.sites.rendering import feeds
from server.sites.rendering.place import Place
from server.sites.serving.library import LIBRARY

ROUTES = Routes("SEO")

_FRESH = {"Cache-Control": "no-cache"}


@ROUTES.get(
    "/api/sitemap/{user}/{project}",
    access=ANYONE,
    replies={200: Text(media="application/xml"), 404: Text()},
)
async def sitemap(request: web.Request) -> web.Response:
    """The addresses of a site's pages; of a site with a password there is none.

    `project` may be the site's own domain, whoever `user` is.
    """
    catalogue = request.app[SITES]
    user, project = request.match_info["user"], request.match_info["project"]
    if user == "anon":
        site = await catalogue.anonymous(project)
    else:
        site = await catalogue.named(user, lookup_name(project))
    site = site or await catalogue.by_domain(project.lower())
    if site is None or site.is_protected:
        return _nothing()
    shelf = await request.app[LIBRARY].shelf(site)
    url = catalogue.url(site)
    text = feeds.site_map(shelf.vault, Place(origin=url, url=url), moment(site.updated_at))
    return web.Response(text=text, content_type="application/xml", headers=_FRESH)


@ROUTES.get("/api/robots/{hostname}", access=ANYONE, replies={200: Text(), 404: Text()})
async def robots(request: web.Request) -> web.Response:
    """What crawlers may read at a site's own domain."""
    catalogue = request.app[SITES]
    site = await catalogue.by_domain(request.match_info["hostname"].lower())
    if site is None or site.is_protected:
        return _nothing()
    return web.Response(text=feeds.robots(catalogue.url(site)), headers=_FRESH)


def _nothing() -> web.Response:
    return web.Response(status=404, text="Not found")
