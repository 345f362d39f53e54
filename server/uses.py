"""When personal tokens were last used: noted in memory, written together once in a while."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable

from server.tasks import Tasks
from storage.access_tokens import AccessTokens
from storage.errors import StorageError

log = logging.getLogger("plait.uses")

_EVERY_S = 60.0
"""A token in constant use is written this often."""
_TOKENS_MAX = 100_000


class Uses:
    """The uses of this process. A request pays a look-up in memory, nothing else."""

    def __init__(self, store: AccessTokens, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock
        self._noted: dict[str, float] = {}
        self._new: dict[str, float] = {}
        self._tasks = Tasks()
        self._is_writing = False
        self._one = asyncio.Lock()

    def note(self, token: str) -> None:
        """A token was used just now."""
        now = self._clock()
        noted = self._noted.get(token)
        if noted is not None and noted <= now < noted + _EVERY_S:
            return
        if len(self._noted) >= _TOKENS_MAX:
            self._noted.clear()
        self._noted[token] = self._new[token] = now
        if not self._is_writing:
            self._is_writing = True
            self._tasks.spawn(self._write(), "write uses of tokens")

    async def flush(self) -> None:
        """Write what is not yet written; raises Unavailable, and keeps it then."""
        async with self._one:
            new, self._new = self._new, {}
            if not new:
                return
            try:
                await self._store.used(new)
            except BaseException:
                self._new = new | self._new
                raise

    async def close(self) -> None:
        """Write the last ones and end; what the database does not take now is lost."""
        await self._tasks.close()
        with contextlib.suppress(StorageError):
            await self.flush()

    async def _write(self) -> None:
        try:
            while self._new:
                await self.flush()
        except StorageError as error:
            log.warning("uses of tokens are not written yet: %s", error)
        finally:
            self._is_writing = False
