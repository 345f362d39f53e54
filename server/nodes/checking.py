"""Compares the documents that are open here with the log, when the bus may have missed something.

While the bus is away that is once a second, so that others' edits still come, only later.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from storage.errors import StorageError

if TYPE_CHECKING:
    from server.nodes.exchange import Nodes

log = logging.getLogger("plait.nodes")

DOCUMENTS_MAX = 2000
"""Documents that one question asks for."""


class Checking:
    """One look at a time, whoever asks for it."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self._asked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.looks = 0

    def start(self) -> None:
        """Begin to listen to who asks."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="compare with log")

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def ask(self) -> None:
        """Look soon: something may have been missed."""
        self._asked.set()

    async def _run(self) -> None:
        poll_s = self._nodes.documents.settings.bus_poll_s
        while True:
            if self._nodes.bus.is_up:
                await self._asked.wait()
            else:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(poll_s):
                        await self._asked.wait()
            self._asked.clear()
            try:
                await self.look()
            except StorageError as error:
                log.warning("open documents are compared with the log later: %s", error)
                self._asked.set()
                await asyncio.sleep(poll_s)
            except Exception:
                # An outermost loop: the next look must come whatever this one met.
                log.exception("open documents were not compared with the log")
                self._asked.set()
                await asyncio.sleep(poll_s)
            await asyncio.sleep(poll_s / 10)

    async def look(self) -> None:
        """Read the heads of all open documents; those that are behind catch up. StorageError."""
        self.looks += 1
        documents = self._nodes.documents
        rooms = {live.record.id: live for live in documents.rooms()}
        names = list(rooms)
        for start in range(0, len(names), DOCUMENTS_MAX):
            found = await documents.store.heads(names[start : start + DOCUMENTS_MAX])
            for document, (head, lineage, deleted) in found.items():
                live = rooms[document]
                if not documents.is_current(live):
                    continue
                if deleted or lineage != live.record.lineage:
                    documents.give_up(live, "deleted" if deleted else "lineage")
                elif head > live.head and live.following is not None:
                    live.following.catch_up(head)
