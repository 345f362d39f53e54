"""The sites that are being read, in memory; the ones used longest ago go first."""

from __future__ import annotations

import logging
from collections import OrderedDict
from typing import TYPE_CHECKING
from uuid import UUID

from aiohttp import web

from server.sites.listing import File as Listed
from server.sites.serving.pages import Pages
from server.sites.serving.press import Press
from server.sites.serving.shelf import Shelf
from server.sites.serving.texts import Texts
from storage.blocks import Blocks
from storage.errors import StorageError
from storage.pool import Pool
from storage.sites import Site
from storage.sites.notes import PAGE_MAX, Noted, SiteNotes

if TYPE_CHECKING:
    from server.feed import Feed
    from server.hosts import Hosts
    from server.settings import Settings
    from server.sites.catalogue import Catalogue

log = logging.getLogger("plait.sites")


class Library:
    """The sites that are being read."""

    def __init__(
        self,
        settings: Settings,
        pool: Pool,
        *,
        hosts: Hosts,
        catalogue: Catalogue,
        feed: Feed,
        blocks: Blocks,
    ) -> None:
        self._hosts = hosts
        self.settings = settings
        self.catalogue = catalogue
        self.feed = feed
        self.notes = SiteNotes(pool)
        self.press = Press(settings)
        self.pages = Pages(settings.sites_cache_bytes // 2)
        self.texts = Texts(blocks, self.press.workers)
        self._shelves: OrderedDict[str, Shelf] = OrderedDict()

    async def shelf(self, site: Site) -> Shelf:
        """A site as it is now. Raises Unavailable or Busy."""
        shelf = self._shelves.get(site.id)
        if shelf is None:
            shelf = self._shelves[site.id] = Shelf(self, site)
        self._shelves.move_to_end(site.id)
        try:
            shelf = self._shelves[site.id] = await shelf.refresh(site)
        except BaseException:
            # Half of a change would stay for ever: the next one begins anew.
            if self._shelves.get(site.id) is shelf:
                del self._shelves[site.id]
            raise
        self._make_room()
        return shelf

    def public_url(self) -> str:
        """Where the server itself is."""
        return self._hosts.public_url

    def close(self) -> None:
        """End the helpers."""
        self.press.close()

    async def known(self, scope: str) -> dict[UUID, Noted]:
        """What is stored of the notes of a scope."""
        found: dict[UUID, Noted] = {}
        rows = await self.notes.of(scope)
        while rows:
            found.update((row.document, row) for row in rows)
            rows = await self.notes.of(scope, rows[-1].document) if len(rows) == PAGE_MAX else []
        return found

    async def keep(self, found: list[tuple[UUID, int, bytes]]) -> None:
        """Store what was read of notes; where that fails they are read again another time."""
        try:
            await self.notes.keep(found)
        except StorageError as error:
            log.warning("facts of notes are not kept: %s", error)

    async def bytes_of(self, file: Listed, most: int, *, whole: bool = True) -> bytes:
        """The bytes of a file; of one larger than `most` nothing, or else so many."""
        if file.size > most and whole:
            return b""
        blob = self.catalogue.blob(file)
        pieces = self.catalogue.blobs.read(blob, 0, min(blob.size, most))
        return b"".join([piece async for piece in pieces])

    def _make_room(self) -> None:
        held = sum(len(shelf.files) + 1 for shelf in self._shelves.values())
        while held > self.settings.sites_files_in_memory_max and len(self._shelves) > 1:
            _, shelf = self._shelves.popitem(last=False)
            held -= len(shelf.files) + 1


LIBRARY = web.AppKey("library", Library)
