"""Datasets: found, made, merged and read, with the moments that clients go by."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from aiohttp import web

from auth.errors import Forbidden
from auth.principal import Kind, Principal, Role
from crdt.ids import RANDOM_BYTES, make_ulid
from server.adapters.ascently import instants, mapping
from server.adapters.ascently.items import COLLECTIONS, Item
from server.documents import DOCUMENTS, Documents
from server.entrance import ENTRANCE, Entry
from server.errors import BodyTooLarge, NotFound
from server.feed import FEED, Feed
from server.identify import IDENTIFY, Identify
from server.looking import change, look
from server.rights import RIGHTS
from server.settings import Settings
from storage.ascently import KIND, Ascently, Dataset
from storage.documents import DocumentRecord
from storage.pool import Pool

_PAGE = 10_000
"""Records of the feed that are asked for at a time."""


def now_ms() -> int:
    """The time in Unix milliseconds."""
    return time.time_ns() // 1_000_000


class Datasets:
    """What the routes ask. Every method may raise Unavailable or Busy."""

    def __init__(
        self,
        settings: Settings,
        documents: Documents,
        feed: Feed,
        identify: Identify,
        pool: Pool,
    ) -> None:
        self.settings = settings
        self._identify = identify
        self.store = Ascently(pool)
        self._documents = documents
        self._feed = feed

    async def whole(self, account: str) -> bytes:
        """The dataset as JSON. Raises NotFound where nothing was ever uploaded."""
        dataset = await self.store.find(account)
        if dataset is None:
            raise NotFound
        found = await look(self._documents, dataset.document, mapping.read_dataset)
        if found is None:
            raise NotFound
        return found

    async def enter(self, account: str, token: str) -> Entry:
        """Let a climber into the document of the own dataset, by an access token."""
        principal = await self._identify.from_token(token)
        if principal.kind is not Kind.ACCESS or principal.account != account:
            raise Forbidden
        return Entry(principal, (await self._dataset(account)).document, Role.OWNER)

    async def judge(self, principal: Principal, document: DocumentRecord) -> Role:
        """What somebody who is in may do now: the owner everything, while the login holds."""
        is_owner = principal.account == document.owner and not principal.is_expired(time.time())
        return Role.OWNER if is_owner and await self._identify.holds(principal) else Role.NONE

    async def replace(self, account: str, items: Sequence[Item], said: Mapping[str, Any]) -> None:
        """Put an upload in the place of all that was there."""
        dataset = await self._dataset(account)
        now = instants.compose(now_ms())
        write = partial(mapping.write_dataset, items=items, said=said, now=now)
        await change(self._documents, dataset.document, write, account)
        await self._feed.settle(dataset.document.scope)
        await self.store.issue(dataset, now_ms())

    async def merge(
        self, account: str, items: Sequence[Item], cursor: int, size: int
    ) -> tuple[str, mapping.Texts]:
        """Take in a delta of `size` bytes; serverTime, and what is news after the cursor (ns)."""
        dataset = await self._dataset(account)
        if items and dataset.size + size > self.settings.ascently_dataset_bytes_max:
            raise BodyTooLarge(self.settings.ascently_dataset_bytes_max)
        document, now = dataset.document, instants.compose(now_ms())
        write = partial(mapping.write_delta, items=items, now=now)
        newer = await change(self._documents, document, write, account)
        await self._feed.settle(document.scope)
        issued = await self.store.issue(dataset, now_ms(), cursor // 1_000_000)
        received = newer + await self._received(dataset, issued.since)
        read = partial(mapping.read_changed, cursor=cursor, received=received)
        return instants.compose(issued.at), await look(self._documents, document, read)

    async def _received(self, dataset: Dataset, since: int | None) -> list[tuple[str, str]]:
        """The records that came later than a stamp."""
        found: list[tuple[str, str]] = []
        document, has_more = dataset.document, since is not None
        while has_more:
            assert since is not None
            page = await self._feed.changes.records_since(
                document.scope, COLLECTIONS, since, _PAGE, document.id
            )
            found += [(one.collection, one.record) for one in page.entries]
            since, has_more = page.marker, page.has_more
        return found

    async def _dataset(self, account: str) -> Dataset:
        """The account's dataset, made where it has none yet."""
        found = await self.store.find(account)
        if found is not None:
            return found
        scope = make_ulid(now_ms(), os.urandom(RANDOM_BYTES))
        return await self.store.make(account, scope, now_ms())


DATASETS = web.AppKey("ascently datasets", Datasets)


def install(app: web.Application, pool: Pool) -> None:
    """Put into an application what the routes look up."""
    documents = app[DOCUMENTS]
    datasets = app[DATASETS] = Datasets(
        documents.settings, documents, app[FEED], app[IDENTIFY], pool
    )
    app[ENTRANCE].doors[KIND] = datasets.enter
    app[RIGHTS].judges[KIND] = datasets.judge
