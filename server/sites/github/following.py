"""A site becomes what a branch of a repository holds: at first, and with each push.

A sync of files like any other, except that the bytes are fetched: what the branch does not hold is
deleted, what was typed in a browser is merged. A newer sync of a site ends the one that runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from server.errors import Busy, NotFound
from server.sites.diffing import Declared
from server.sites.github.client import Entry, GitHubApp, GitHubError
from server.sites.names import is_path
from server.sites.rendering import siteconfig
from server.tasks import Tasks
from storage.errors import StorageError

if TYPE_CHECKING:
    from server.sites.receiving import Receiving
    from storage.sites import GitHub, Site

log = logging.getLogger("plait.github")

CLIENT = "github"
"""Who has the files of a repository, as other clients have theirs."""
CONFIG = "config.json"
CONFIG_BYTES_MAX = 256 * 1024
AT_ONCE_MAX = 4
"""Files of one site that are fetched at the same time."""


class Following:
    """Keeps sites in step with their repositories."""

    def __init__(self, app: GitHubApp, store: GitHub, receiving: Receiving) -> None:
        self.app = app
        self._store = store
        self._receiving = receiving
        self._publishing = receiving.publishing
        self._tasks = Tasks()
        self._running: dict[str, asyncio.Task[None]] = {}

    def begin(self, site: Site, installation: int) -> None:
        """Sync a site in the background; the sync that runs for it, if any, ends."""
        before = self._running.get(site.id)
        if before is not None:
            before.cancel()
        task = asyncio.get_running_loop().create_task(
            self._run(site, installation, before), name=f"follow {site.id}"
        )
        self._running[site.id] = task
        task.add_done_callback(lambda done: self._ended(site.id, done))

    async def close(self) -> None:
        """End what runs; the next push, or its owner, begins it again."""
        for task in list(self._running.values()):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def _ended(self, site: str, task: asyncio.Task[None]) -> None:
        if self._running.get(site) is task:
            del self._running[site]

    async def _run(self, site: Site, installation: int, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        try:
            await self.sync(site, installation)
        except (GitHubError, StorageError, Busy, NotFound) as error:
            log.warning("site %s does not follow its repository: %s", site.id, error)
        except Exception:
            # An outermost task: nobody waits for it.
            log.exception("site %s could not be synced", site.id)

    async def sync(self, site: Site, installation: int) -> None:
        """Make a site's files those of its branch. Raises GitHubError, NotFound."""
        repository, branch = site.gh_repository or "", site.gh_branch or ""
        commit = await self.app.commit(installation, repository, branch)
        if commit is None:
            raise GitHubError("the branch is gone")
        files = _below(await self.app.tree(installation, repository, commit), site.root_dir)
        config = files.get(CONFIG)
        if config is not None and config.size <= CONFIG_BYTES_MAX:
            pieces = [each async for each in self.app.blob(installation, repository, config.sha)]
            said = siteconfig.parse(b"".join(pieces))
            files = {p: e for p, e in files.items() if p == CONFIG or said.is_published(p)}
        most = self._publishing.settings.site_file_bytes_max
        declared = [
            Declared(path=path, size=entry.size, sha=entry.sha)
            for path, entry in files.items()
            if is_path(path) and entry.size <= most
        ][: self._publishing.settings.site_files_max]
        author = site.account or ""
        plan = await self._publishing.compare(site, declared)
        await self._publishing.sync(site, plan, author=author, client=CLIENT)
        gate = asyncio.Semaphore(AT_ONCE_MAX)

        async def fetch(one: Declared) -> None:
            async with gate:
                parts = self.app.blob(installation, repository, one.sha)
                with contextlib.suppress(NotFound):  # It was deleted meanwhile.
                    await self._receiving.receive(
                        site, one.path, one.sha, parts, size=one.size, author=author, client=CLIENT
                    )

        await asyncio.gather(*(fetch(one) for one in [*plan.diff.upload, *plan.diff.update]))


def _below(entries: list[Entry], root: str | None) -> dict[str, Entry]:
    """The files below a folder, by their paths from there."""
    prefix = f"{root.strip('/')}/" if root and root.strip("/") else ""
    return {
        entry.path.removeprefix(prefix): entry for entry in entries if entry.path.startswith(prefix)
    }
