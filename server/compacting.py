"""Compaction in the background: one document at a time, each document queued at most once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final
from uuid import UUID

from server.errors import Busy
from server.metrics import Metrics
from server.operating import spans
from storage.errors import StorageError

if TYPE_CHECKING:
    from storage.compaction import Compacted

log = logging.getLogger("plait.compaction")

FINISH_S: Final = 2.0
"""How long the end of the server waits for the compaction under way."""


class Compacting:
    """A queue of documents whose log is long, and the one task that works it off."""

    def __init__(
        self,
        compact: Callable[[UUID], Awaitable[Compacted | None]],
        metrics: Metrics,
        waiting_max: int,
    ) -> None:
        self._compact = compact
        self._metrics = metrics
        self._waiting: dict[UUID, None] = {}
        self._waiting_max = waiting_max
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._at_rest = asyncio.Event()
        self._at_rest.set()
        self._is_ending = False
        self._under_way: UUID | None = None
        self._again = False
        """Somebody who will not ask once more did so for the document under way."""

    def ask(self, document: UUID, *, is_last: bool = False) -> None:
        """This document's log is long enough; every later commit asks again until it is done.

        `is_last`: no commit will. Then it is not enough that it is being compacted at this moment.
        """
        if document == self._under_way:
            self._again |= is_last
        elif len(self._waiting) < self._waiting_max:
            self._waiting[document] = None
            self._wake.set()

    def start(self) -> None:
        """Begin to work."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="compaction")

    async def stop(self) -> None:
        """End, with the compaction under way if that is soon: the next start then reads a snapshot.

        One that is cut off leaves the old state.
        """
        self._is_ending = True
        if self._task is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FINISH_S):
                    await self._at_rest.wait()
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting and not self._is_ending:
                self._at_rest.clear()
                self._under_way = document = next(iter(self._waiting))
                self._again, is_whole = False, True
                try:
                    with spans.span("compact", document=str(document)):
                        done = await self._compact(document)
                    is_whole = done is None or done.is_whole
                    self._metrics.compactions += 1
                except (StorageError, Busy) as error:
                    log.warning("document %s is compacted later: %s", document, error)
                    await asyncio.sleep(1)
                except Exception:
                    # An outermost loop: one document must not end compaction for all.
                    log.exception("document %s cannot be compacted", document)
                finally:
                    self._at_rest.set()
                    self._waiting.pop(document, None)
                    self._under_way = None
                    if self._again or not is_whole:
                        self.ask(document)  # Others that wait come before its next piece.
