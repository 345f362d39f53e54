"""What a path of a site is answered with: a page, a file, a feed, a redirect, a question.

The password comes before everything: a site that has one says nothing to others.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from aiohttp import web

from server.representation import disposition
from server.serving import Shown, serve
from server.sites.access import ACCESS
from server.sites.rendering import feeds, page, slugs
from server.sites.rendering.note import Note
from server.sites.rendering.place import MADE, Place
from server.sites.rendering.tree import Tree
from server.sites.rendering.vault import File
from server.sites.serving import assets, policy, searching
from server.sites.serving.kinds import type_of
from server.sites.serving.library import LIBRARY, Library
from server.sites.serving.replies import html, location, reply
from server.sites.serving.shelf import CONFIG, SHOWN_BYTES_MAX, STYLE, Shelf

if TYPE_CHECKING:
    from server.sites.serving.doorway import Opened

_ALWAYS = frozenset({CONFIG, STYLE})
"""Files that are handed out whatever the configuration leaves out."""


class Visit:
    """One request for something of one site that its visitor may read."""

    def __init__(self, request: web.Request, opened: Opened, shelf: Shelf) -> None:
        self.request = request
        self.opened = opened
        self.shelf = shelf
        site = shelf.site
        url = request.app[LIBRARY].catalogue.url(site)
        self.place = Place(origin=opened.origin, path=opened.path, url=url)
        self.caching = "private, no-cache" if site.is_protected else "no-cache"

    def headers(self) -> dict[str, str]:
        """Of pages."""
        return {
            "Content-Security-Policy": policy.page(
                self.opened.origin, has_own_origin=not self.opened.is_shared
            ),
            "Cache-Control": self.caching,
        }

    def site(self) -> page.Site:
        """The site as its pages show it."""
        shelf, site = self.shelf, self.shelf.site
        style = shelf.files.get(STYLE)
        address = f"{self.place.of_file(STYLE)}?v={style.hash[:12]}" if style else ""
        return page.Site(
            name=site.title or site.name,
            place=self.place,
            config=shelf.config,
            vault=shelf.vault,
            tree=shelf.tree(self.place),
            assets=assets.base(),
            custom_css=address,
            has_search=site.enable_search,
            has_feed=site.enable_rss and shelf.config.feed,
            is_private=site.is_protected,
        )


async def answer(request: web.Request, opened: Opened) -> web.StreamResponse:
    """Answer a GET or HEAD for something of a site. Raises Unavailable and Busy."""
    site = opened.site
    assert site is not None
    url = request.app[LIBRARY].catalogue.url(site)
    if site.is_protected and not opened.is_at(url):
        return _redirect(f"{url}/{opened.rest}".rstrip("/"), 307, opened, private=True)
    if not request.app[ACCESS].may_read(request, site):
        if opened.rest in {*MADE, CONFIG, STYLE}:
            return nothing(request, opened)
        back = request.rel_url.raw_path_qs
        there = f"{opened.path}/_login?returnTo={quote(back, safe='')}"
        return _redirect(there, 307, opened, private=True)
    visit = Visit(request, opened, await request.app[LIBRARY].shelf(site))
    raw = opened.rest.strip("/")
    if raw in _MADE_HERE:
        return await _MADE_HERE[raw](visit)
    for path in slugs.decodings(raw):
        found = await _found(visit, path)
        if found is not None:
            return found
    return _missing(visit)


async def _found(visit: Visit, path: str) -> web.StreamResponse | None:
    """What there is at a path: a redirect, a file, something made, a page."""
    shelf = visit.shelf
    moved = shelf.config.redirects.get(path)
    if moved is not None:
        status = 308 if moved.permanent else 307
        return _redirect(visit.place.link(moved.to), status, visit.opened)
    if path in shelf.files and (path in shelf.vault.files or path in _ALWAYS):
        return await _file(visit, path)
    if path in MADE:
        return _made(visit, path)
    found = shelf.vault.page(path) if path else shelf.vault.home()
    return await _page(visit, path, found) if found is not None else None


async def _page(visit: Visit, slug: str, file: File) -> web.StreamResponse:
    """A note's page, at its one address."""
    if file.facts is None:  # The root of a site without notes.
        if visit.request.rel_url.raw_path.endswith("/"):
            return await _file(visit, file.path)
        return _redirect(f"{visit.opened.path}/", 308, visit.opened)
    if slug and file.slug != slug:
        return _redirect(visit.place.of_slug(file.slug), 308, visit.opened)
    library = visit.request.app[LIBRARY]
    found = await visit.shelf.note(file.path)
    file = visit.shelf.vault.files.get(file.path, file)
    if found is None or file.path not in visit.shelf.vault.files:
        return _missing(visit)
    note, text = found
    kept = library.pages.get(visit.place, visit.shelf, file.path, note)
    if kept is None:
        kept = _composed(visit, file, note, text).encode()
        library.pages.keep(visit.place, visit.shelf, file.path, note, kept)
    return reply(visit.request, kept, "text/html; charset=utf-8", visit.headers())


