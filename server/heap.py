"""The process's memory: what was freed goes back to the system.

glibc keeps freed pages below the top of its heap for ever. After much came and went, many documents
or one large one, a process would seem to need what it only once needed.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any, Final

GONE_MIN: Final = 100
"""Rooms and connections that must have gone, and a quarter of those left."""


def tighten(table: dict[Any, Any] | set[Any]) -> None:
    """Make a table as small as what is left in it: Python does so only when something is added."""
    kept = table.copy()
    table.clear()
    table.update(kept)


def trim() -> None:
    """Give free pages back; nothing where the C library cannot. A millisecond for 100 MB."""
    if _malloc_trim is not None:
        _malloc_trim(0)


class Tidy:
    """Gives memory back some time after many of what there was have gone."""

    def __init__(self, tables: Callable[[], Iterable[dict[Any, Any] | set[Any]]] = tuple) -> None:
        self._tables = tables
        """What grew with the number."""
        self._most = 0
        self._lately = 0

    async def look(self, held: int) -> None:
        """Called with their number now and then; acts once it has fallen far and falls no more."""
        falls, self._lately = held < self._lately, held
        self._most = max(self._most, held)
        if not falls and self._most - held >= max(GONE_MIN, held // 4):
            self._most = held
            for table in self._tables():
                tighten(table)
            gc.collect()
            await asyncio.to_thread(self.give_back)

    def give_back(self) -> None:
        """See `trim`; not on the event loop, which need not wait for it."""
        for cache in _ADDRESSES:
            cache.cache_clear()
        trim()


def _caches(*modules: str) -> list[Any]:
    """What in these modules remembers its answers; they are another's, and may be gone one day."""
    found: list[Any] = []
    for name in modules:
        with contextlib.suppress(ImportError):
            kept = vars(import_module(name)).values()
            found += [each for each in kept if hasattr(each, "cache_clear")]
    return found


_ADDRESSES: Final = _caches("yarl._parse", "yarl._url")
"""What remembers the last requests' addresses, tokens included: some hundreds of each kind, which
hold the pages that they lie in."""


def _found() -> ctypes._NamedFuncPointer | None:
    try:
        found = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # musl, macOS, Windows
        return None
    found.argtypes, found.restype = [ctypes.c_size_t], ctypes.c_int
    return found


_malloc_trim = _found()
