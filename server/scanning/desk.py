"""Scans and other work on files, put together: what the routes ask."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from aiohttp import web

from server.scanning.describing import Describing
from server.scanning.filling import Filling
from server.scanning.jobs import Jobs
from server.scanning.renewing import Renewing
from server.scanning.scan import Scanner
from server.scanning.watching import Watching
from storage.duties import Duties
from storage.scans import Scans

if TYPE_CHECKING:
    from server.documents import Documents
    from server.media.gallery import Gallery
    from server.rights import Rights
    from server.settings import Settings
    from storage.blocks import Blocks
    from storage.workspaces import Workspaces


class Desk:
    """Everything of `server.scanning` in one process."""

    def __init__(  # noqa: PLR0917 (the composition root's own order)
        self,
        settings: Settings,
        documents: Documents,
        store: Blocks,
        gallery: Gallery,
        rights: Rights,
        workspaces: Workspaces,
    ) -> None:
        pool = gallery.pool
        self.scans = Scans(pool)
        self.gallery = gallery
        self.jobs = Jobs(
            pool,
            at_once=settings.jobs_at_once_max,
            per_account_max=settings.jobs_per_account_max,
            machine=settings.machine_name(),
        )
        self.describing = Describing(gallery, documents)
        duties = Duties(pool, secrets.token_hex(8))
        self.watching = Watching(self.scans, self.jobs, settings.watched_subfolders_max, duties)
        self.listeners_max = settings.job_listeners_max
        filling = Filling(
            pool,
            gallery.blobs,
            documents,
            store,
            file_bytes_max=settings.file_bytes_max,
            quota=settings.account_bytes_max,
        )
        scanner = Scanner(
            self.scans,
            filling,
            rights,
            workspaces,
            files_max=settings.scan_files_max,
            file_bytes_max=settings.file_bytes_max,
        )
        renewing = Renewing(gallery, self.describing)
        self.jobs.kind("scan", scanner)
        self.jobs.kind("reindex", renewing.reindex)
        self.jobs.kind("regenerate", renewing.regenerate)

    def start(self) -> None:
        """Begin to work; what a former process left is gone on with."""
        self.describing.start()
        self.jobs.start()
        self.watching.start()

    async def stop(self) -> None:
        """End."""
        await self.watching.stop()
        await self.jobs.stop()
        await self.describing.stop()


DESK = web.AppKey("scans desk", Desk)
