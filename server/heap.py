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

MOVED_MIN: Final = 100
"""Rooms and connections that must have come or gone, and a quarter of those there."""
SETTLED_LOOKS: Final = 8
"""Looks at rest until those who came have said what they came for, and it was read for search."""


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
    """Gives memory back some time after many have come, and after many have gone."""

    def __init__(self, tables: Callable[[], Iterable[dict[Any, Any] | set[Any]]] = tuple) -> None:
        self._tables = tables
        """What grew with the number."""
        self._least = self._most = 0
        """Since memory was given back."""
        self._lately = self._still = 0

    async def look(self, held: int) -> None:
        """Called with their number now and then; acts once it has moved far and rests.

        Who comes leaves pages behind, too, of requests and of documents decoded for a moment: two
        kilobytes a document in use. Who goes leaves tables, cycles and caches as well.
        """
        moved, self._lately = held - self._lately, held
        self._least, self._most = min(self._least, held), max(self._most, held)
        self._still = self._still + 1 if abs(moved) < MOVED_MIN else 0
        far = max(MOVED_MIN, held // 4)
        if moved >= 0 and self._most - held >= far:
            self._least = self._most = held
            for table in self._tables():
                tighten(table)
            gc.collect()
            await asyncio.to_thread(self.give_back)
        elif held - self._least >= far and self._still >= SETTLED_LOOKS:
            self._least = self._most = held
            await asyncio.to_thread(trim)

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
