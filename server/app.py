"""The composition root: everything is put together here, started in order, stopped in reverse."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING

from aiohttp import web
from prometheus_client import CollectorRegistry

from auth.errors import BadKeyFile
from crdt.document import Document
from server import openapi, operation, pages
from server.adapter import mount
from server.adapters import ADAPTERS
from server.adapters.heaps.routes import updates
from server.batches import BATCHES, Batches
from server.binding import StartError
from server.blocks import BLOCKS, Blocks
from server.budget import BODIES, Budget
from server.catalogue import CATALOGUE, Catalogue
from server.compacting import Compacting
from server.documents import DOCUMENTS, Documents
from server.door import setup_http
from server.entrance import ENTRANCE, Entrance
from server.feed import FEED, Feed
from server.files import FILES, Files
from server.guard import Guard
from server.health import HEALTH, Health
from server.identity import Identity
from server.inspecting.breaker import Breaker
from server.inspecting.routes import INSPECTING
from server.leaving.routes import LEAVING
from server.media.gallery import GALLERY, Gallery
from server.metrics import METRICS, Metrics, MetricsCollector
from server.nodes import joining
from server.notices import Notices
from server.operating.following import follow_requests
from server.operating.ports import open_ports
from server.operating.probes import PROBES
from server.operating.tracing import Tracing
from server.outbox import Turns
from server.reading import READINGS, Readings
from server.realtime import DOORS, lifecycle
from server.realtime.register import REALTIME, Realtime
from server.recalling import Recalling
from server.scanning.desk import DESK, Desk
from server.session.routes import SESSIONS
from server.sites.catalogue import SITES
from server.sites.catalogue import Catalogue as SiteCatalogue
from server.sites.serving import front
from server.thinning import Thinning
from server.warming import warm
from server.workers import Workers
from storage.blocks import Blocks as BlockStore
from storage.changes import Changes
from storage.closures import Closures
from storage.cluster import EmbeddedError
from storage.documents import Documents as Store
from storage.errors import StorageError, Unavailable
from storage.log import Flusher
from storage.migrate import migrate
from storage.pool import close_pool, open_pool
from storage.postgres import Embedded

if TYPE_CHECKING:
    from server.settings import Settings
    from storage.pool import Pool


class Server:
    """One server from start to stop: `await start()`, read `address`, `await stop()`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.address = ""
        """http://HOST:PORT that is really bound."""
        self.app: web.Application | None = None
        self._stack = AsyncExitStack()

    async def start(self) -> None:
        """Start everything; returns once connections are accepted.

        Raises StartError; whatever was started by then is stopped again.
        """
        try:
            await self._start()
        except (BadKeyFile, EmbeddedError, StorageError, OSError) as error:
            await self._stack.aclose()
            raise StartError(str(error)) from error
        except BaseException:
            await self._stack.aclose()
            raise

    async def stop(self) -> None:
        """No new joins, commits flushed, sockets told 1012, then everything closed in reverse."""
        await self._stack.aclose()

    async def _start(self) -> None:
        settings = self.settings
        stack = self._stack
        dsn = settings.database_url or await self._embedded()
        try:
            pool = await open_pool(
                dsn,
                connections_max=settings.database_connections_max,
                connect_s_max=settings.database_connect_s,
                command_s_max=settings.database_command_s,
            )
        except Unavailable as error:
            where = " (setting database_url)" if settings.database_url else ""
            raise StartError(f"{error}{where}") from error
        stack.push_async_callback(close_pool, pool)
        await migrate(pool)
        store = Store(pool)
        identity = Identity(settings, pool, store)
        realtime = await self._engine(dsn, pool, store, identity)
        app = self.app = self._application(realtime, identity, pool)
        await identity.start()
        stack.push_async_callback(identity.stop)
        if settings.tracing_url:
            tracing = Tracing(settings.tracing_url, realtime.metrics)
            tracing.start()
            stack.push_async_callback(tracing.stop)
        await warm(identity.credentials, identity.grants, store)
        self.address = await open_ports(app, realtime, identity, stack)
        # What was made by now lives as long as the process: no collection has to look at it.
        gc.collect()
        gc.freeze()
        # Reference counts free nearly everything here; the default of 700 allocations made the
        # collector walk every live room several times a second (6 % of the server's time).
        gc.set_threshold(50_000, 20, 100)

    async def _embedded(self) -> str:
        embedded = Embedded(self.settings.data)
        await embedded.start()
        self._stack.push_async_callback(embedded.stop)
        return embedded.dsn

    async def _engine(self, dsn: str, pool: Pool, store: Store, identity: Identity) -> Realtime:
        """Flusher, helpers, rooms: everything between the sockets and the store."""
        settings, stack = self.settings, self._stack
        metrics = Metrics()
        flusher = metrics.flusher = await self._flusher(dsn)
        workers = Workers(
            processes=settings.worker_processes,
            memory_bytes=settings.worker_memory_bytes,
            timeout_s=settings.worker_timeout_s,
            dsn=dsn,
        )
        stack.callback(workers.close)
        turns = Turns(asyncio.get_running_loop())
        Document()  # pycrdt's first one imports for 10 ms: not while somebody waits for it.
        documents = Documents(
            settings=settings,
            bounds=settings.bounds(),
            store=store,
            flusher=flusher,
            workers=workers,
            metrics=metrics,
            turns=turns,
            guard=Guard(identity.rights, settings),
            compact=self._compaction(pool, workers, metrics),
            breaker=Breaker(settings, Closures(pool)),
        )
        await documents.breaker.start()
        stack.push_async_callback(documents.breaker.stop)
        stack.push_async_callback(documents.close)
        await joining.join(documents, dsn, stack)
        return Realtime(
            settings=settings,
            bounds=documents.bounds,
            documents=documents,
            identify=identity.identify,
            rights=identity.rights,
            entrance=Entrance(identity.identify, identity.rights),
            tokens=identity.tokens,
            metrics=metrics,
            turns=turns,
        )

    async def _flusher(self, dsn: str) -> Flusher:
        """The group commit, running."""
        settings = self.settings
        flusher = Flusher(
            dsn,
            compact_rows=settings.compact_rows,
            compact_bytes=settings.compact_bytes,
            rows_max=settings.commit_rows_max,
            bytes_max=settings.commit_bytes_max,
            lock_ms=settings.commit_lock_ms,
            apart_s=settings.commit_apart_s(),
        )
        await flusher.start()
        self._stack.push_async_callback(flusher.close)
        return flusher

    def _compaction(self, pool: Pool, workers: Workers, metrics: Metrics) -> Callable[..., None]:
        """Start compaction and the thinning of history; the answer asks for a compaction."""
        settings = self.settings
        compact = partial(workers.compact, keep_all_s=settings.history_full_s)
        compacting = Compacting(compact, metrics, settings.rooms_max)
        compacting.start()
        self._stack.push_async_callback(compacting.stop)
        thinning = Thinning(pool, workers, settings)
        thinning.start()
        self._stack.push_async_callback(thinning.stop)
        return compacting.ask

    def _application(self, realtime: Realtime, identity: Identity, pool: Pool) -> web.Application:
        """The routes, each behind its declared policy."""
        app = web.Application(client_max_size=0)
        setup_http(app)
        follow_requests(app, logged=self.settings.log_requests)
        identity.install(app)
        health = Health(pool)
        health.failing = lambda: realtime.documents.flusher.failing
        health.slowed = lambda: nodes.failing if (nodes := realtime.documents.nodes) else None
        metrics = realtime.metrics
        lifecycle.show_in(realtime, metrics)
        registry = CollectorRegistry()
        registry.register(MetricsCollector(metrics))
        app[HEALTH] = health
        app[METRICS] = metrics
        app[DOCUMENTS] = realtime.documents
        app[REALTIME] = realtime
        app[ENTRANCE] = realtime.entrance
        app[operation.REGISTRY] = registry
        app[operation.METRICS_TOKEN] = self.settings.metrics_token
        app[pages.NAME] = self.settings.name
        self._sync(app, pool, realtime, identity)
        off = self.settings.adapters_off
        used = [each for each in ADAPTERS if {each.name, each.part_of}.isdisjoint(off)]
        for adapter in [
            *used,
            SESSIONS,
            *DOORS,
            INSPECTING,
            LEAVING,
            PROBES,
            operation.OPERATION,
            openapi.OPENAPI,
            pages.PAGES,
        ]:
            if adapter.install is not None:
                adapter.install(app, pool)
            mount(app, adapter)
            realtime.documents.collections.update(adapter.records)
            realtime.documents.layouts.update(adapter.layouts)
        openapi.setup(app)
        return app

    def _sync(
        self, app: web.Application, pool: Pool, realtime: Realtime, identity: Identity
    ) -> None:
        """What REST needs to work on many blocks at once, and the feed of what changed."""
        documents, store = realtime.documents, BlockStore(pool)
        app[BLOCKS] = Blocks(store, identity.rights)
        app[BATCHES] = Batches(documents, store)
        app[READINGS] = Readings(documents, store)
        app[BODIES] = Budget(self.settings.push_bytes_in_flight_max)
        files = app[FILES] = Files(self.settings, pool, documents)
        files.start()
        self._stack.push_async_callback(files.stop)
        gallery = app[GALLERY] = Gallery(self.settings, pool, files.blobs)
        self._stack.push_async_callback(gallery.close)
        feed = app[FEED] = Feed(Changes(pool), store, documents)
        app[BLOCKS].recalling = Recalling(documents, feed)
        feed.start()
        self._stack.push_async_callback(feed.stop)
        notices = realtime.notices = Notices(
            feed,
            documents,
            rights=identity.rights,
            identify=identity.identify,
            grants=identity.grants,
        )
        notices.start()
        self._stack.push_async_callback(notices.stop)
        catalogue = app[CATALOGUE] = Catalogue(pool, documents, feed, store, identity)
        catalogue.start()
        self._stack.push_async_callback(catalogue.stop)
        app[SITES] = SiteCatalogue(self.settings, pool, documents, files, identity.hosts)
        self._stack.callback(front.install(app, pool, identity))
        desk = app[DESK] = Desk(
            self.settings, documents, store, app[GALLERY], identity.rights, catalogue.workspaces
        )
        updates.setup(app, notices)
        desk.start()
        self._stack.push_async_callback(desk.stop)
