"""Notes rendered in helper processes, each text once, and kept while there is room.

A note may be written to be slow. A helper that takes too long is killed and its note shown as text;
one site renders one note at a time, so that it cannot keep all helpers from the others.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from hashlib import blake2b
from typing import TypeVar

from server.errors import Busy
from server.settings import Settings
from server.sites.rendering import note as notes
from server.sites.rendering.facts import Facts, examine
from server.sites.rendering.note import Note
from server.sites.serving.hurrying import hurried
from server.workers import WorkerDied, Workers

log = logging.getLogger("plait.sites")

_T = TypeVar("_T")
_NOTE_OVERHEAD_BYTES = 2000
_START_S = 30.0
"""Seconds that the start of a helper may take on a machine that has much to do."""
_FAILED_S = 60.0
"""Seconds after which a note is tried again over which a helper died."""
_FAILED_MAX = 1000
_HERE_LETTERS_MAX = 8000
"""Letters of a text whose facts are read on the event loop, in a few tenths of a millisecond."""


def digest_of(text: str) -> bytes:
    """What a text is known by."""
    return blake2b(text.encode(), digest_size=16).digest()


class Press:
    """Renders notes."""

    def __init__(self, settings: Settings) -> None:
        self.workers = Workers(
            processes=settings.sites_render_processes,
            memory_bytes=settings.sites_render_memory_bytes,
            timeout_s=settings.sites_render_s * 3 + _START_S,
        )
        self._most_s = settings.sites_render_s
        self._letters_max = settings.sites_note_bytes_max
        self._bytes_max = settings.sites_cache_bytes // 2
        self._waiting_max = settings.sites_renders_waiting_max
        self._notes: OrderedDict[tuple[str, bytes], tuple[Note | None, int]] = OrderedDict()
        self._size = 0
        self._failed: OrderedDict[tuple[str, bytes], float] = OrderedDict()
        self._coming: dict[tuple[str, bytes], asyncio.Task[Note | None]] = {}
        self._turns: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.renders = 0
        """How many notes were rendered."""

    def known(self, path: str, digest: bytes) -> tuple[Note | None] | None:
        """What a text became, in a tuple; None where it was not rendered yet."""
        found = self._notes.get((path, digest))
        if found is None:
            is_failed = time.monotonic() < self._failed.get((path, digest), 0)
            return (None,) if is_failed else None
        self._notes.move_to_end((path, digest))
        return (found[0],)

    async def note(self, site: str, path: str, text: str) -> Note | None:
        """A text as a note; None where that takes too much. Raises Busy."""
        key = (path, digest_of(text))
        found = self.known(*key)
        if found is not None:
            return found[0]
        task = self._coming.get(key)
        if task is None:
            if len(self._coming) >= self._waiting_max:
                raise Busy("too many pages are being made")
            task = asyncio.get_running_loop().create_task(self._render(site, key, text))
            self._coming[key] = task
            task.add_done_callback(lambda done: self._done(key, done))
        return await asyncio.shield(task)  # One reader that leaves must not fail the others.

    async def facts(self, path: str, text: str) -> Facts:
        """What the rest of a site needs to know of a note."""
        if len(text) <= _HERE_LETTERS_MAX:
            return examine(path, text)
        if len(text) > self._letters_max:
            return Facts()
        try:
            found = await self._helped(examine, path, text, waits=False)
        except WorkerDied as error:
            log.warning("the note %s cannot be read: %s", path, error)
            return Facts()
        return found or Facts()

    def close(self) -> None:
        """End the helpers."""
        for task in self._coming.values():
            task.cancel()
        self.workers.close()

    async def _render(self, site: str, key: tuple[str, bytes], text: str) -> Note | None:
        if len(text) > self._letters_max:
            found = None
        else:
            async with self._turns[site]:
                self.renders += 1
                try:
                    found = await self._helped(notes.render, key[0], text)
                except WorkerDied as error:
                    self._fail(key, error)
                    return None
        self._keep(key, found)
        return found

    def _fail(self, key: tuple[str, bytes], error: WorkerDied) -> None:
        """A helper died: perhaps over this note, perhaps for want of time or memory."""
        log.warning("the note %s cannot be rendered now: %s", key[0], error)
        self._failed[key] = time.monotonic() + _FAILED_S
        if len(self._failed) > _FAILED_MAX:
            self._failed.popitem(last=False)

    async def _helped(
        self, function: Callable[[str, str], _T], path: str, text: str, *, waits: bool = True
    ) -> _T | None:
        """What a helper makes of a text; None where it takes too much. Raises WorkerDied, Busy."""
        run = self.workers.run if waits else self.workers.in_background
        try:
            found: _T | None = await run(hurried, function, path, text, self._most_s)
        except Busy:
            raise
        except Exception:
            # A fault in one of the parsers concerns this note alone; the log has to say so.
            log.exception("the note %s cannot be read", path)
            return None
        if found is None:
            log.warning("the note %s is too intricate", path)
        return found

    def _keep(self, key: tuple[str, bytes], note: Note | None) -> None:
        size = _NOTE_OVERHEAD_BYTES + (len(note.html) + 200 * len(note.links) if note else 0)
        self._notes[key] = (note, size)
        self._size += size
        while self._size > self._bytes_max and len(self._notes) > 1:
            self._size -= self._notes.popitem(last=False)[1][1]

    def _done(self, key: tuple[str, bytes], task: asyncio.Task[Note | None]) -> None:
        self._coming.pop(key, None)
        if not self._coming:
            self._turns.clear()  # Nobody holds or waits for one.
        if not task.cancelled():
            task.exception()  # Whoever waited has seen it.