def _composed(visit: Visit, file: File, note: Note | None, text: str) -> str:
    edit = _edit(visit.request.app[LIBRARY], visit.shelf, file.path)
    if note is None:
        return page.source_page(visit.site(), file, text[:SHOWN_BYTES_MAX], edit)
    return page.note_page(visit.site(), file, note, edit)


async def _file(visit: Visit, path: str) -> web.StreamResponse:
    """A file's bytes; of a note its text as it is now."""
    kind = type_of(path)
    name = path.rpartition("/")[2]
    is_pdf = kind == "application/pdf"
    headers = {
        "Content-Type": kind,
        "Content-Disposition": disposition(name, inline=kind != "application/octet-stream"),
        "Content-Security-Policy": policy.pdf() if is_pdf else policy.file(visit.opened.origin),
        "X-Content-Type-Options": "nosniff",
    }
    file = visit.shelf.files[path]
    if file.document:
        text = await visit.shelf.text(path)
        if text is None or path not in visit.shelf.vault.files:
            return _missing(visit)
        caching = {"Cache-Control": visit.caching}
        return reply(visit.request, text.encode(), kind, headers | caching)
    modified = datetime.fromtimestamp((file.changed_at or file.created_at) / 1000, UTC)
    shown = Shown(name, kind, modified, caching=visit.caching, headers=headers)
    return await serve(visit.request, visit.request.app[LIBRARY].catalogue.blob(file), shown)


def _made(visit: Visit, name: str) -> web.StreamResponse:
    """Sitemap, robots.txt and feeds."""
    shelf, place, site = visit.shelf, visit.place, visit.shelf.site
    headers = {
        "Content-Security-Policy": policy.file(visit.opened.origin),
        "Cache-Control": visit.caching,
    }
    title = site.title or site.name
    if site.is_protected:
        return _missing(visit)
    if name == "robots.txt":
        text = feeds.robots(visit.place.url or visit.opened.origin)
        return reply(visit.request, text.encode(), "text/plain; charset=utf-8", headers)
    if name == "sitemap.xml":
        moment = site.updated_at.astimezone(UTC).isoformat(timespec="seconds")
        text = feeds.site_map(shelf.vault, place, moment)
        return reply(visit.request, text.encode(), "application/xml; charset=utf-8", headers)
    if not (site.enable_rss and shelf.config.feed):
        return _missing(visit)
    make = feeds.rss if name == "rss.xml" else feeds.atom
    kind = "application/rss+xml" if name == "rss.xml" else "application/atom+xml"
    text = make(shelf.vault, place, shelf.config, title)
    return reply(visit.request, text.encode(), f"{kind}; charset=utf-8", headers)


async def _search_page(visit: Visit) -> web.StreamResponse:
    if not visit.shelf.site.enable_search:
        return _missing(visit)
    query = visit.request.query.get("q", "").strip()[:200]
    hits = await searching.find(visit.request, visit.shelf, query)
    return html(visit.request, page.search_page(visit.site(), query, hits), visit.headers())


async def _search_json(visit: Visit) -> web.StreamResponse:
    if not visit.shelf.site.enable_search:
        return _missing(visit)
    query = visit.request.query.get("q", "").strip()[:200]
    hits = await searching.find(visit.request, visit.shelf, query)
    data = searching.as_json(hits, visit.shelf, visit.place)
    return reply(visit.request, data, "application/json", visit.headers())


async def _folder(visit: Visit) -> web.StreamResponse:
    """What is in a folder of the sidebar that a reader opened."""
    tree: Tree = visit.shelf.tree(visit.place)
    shown = tree.level(visit.request.query.get("folder", "").strip("/"), None)
    return html(visit.request, shown, visit.headers())


_MADE_HERE = {"_search": _search_page, "_search.json": _search_json, "_tree": _folder}


def _edit(library: Library, shelf: Shelf, path: str) -> str:
    """Where the note is edited: on the server's own origin, by those who may."""
    site = shelf.site
    if site.account is None:
        return ""
    return f"{library.public_url()}/w/{quote(site.scope, safe='')}/{quote(path, safe='')}"


def _missing(visit: Visit) -> web.Response:
    return html(visit.request, page.missing_page(visit.site()), visit.headers(), 404)


def nothing(
    request: web.Request, opened: Opened, status: int = 404, problem: str = ""
) -> web.Response:
    """The page of an address where there is no site, or none for this visitor, or a problem."""
    said = policy.page(opened.origin, has_own_origin=not opened.is_shared)
    headers = {"Content-Security-Policy": said, "Cache-Control": "no-cache"}
    return html(request, page.missing_page(None, assets.base(), problem), headers, status)


def _redirect(to: str, status: int, opened: Opened, *, private: bool = False) -> web.StreamResponse:
    said = policy.page(opened.origin, has_own_origin=not opened.is_shared)
    caching = "private, no-store" if private else "no-cache"
    headers = {"Location": location(to), "Content-Security-Policy": said, "Cache-Control": caching}
    return web.Response(status=status, headers=headers)
