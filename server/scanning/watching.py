"""Folders kept in step: a change in one starts a scan of it.

The system tells of changes in each folder of the tree that a walk finds, and of no other: a link to
somewhere else is never followed. What happens while nobody watches is found by the scan with which
watching begins. Whatever is told only starts a scan; the scan looks for itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

import watchfiles

from auth.errors import Forbidden
from server.errors import ApiError, RequestError
from server.scanning import rooted
from server.scanning.walking import Walk
from storage.errors import StorageError
from storage.scans import Scans, WatchedFolder

if TYPE_CHECKING:
    from server.scanning.jobs import Jobs
    from storage.duties import Duties

log = logging.getLogger("plait.scans")

LOOK_S = 2.0
"""Seconds between two looks for folders that are to be watched, or no more."""
_AGAIN_S = 15.0
"""Seconds until a folder that could not be watched is tried again."""
_SLOW_S = 60.0
_SETTLE_MS = 400
"""Changes within this time of one another start one scan."""
_POLL_S = 0.2


class Watching:
    """The folders that this process watches: of the processes of a machine one does."""

    def __init__(self, scans: Scans, jobs: Jobs, subfolders_max: int, duties: Duties) -> None:
        self._scans = scans
        self._duties = duties
        self._jobs = jobs
        self._subfolders_max = subfolders_max
        self._watchers: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="watch folders")

    async def stop(self) -> None:
        """End."""
        tasks = [*self._watchers.values(), *([self._task] if self._task else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(StorageError):
            await self._duties.leave()

    async def _run(self) -> None:
        while True:
            try:
                await self._look()
            except StorageError as error:
                log.warning("watched folders are looked for later: %s", error)
            except Exception:
                # An outermost loop: one look that failed must not end it.
                log.exception("watched folders could not be looked for")
            await asyncio.sleep(LOOK_S)

    async def _look(self) -> None:
        wanted = {
            (one.scope, one.path): one
            for one in await self._scans.watched()
            if one.machine in {None, self._jobs.machine}
        }
        if wanted and not await self._duties.take(f"watch {self._jobs.machine}", 4 * LOOK_S):
            wanted = {}  # Another process of this machine does.
        for key in [key for key in self._watchers if key not in wanted]:
            task = self._watchers.pop(key)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        for key, folder in wanted.items():
            if key not in self._watchers or self._watchers[key].done():
                work = self._keep(folder)
                self._watchers[key] = asyncio.get_running_loop().create_task(work)

    async def _keep(self, folder: WatchedFolder) -> None:
        """Watch one folder until it is no more to be watched."""
        while True:
            try:
                await self._watch(folder)
            except (OSError, StorageError, Forbidden, RequestError) as error:
                log.info("a folder is watched later: %s", error)
            except Exception:
                log.exception("a folder could not be watched")
            await asyncio.sleep(_AGAIN_S)

    async def _watch(self, folder: WatchedFolder) -> None:
        """Scan, and scan again after every change; begins anew when folders came or went."""
        while True:
            folders = await self._folders(folder)
            if len(folders) > self._subfolders_max:
                await self._scan(folder)
                await asyncio.sleep(_SLOW_S)
                continue
            told = watchfiles.awatch(
                *folders,
                watch_filter=None,
                recursive=False,
                debounce=4 * _SETTLE_MS,
                step=_SETTLE_MS,
                ignore_permission_denied=True,
            )
            # What came between the walk and the watch is found by this scan.
            begun = asyncio.ensure_future(anext(told, None))
            try:
                await asyncio.sleep(0)
                await self._scan(folder)
                await begun
            finally:
                begun.cancel()
                with contextlib.suppress(asyncio.CancelledError, StopAsyncIteration):
                    await begun
                await told.aclose()

    async def _folders(self, folder: WatchedFolder) -> list[str]:
        root = await self._scans.root(folder.account)
        if root is None:
            raise Forbidden("outside_root")

        def walk() -> list[str]:
            path = rooted.resolve(root, folder.path)
            walked = Walk(root, path)
            for _ in walked.batches():
                if len(walked.folders) > self._subfolders_max:
                    break
            return walked.folders

        return await asyncio.to_thread(walk)

    async def _scan(self, folder: WatchedFolder) -> None:
        """Have the folder scanned by a scan that begins now, and wait for its end."""
        root = await self._scans.root(folder.account)
        while True:
            try:
                shown = rooted.below(folder.path, root)
                job, is_new = await self._jobs.ask(
                    "scan", folder.account, folder.scope, folder.path, is_here=True, shown=shown
                )
            except ApiError:
                await asyncio.sleep(_POLL_S)
                continue
            await self._jobs.ended(job.id)
            if is_new:
                return
