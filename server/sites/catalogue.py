"""What published sites there are, and what is in them: everything that showing one needs.

    catalogue = request.app[SITES]
    site = await catalogue.named("ada", "my-notes")        or by_domain, anonymous, by_id
    listing = await catalogue.listing(site)                path -> File, kept while nothing changed
    text = await catalogue.text(site, path)                as it is now, live edits included
    blob = catalogue.blob(listing.files[path])             all other bytes: `server.serving.serve`
    address = catalogue.url(site)

`listing.version` moves with every change of the list of files, `site.updated_at` with every change
of the settings. A text that is typed in moves neither: its changes are in the feed of `site.scope`
(`server.feed.Feed.since`), under the path as the document's name; or compare the text itself.
What is not public is for `server.sites.access` to say: nothing here asks who is asking.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import UUID

import msgspec
from aiohttp import web

from crdt import plaintext
from server.errors import NotFound
from server.looking import look
from server.sites.listing import Contents, File, find, read_all
from storage.blobs import Blob
from storage.documents import DocumentRecord
from storage.sites import Site, Sites

if TYPE_CHECKING:
    from server.documents import Documents
    from server.files import Files
    from server.hosts import Hosts
    from server.settings import Settings
    from storage.pool import Pool

LISTINGS_MAX = 256
"""Lists of files kept in memory; the one used longest ago goes first."""


class Listing(msgspec.Struct, frozen=True):
    """The files of a site at one moment."""

    version: bytes
    """Another one after each change."""
    contents: Contents

    @property
    def files(self) -> Mapping[str, File]:
        """By path; also those of which no bytes came yet (`File.is_served`)."""
        return self.contents.files


class Catalogue:
    """The sites of a server. Every method may raise Unavailable, those that read texts Busy."""

    def __init__(
        self, settings: Settings, pool: Pool, documents: Documents, files: Files, hosts: Hosts
    ) -> None:
        self.settings = settings
        self.store = Sites(pool)
        self.documents = documents
        self.blobs = files.blobs
        self._hosts = hosts
        self._listings: OrderedDict[str, Listing] = OrderedDict()

    # -- which site ---------------------------------------------------------------------

    async def by_id(self, site: str) -> Site | None:
        """The site with this id."""
        return await self.store.by_id(site)

    async def named(self, username: str, name: str) -> Site | None:
        """Somebody's site by its name, as addresses have it; case does not matter."""
        return await self.store.named(username, name)

    async def anonymous(self, name: str) -> Site | None:
        """A site that was published without an account and that nobody has claimed."""
        return await self.store.anonymous(name)

    async def by_domain(self, host: str) -> Site | None:
        """The site that a verified domain shows; `host` without a port."""
        return await self.store.by_domain(host.rstrip("."))

    def url(self, site: Site) -> str:
        """Where a site is shown, without a slash at the end."""
        scheme = self._hosts.sites_url.partition("://")[0]
        if site.own_domain is not None:
            return f"{scheme}://{site.own_domain}"
        name = quote(site.name)
        if site.account is None:
            return f"{self._hosts.sites_url}/anon/{name}"
        user = quote(site.username)
        wildcard = self.settings.sites_wildcard_url.rstrip("/")
        if wildcard and site.username:
            return f"{wildcard.replace('*', site.username.lower())}/{name}"
        return f"{self._hosts.sites_url}/@{user}/{name}"

    # -- what is in it ------------------------------------------------------------------

    async def listing(self, site: Site) -> Listing:
        """The files of a site, as committed by now."""

        def read(doc: Any) -> Listing:  # noqa: ANN401 (a document inside `look`)
            version = plaintext.version(doc)
            kept = self._listings.get(site.id)
            if kept is not None and kept.version == version:
                return kept
            return Listing(version, read_all(doc))

        found = await look(self.documents, await self.record(site.document), read)
        self._listings[site.id] = found
        self._listings.move_to_end(site.id)
        if len(self._listings) > LISTINGS_MAX:
            self._listings.popitem(last=False)
        contents = found.contents.as_of(int(time.time() * 1000))
        return found if contents is found.contents else Listing(found.version, contents)

    async def file(self, site: Site, path: str) -> File | None:
        """One file of a site; costs the same however many there are."""
        record = await self.record(site.document)
        found = await look(self.documents, record, lambda doc: find(doc, path))
        return None if found is None else found.as_of(int(time.time() * 1000))

    async def text(self, site: Site, path: str) -> str:
        """The text of a Markdown file as it is now, committed live edits included.

        Raises NotFound where the site has no such text.
        """
        file = await self.file(site, path)
        if file is None or not file.document:
            raise NotFound
        return await self.text_of(file)

    async def text_of(self, file: File) -> str:
        """The same of a file that was just looked up; it must have a document."""
        return await look(self.documents, await self.record(UUID(file.document)), plaintext.read)

    async def record(self, document: UUID) -> DocumentRecord:
        """A document of a site. Raises NotFound where it was deleted."""
        live = self.documents.peek(document)
        found = await self.documents.store.by_id(document) if live is None else live.record
        if found is None or found.deleted:
            raise NotFound
        return found

    def blob(self, file: File) -> Blob:
        """The bytes that came last for a file; of a Markdown file its text may be newer."""
        assert file.is_served
        return Blob(bytes.fromhex(file.hash), file.size)


SITES = web.AppKey("sites", Catalogue)
