"""How a site changes: made, synced with a folder, files added and taken away, removed.

A sync compares a manifest with the list and answers what is to be uploaded, with a URL for each;
the bytes come later, each on its own (`server.sites.receiving`). What the manifest does not name is
deleted at once. Nothing counts as known to the server before its bytes came.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import UUID

import msgspec
from aiohttp import web

from auth.links import Links
from crdt.ids import make_ulid
from server.looking import change
from server.sites import diffing, listing
from server.sites.catalogue import Catalogue
from server.sites.diffing import Declared, Diff
from server.sites.listing import SUCCESS, UPLOADING, File
from storage.sites import Bases, NewSite, Site

if TYPE_CHECKING:
    from server.catalogue import Catalogue as Blocks
    from server.hosts import Hosts
    from server.identity import Identity

USE = "site"
"""The kind of use of a blob by a file of a site; the holder is SITE/PATH."""
AT_ONCE_MAX = 16
"""Documents that one request reads or removes at the same time."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where the bytes of a file are to be sent."""

    path: str
    url: str
    """Empty in a dry run."""
    id: str
    """Of the file; empty in a dry run."""


class Synced(msgspec.Struct, frozen=True, kw_only=True):
    """What a sync came to."""

    upload: list[Target]
    update: list[Target]
    deleted: list[str]
    unchanged: list[str]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a sync would do."""

    diff: Diff
    stale: list[str]
    """Unchanged files of which an upload is expected, and is not any more."""

    def told(self) -> Synced:
        """The same for whoever only asks."""
        found = self.diff
        return Synced(
            upload=[Target(path=one.path, url="", id="") for one in found.upload],
            update=[Target(path=one.path, url="", id="") for one in found.update],
            deleted=found.deleted,
            unchanged=found.unchanged,
        )


class Publishing:
    """Changes sites. Methods may raise Unavailable and Busy."""

    def __init__(
        self,
        catalogue: Catalogue,
        blocks: Blocks,
        identity: Identity,
        hosts: Hosts,
        bases: Bases,
    ) -> None:
        self.catalogue = catalogue
        self.settings = catalogue.settings
        self.store = catalogue.store
        self.bases = bases
        self.links = Links(identity.keyring.signing, "site-upload")
        self._blocks = blocks
        self._identity = identity
        self._hosts = hosts

    # -- sites --------------------------------------------------------------------------

    async def create(self, account: str | None, name: str, **more: Any) -> Site | None:  # noqa: ANN401
        """Make a site; None where the account has one of that name."""
        now_ms = int(time.time() * 1000)
        new = NewSite(
            id=f"site_{_ulid(now_ms).lower()}",
            scope=_ulid(now_ms),
            account=account,
            name=name,
            domain_token=secrets.token_hex(16),
            **more,
        )
        return await self.store.add(new)

    async def remove(self, site: Site) -> int:
        """Delete a site for good; how many files it had. What is left goes in the background."""
        files = (await self.catalogue.listing(site)).files
        await self.store.remove(site.id)
        await self._identity.take_in()
        documents = [UUID(file.document) for file in files.values() if file.document]
        for document in [site.document, *documents]:
            self.catalogue.documents.end(document, "deleted")
        return len(files)

    # -- files --------------------------------------------------------------------------

    async def compare(self, site: Site, declared: Sequence[Declared]) -> Plan:
        """What a sync with a manifest would do."""
        known = (await self.catalogue.listing(site)).files
        found = diffing.diff(known, declared, await self._typed(site, known, declared))
        stale = [path for path in found.unchanged if known[path].status == UPLOADING]
        return Plan(diff=found, stale=stale)

    async def sync(self, site: Site, plan: Plan, *, author: str, client: str = "") -> Synced:
        """Do it: say where to bring what, and take away what is gone.

        `client` is who has the files, so that what it brings is compared with what it had.
        """
        found = plan.diff
        wanted = [*found.upload, *found.update]
        if not (wanted or plan.stale or found.deleted):
            return plan.told()
        ids, gone = await self._expect(site, wanted, plan.stale, found.deleted, author)
        await self._clear(site, gone)
        kept = (await self.catalogue.listing(site)).contents
        await self.store.counted(site.id, len(kept.files), kept.size)
        return Synced(
            upload=[self._target(site, one, ids, client) for one in found.upload],
            update=[self._target(site, one, ids, client) for one in found.update],
            deleted=found.deleted,
            unchanged=found.unchanged,
        )

    async def expect(
        self, site: Site, declared: Sequence[Declared], author: str, client: str = ""
    ) -> list[Target]:
        """Wait for bytes of some files, whatever the site has; the others stay."""
        before = (await self.catalogue.listing(site)).files
        ids, _ = await self._expect(site, declared, [], [], author)
        new = [one for one in declared if one.path not in before]
        await self.store.grew(site.id, len(new), sum(one.size for one in new))
        return [self._target(site, one, ids, client) for one in declared]

    async def delete(self, site: Site, paths: Iterable[str], author: str) -> set[str]:
        """Take files away; those of the paths that were there."""
        _, gone = await self._expect(site, [], [], paths, author)
        if gone:
            await self._clear(site, gone)
            size = sum(file.size for file in gone.values())
            await self.store.grew(site.id, -len(gone), -size)
        return set(gone)

    async def _typed(
        self, site: Site, known: Mapping[str, File], declared: Sequence[Declared]
    ) -> dict[str, set[str]]:
        """The hashes of those texts that are not what came last, because somebody typed."""
        if not any(file.document for file in known.values()):
            return {}
        heads = await self.store.heads(site)
        moved = {
            one.path: file
            for one in declared
            if (file := known.get(one.path)) is not None
            and file.document
            and (not file.head or heads.get(file.document, 0) > file.head)
        }
        gate = asyncio.Semaphore(AT_ONCE_MAX)

        async def read(path: str, file: File) -> tuple[str, set[str]]:
            async with gate:
                return path, diffing.of_text(await self.catalogue.text_of(file))

        texts = await asyncio.gather(*(read(*item) for item in moved.items()))
        return {path: hashes for path, hashes in texts if known[path].hash not in hashes}

    async def _expect(
        self,
        site: Site,
        declared: Sequence[Declared],
        stale: Iterable[str],
        gone: Iterable[str],
        author: str,
    ) -> tuple[dict[str, str], dict[str, File]]:
        """Note which uploads are expected, which are not any more, and what is gone.

        The ids of the files that are expected, and the files that were there and are gone.
        """
        now_ms = int(time.time() * 1000)
        until = now_ms + self.settings.site_upload_s * 1000

        def write(doc: Any) -> tuple[dict[str, str], dict[str, File]]:  # noqa: ANN401
            files = {}
            for number, one in enumerate(declared):
                file = listing.find(doc, one.path)
                if file is None:
                    # So that those of one manifest are listed in its order.
                    at = now_ms + number
                    file = File(id=_ulid(at), status=UPLOADING, created_at=at)
                if not file.hash:
                    file = msgspec.structs.replace(file, size=one.size)
                files[one.path] = msgspec.structs.replace(file, status=UPLOADING, until=until)
            for path in stale:
                file = listing.find(doc, path)
                if file is not None and file.hash:
                    files[path] = msgspec.structs.replace(file, status=SUCCESS, until=0)
            removed = {}
            for path in gone:
                file = listing.find(doc, path)
                if file is not None:
                    removed[path] = file
            if files or removed:
                listing.write(doc, files, removed)
            return {path: file.id for path, file in files.items()}, removed

        record = await self.catalogue.record(site.document)
        return await change(self.catalogue.documents, record, write, author)

    async def _clear(self, site: Site, gone: dict[str, File]) -> None:
        """Remove the texts and let go of the bytes of files that are in the list no more."""
        gate = asyncio.Semaphore(AT_ONCE_MAX)

        async def clear(path: str, file: File) -> None:
            async with gate:
                if file.document:
                    await self._blocks.close(UUID(file.document))
                    await self.bases.drop(site.id, path)
                await self.catalogue.blobs.release(USE, f"{site.id}/{path}")

        await asyncio.gather(*(clear(*item) for item in gone.items()))

    def _target(self, site: Site, one: Declared, ids: dict[str, str], client: str) -> Target:
        claims: dict[str, str | int | bool | None] = {
            "site": site.id, "path": one.path, "sha": one.sha, "client": client
        }  # fmt: skip
        lifetime_s = self.settings.site_upload_s
        signature = self.links.mint(claims, now=time.time(), lifetime_s=lifetime_s)
        path = quote(one.path)
        url = f"{self._hosts.public_url}/api/sites/id/{site.id}/upload/{path}?signature={signature}"
        return Target(path=one.path, url=url, id=ids[one.path])


def _ulid(now_ms: int) -> str:
    return make_ulid(now_ms, secrets.token_bytes(10))


PUBLISHING = web.AppKey("publishing", Publishing)
