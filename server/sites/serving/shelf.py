"""One site in memory: what is in it, kept in step with what is committed.

The list of files is looked at with every request. What was typed into a note is there with the next
request for its own page; what other pages show of it (titles, backlinks, search) follows within
NEWS_S. A change costs what changed, not the site.
"""

from __future__ import annotations

import asyncio
import itertools
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

from server.pace import Pace
from server.sites.listing import File as Listed
from server.sites.rendering import siteconfig
from server.sites.rendering.facts import Facts
from server.sites.rendering.note import Note
from server.sites.rendering.place import Place
from server.sites.rendering.siteconfig import SiteConfig
from server.sites.rendering.slugs import is_note
from server.sites.rendering.tree import Tree
from server.sites.rendering.vault import File, Vault
from server.sites.serving.press import digest_of
from server.sites.serving.remembering import decode, encode
from server.sites.serving.texts import Text, Wanted
from storage.sites import Site
from storage.sites.notes import NOWHERE, PAGE_MAX, Noted

if TYPE_CHECKING:
    from server.sites.serving.library import Library

_serials = itertools.count(1)
NEWS_S = 0.25
SHOWN_BYTES_MAX = 100_000
"""Bytes that are shown of a source in the place of a page."""
CONFIG, STYLE = "config.json", "custom.css"
_LATEST = 1 << 62
_TOGETHER_MAX = 500
_FEW = 50
"""Notes of which it is not worth to ask what is stored of all."""
_TREES_MAX = 4


