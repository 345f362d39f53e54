"""Whole pages, kept for as long as nothing that they show has changed."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from server.sites.rendering.note import Note
from server.sites.rendering.place import Place

if TYPE_CHECKING:
    from datetime import datetime

    from server.sites.serving.shelf import Shelf


class _Sources(NamedTuple):
    """What a page follows from, by identity or version."""

    shelf: int
    files: bytes | None
    vault: int
    settings: datetime
    note: str
    place: Place


class Pages:
    """Pages in memory, the ones used longest ago going first."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._size = 0
        self._pages: OrderedDict[tuple[str, str, str], tuple[_Sources, bytes]] = OrderedDict()

    def get(self, place: Place, shelf: Shelf, path: str, note: Note | None) -> bytes | None:
        """The page of a note, if it would be the same again."""
        key = (shelf.site.id, place.path, path)
        kept = self._pages.get(key)
        if kept is None or note is None or kept[0] != _sources(place, shelf, note):
            return None
        self._pages.move_to_end(key)
        return kept[1]

    def keep(self, place: Place, shelf: Shelf, path: str, note: Note | None, page: bytes) -> None:
        """Keep a page that was made just now."""
        if note is None:
            return
        key = (shelf.site.id, place.path, path)
        before = self._pages.pop(key, None)
        self._size += len(page) - (len(before[1]) if before else 0)
        self._pages[key] = _sources(place, shelf, note), page
        while self._size > self._bytes_max and self._pages:
            self._size -= len(self._pages.popitem(last=False)[1][1])


def _sources(place: Place, shelf: Shelf, note: Note) -> _Sources:
    return _Sources(
        shelf.serial, shelf.version, shelf.vault.version, shelf.site.updated_at, note.key, place
    )
