"""The bytes of a file of a site, on their way in: hashed, kept, merged, and looked at.

They are streamed to the blob store whatever that is. Of a Markdown file what differs from the bytes
that came before is merged into its text. Only then does the list say that the file is here.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import OrderedDict, defaultdict
from collections.abc import AsyncIterable, AsyncIterator
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
from aiohttp import web

from crdt import plaintext
from server.errors import NotFound
from server.looking import change, look
from server.media.work import Refused
from server.sites import diffing, listing
from server.sites.diffing import Digests
from server.sites.listing import ERROR, SUCCESS, File
from server.sites.publishing import USE, Publishing
from server.sites.rendering.facts import examine
from storage.blobs import Blob, Use
from storage.errors import UnknownBlob

if TYPE_CHECKING:
    from server.media.gallery import Gallery
    from storage.documents import DocumentRecord
    from storage.sites import Site

TOUCH_S = 1.0
"""Seconds for which a site that changed counts as changed just now."""
_TOUCHED_MAX = 1000
MISMATCH = "content hash mismatch"
TOO_LARGE = "File too large"
_ALWAYS_READ = frozenset({"png", "jpg", "jpeg", "gif", "webp"})
"""Images of which the size is known unless they are broken."""
_IMAGES = _ALWAYS_READ | {"avif", "heic", "svg"}
_UNREADABLE = {"status": ERROR, "error": "the image cannot be read"}


class Receiving:
    """Takes uploads. Methods may raise Unavailable, StoreUnavailable and Busy."""

    def __init__(self, publishing: Publishing, gallery: Gallery) -> None:
        self.publishing = publishing
        self._catalogue = publishing.catalogue
        self._documents = publishing.catalogue.documents
        self._settings = publishing.settings
        self._gallery = gallery
        self._touched: OrderedDict[str, float] = OrderedDict()
        """When sites were last said to have changed."""
        self._locks: defaultdict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)

    async def receive(
        self,
        site: Site,
        path: str,
        sha: str,
        parts: AsyncIterable[bytes],
        *,
        size: int | None,
        author: str,
        client: str = "",
    ) -> File | None:
        """Take the bytes of a file that is expected; the file as it is then.

        `sha` is what the `client` called them, `size` what it says of their number. None where the
        file says of itself that it is not to be published. Raises NotFound where the list has no
        such file (any more), TooLarge, QuotaExceeded.
        """
        digests = Digests(size)
        tail = bytearray() if listing.is_markdown(path) else None
        blob = await self._catalogue.blobs.receive(
            self._watched(parts, digests, tail), bytes_max=self._settings.site_file_bytes_max
        )
        hashes = (blob.hash, digests.sha1, await self._git_of(blob, digests))
        key = (site.id, path)
        async with self._locks[key]:
            try:
                return await self._keep(site, path, sha, blob, hashes, tail, author, client)
            finally:
                if not self._locks[key]._waiters:  # noqa: SLF001 (nobody else waits for it)
                    self._locks.pop(key, None)

    async def _watched(
        self, parts: AsyncIterable[bytes], digests: Digests, tail: bytearray | None
    ) -> AsyncIterator[bytes]:
        """The same bytes; hashed, and of a text kept as far as it is processed."""
        async for part in parts:
            digests.update(part)
            if tail is not None and len(tail) <= self._settings.site_markdown_bytes_max:
                tail += part
            yield part

    async def _git_of(self, blob: Blob, digests: Digests) -> str:
        """Git's name of the bytes, read again where their number was not known before."""
        if digests.git:
            return digests.git
        again = Digests(blob.size)
        async for piece in self._catalogue.blobs.read(blob):
            again.update(piece)
        return again.git

    async def _keep(  # noqa: PLR0917
        self,
        site: Site,
        path: str,
        sha: str,
        blob: Blob,
        hashes: tuple[str, str, str],
        tail: bytearray | None,
        author: str,
        client: str,
    ) -> File | None:
        before = await self._catalogue.file(site, path)
        if before is None:
            raise NotFound
        if diffing.contradicts(sha, hashes):
            return await self._note(site, path, author, status=ERROR, error=MISMATCH, until=0)
        holder = f"{site.id}/{path}"
        use = Use(kind=USE, holder=holder, account=site.account)
        await self._catalogue.blobs.use(blob.digest, use, self._settings.account_bytes_max)
        values: dict[str, Any] = {"status": SUCCESS, "error": ""}
        if tail is not None:
            values |= await self._merge(site, path, before, bytes(tail), author, client)
        elif listing.extension(path) in _IMAGES:
            values |= await self._measure(blob, path)
        if values.pop("hidden", False):
            await self.publishing.delete(site, [path], author)
            return None
        now_ms = int(time.time() * 1000)
        values |= {
            "sha": sha,
            "client": client,
            "size": blob.size,
            "until": 0,
            "changed_at": now_ms,
        }
        values |= zip(("hash", "sha1", "git"), hashes, strict=True)
        if before.document and before.client != client:
            # From now on the list says what this one had; what the other had is kept apart.
            old = bytes.fromhex(before.hash)
            await self.publishing.bases.put(site.id, path, before.client, old)
        noted = await self._note(site, path, author, **values)
        if before.hash and before.hash != blob.hash:
            await self._catalogue.blobs.release(USE, holder, bytes.fromhex(before.hash))
        await self._grew(site, blob.size - before.size)
        return noted

    async def _grew(self, site: Site, size: int) -> None:
        """Its files have so many more bytes; of those as large as declared it is told at times."""
        now = time.monotonic()
        if size or now - self._touched.get(site.id, 0.0) > TOUCH_S:
            self._touched[site.id] = now
            self._touched.move_to_end(site.id)
            if len(self._touched) > _TOUCHED_MAX:
                self._touched.popitem(last=False)
            await self._catalogue.store.grew(site.id, 0, size)

    async def _note(self, site: Site, path: str, author: str, **values: Any) -> File:  # noqa: ANN401
        """Write into the list what is known of a file. Raises NotFound where it is gone."""

        def write(doc: Any) -> File | None:  # noqa: ANN401 (a document inside `edit`)
            file = listing.find(doc, path)
            if file is None:
                return None
            file = msgspec.structs.replace(file, **values)
            listing.write(doc, {path: file})
            return file

        record = await self._catalogue.record(site.document)
        noted = await change(self._documents, record, write, author)
        if noted is None:
            raise NotFound
        return noted

    # -- what is in it ------------------------------------------------------------------

    async def _merge(  # noqa: PLR0917
        self, site: Site, path: str, before: File, data: bytes, author: str, client: str
    ) -> dict[str, Any]:
        """Merge a Markdown file into its text, and look at what it says of itself."""
        if len(data) > self._settings.site_markdown_bytes_max:
            return {"status": ERROR, "error": TOO_LARGE}
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            return {"status": ERROR, "error": f"not UTF-8 at byte {error.start}"}
        facts = examine(path, text)
        if not facts.front.publish and not facts.error:
            return {"hidden": True}
        record, base = await self._text_of(site, path, before, author, client)

        def write(doc: Any) -> None:  # noqa: ANN401 (a document inside `edit`)
            known = plaintext.read(doc) if base is None else base
            plaintext.merge(known, text)(doc)

        await change(self._documents, record, write, author)
        live = self._documents.peek(record.id)
        head = 0 if live is None else live.head
        if await look(self._documents, record, plaintext.read) != text:
            # Somebody typed: this client has not what is shown, and a next sync must tell it so.
            head = 0
        found: dict[str, Any] = {"document": str(record.id), "head": head}
        return found | ({"status": ERROR, "error": facts.error} if facts.error else {})

    async def _text_of(
        self, site: Site, path: str, before: File, author: str, client: str
    ) -> tuple[DocumentRecord, str | None]:
        """The text document of a file, and the text that the client had; None: whatever it holds.

        Who has brought nothing yet is taken to have had what came last.
        """
        store = self._documents.store
        if before.document:
            record = await self._catalogue.record(UUID(before.document))
            most = self._settings.site_markdown_bytes_max
            had = bytes.fromhex(before.hash)
            if client != before.client:
                had = await self.publishing.bases.find(site.id, path, client) or had
            with contextlib.suppress(UnknownBlob):
                old = await self._catalogue.blobs.whole(had, most)
                return record, old.decode("utf-8", "replace")
            return record, None
        record = await store.create(site.scope, path, author or None)
        if record.deleted:
            # A crash came between the two halves of a deletion.
            await store.purge(record.id)
            record = await store.create(site.scope, path, author or None)
        return record, None

    async def _measure(self, blob: Blob, path: str) -> dict[str, Any]:
        """Width and height of an image."""
        try:
            facts = await self._gallery.facts(blob, path.rpartition("/")[2])
        except Refused as refused:
            return _UNREADABLE if refused.refused == "broken" else {}
        if not facts.width and listing.extension(path) in _ALWAYS_READ:
            return _UNREADABLE
        return {"width": facts.width or 0, "height": facts.height or 0}


RECEIVING = web.AppKey("receiving", Receiving)