class Shelf:
    """One site."""

    def __init__(self, library: Library, site: Site) -> None:
        self.site = site
        self.vault = Vault()
        self.config = SiteConfig()
        self.files: dict[str, Listed] = {}
        """Those that are served, by path."""
        self._library = library
        self.serial = next(_serials)
        """Its vault's versions are its own."""
        self.version: bytes | None = None
        """Of the list of files."""
        self._config_hash: str | None = None
        self._successor: Shelf | None = None
        self._paths: dict[UUID, str] = {}
        self._heads: dict[UUID, int] = {}
        self._digests: dict[UUID, tuple[int, bytes]] = {}
        """Of the notes that were shown: the head, and what their text is known by."""
        self._trees: dict[str, tuple[int, Tree]] = {}
        self._news_at = 0.0
        self._marker: int | None = None
        """Up to where the feed of changes was read."""
        self._turn = asyncio.Lock()

    async def refresh(self, site: Site) -> Shelf:
        """Bring it up to date; the shelf to use, which is another one after a new configuration.

        Raises Unavailable or Busy.
        """
        library = self._library
        self.site = site
        listing = await library.catalogue.listing(site)
        async with self._turn:
            if self._successor is not None:
                return await self._successor.refresh(site)
            if self._marker is None:
                self._marker = (await library.feed.since(site.scope, _LATEST, 1)).marker
            if listing.version != self.version:
                # Read again: while this waited for its turn, others may have taken a newer list.
                listing = await library.catalogue.listing(site)
                served = {path: file for path, file in listing.files.items() if file.is_served}
                if not await self._is_configured(served):
                    # Which files are shown at all may be another question now: begin anew, while
                    # those who are still reading go on here.
                    successor = Shelf(library, site)
                    await successor.refresh(site)
                    self._successor = successor
                    return successor
                await self._take(served)
                self.version = listing.version
            now = asyncio.get_running_loop().time()
            if now >= self._news_at:
                self._news_at = now + NEWS_S
                await self._news()
        return self

    async def note(self, path: str) -> tuple[Note | None, str] | None:
        """A note as it is committed now; with its text where it takes too much to render it.

        None where it cannot be read.
        """
        press = self._library.press
        file = self.files.get(path)
        if file is not None and not file.document:
            data = await self._library.bytes_of(file, SHOWN_BYTES_MAX, whole=False)
            return None, data.decode(errors="replace")
        document = self._document(path)
        known = self._digests.get(document)
        if known is not None and known[0] == await self._head(document):
            found = press.known(path, known[1])
            if found is not None and found[0] is not None:
                return found[0], ""
        text = await self.text(path)
        if text is None:
            return None
        note = await press.note(self.site.id, path, text)
        return note, ("" if note else text)

    def tree(self, place: Place) -> Tree:
        """The sidebar, as addresses are on one host."""
        version, tree = self._trees.get(place.path, (-1, None))
        if tree is None or version != self.vault.version or tree.config is not self.config:
            if len(self._trees) >= _TREES_MAX:
                self._trees.clear()
            tree = Tree(self.vault, place, self.config)
            self._trees[place.path] = self.vault.version, tree
        return tree

    async def text(self, path: str) -> str | None:
        """The text of a note as it is committed now; None where it cannot be read."""
        document = self._document(path)
        stands = await self._library.notes.stand([document])
        if document not in stands:
            return None
        found = await self._library.texts.read([Wanted(document, stands[document].size)])
        if document not in found:
            return None
        head, text = found[document]
        self._digests[document] = head, digest_of(text)
        if self._heads.get(document) != head:
            async with self._turn:
                await self._read(found)
        return text

    async def _head(self, document: UUID) -> int | None:
        stand = (await self._library.notes.stand([document])).get(document)
        return stand.head if stand else None

    def _document(self, path: str) -> UUID:
        """The document of a note; nobody's, where it went while it was read."""
        file = self.files.get(path)
        return UUID(file.document) if file and file.document else NOWHERE

    # -- the list of files ---------------------------------------------------------------

    async def _take(self, served: dict[str, Listed]) -> None:
        """The list of files is another one."""
        before, self.files = self.files, served
        for path in before.keys() - served.keys():
            self._drop(path, before[path])
        changed = {path: file for path, file in served.items() if before.get(path) != file}
        notes = {path: file for path, file in changed.items() if file.document}
        pace = Pace()
        for path, file in changed.items():
            if not file.document and self.config.is_published(path):
                facts = await self._beginning(path, file) if is_note(path) else None
                self.vault.put(_file(path, file, facts))
                await pace.rest()
        if notes:
            await self._take_notes(notes)

    async def _take_notes(self, notes: dict[str, Listed]) -> None:
        library = self._library
        self._paths.update({UUID(file.document): path for path, file in notes.items()})
        known: dict[UUID, Noted] = {}
        if len(notes) > _FEW:
            known = await library.known(self.site.scope)
        pace = Pace()
        wanted = []
        for path, file in notes.items():
            await pace.rest()
            document = UUID(file.document)
            noted = known.get(document)
            facts = decode(noted)
            if noted is None or facts is None:
                wanted.append(Wanted(document, noted.size if noted else file.size))
            else:
                self._heads[document] = noted.head
                self._put(path, facts)
        for start in range(0, len(wanted), _TOGETHER_MAX):
            await self._read(await library.texts.read(wanted[start : start + _TOGETHER_MAX]))

    async def _beginning(self, path: str, file: Listed) -> Facts:
        """What a Markdown file that is no text document, being too large, says at its beginning."""
        data = await self._library.bytes_of(file, SHOWN_BYTES_MAX, whole=False)
        return await self._library.press.facts(path, data.decode(errors="replace"))

    async def _is_configured(self, served: dict[str, Listed]) -> bool:
        """Whether the configuration is the one that this shelf was made by; a new one has none."""
        file = served.get(CONFIG)
        digest = file.hash if file else ""
        if self._config_hash is not None:
            return digest == self._config_hash
        data = await self._library.bytes_of(file, siteconfig.BYTES_MAX) if file else b""
        self.config, self._config_hash = siteconfig.parse(data), digest
        return True

    def _drop(self, path: str, file: Listed) -> None:
        self.vault.remove(path)
        if file.document and self._paths.get(UUID(file.document)) == path:
            self._paths.pop(UUID(file.document))
            self._heads.pop(UUID(file.document), None)
            self._digests.pop(UUID(file.document), None)

    # -- the texts of notes --------------------------------------------------------------

    async def _news(self) -> None:
        """Read the notes that were edited since the last look."""
        feed, scope = self._library.feed, self.site.scope
        assert self._marker is not None
        edited: set[UUID] = set()
        while True:
            page = await feed.since(scope, self._marker, PAGE_MAX)
            self._marker = max(self._marker, page.marker)
            edited |= {entry.document for entry in page.entries if entry.document in self._paths}
            if not page.has_more:
                break
        if edited:
            stands = await self._library.notes.stand(list(edited))
            stale = [
                Wanted(document, stand.size)
                for document, stand in stands.items()
                if self._heads.get(document) != stand.head
            ]
            await self._read(await self._library.texts.read(stale))

    async def _read(self, found: dict[UUID, Text]) -> None:
        """Take note of what texts say."""
        library = self._library
        kept = []
        pace = Pace()
        for document, (head, text) in found.items():
            path = self._paths.get(document)
            if path is None or head < self._heads.get(document, 0):
                continue
            facts = await library.press.facts(path, text)
            if self._paths.get(document) == path:
                self._heads[document] = head
                self._put(path, facts)
                kept.append((document, head, encode(facts)))
            await pace.rest()
        if kept:
            await library.keep(kept)

    def _put(self, path: str, facts: Facts) -> None:
        if path in self.files and self.config.is_published(path):
            self.vault.put(_file(path, self.files[path], facts))


def _file(path: str, file: Listed, facts: Facts | None) -> File:
    return File(
        path=path,
        digest=file.hash,
        size=file.size,
        modified=_moment(file.changed_at or file.created_at),
        facts=facts,
        width=file.width or None,
        height=file.height or None,
    )


def _moment(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds")
