"""Searching a site: all its notes are looked at, in slices that hold nobody up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from server.hosts import HOSTS
from server.limits import LIMITS
from server.pace import Pace
from server.sites.rendering import search
from server.sites.rendering.place import Place
from server.sites.rendering.search import Hit, Indexed

if TYPE_CHECKING:
    from server.sites.serving.shelf import Shelf

LIMIT = "site_search"


async def find(request: web.Request, shelf: Shelf, query: str) -> list[Hit]:
    """The notes that fit a question best. Raises TooManyRequests."""
    words = search.words_of(query)
    if not words:
        return []
    request.app[LIMITS][LIMIT].take(request.app[HOSTS].remote(request))
    pace = Pace()
    found: list[tuple[int, Indexed]] = []
    for file in list(shelf.vault.files.values()):
        if file.facts is not None and shelf.config.is_listed(file.path):
            note = search.indexed(file)
            points = search.score(note, words)
            if points:
                found.append((points, note))
            await pace.rest()
    return search.best(iter(found), words)


def as_json(hits: list[Hit], shelf: Shelf, place: Place) -> bytes:
    """Hits as the script of a page reads them."""
    files = shelf.vault.files
    shown = [
        {"title": hit.title, "url": place.of(files[hit.path]), "excerpt": hit.excerpt}
        for hit in hits
        if hit.path in files
    ]
    return msgspec.json.encode({"hits": shown})
