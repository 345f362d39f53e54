"""The process's memory: what was freed goes back to the system.

glibc keeps freed pages below the top of its heap for ever. After much came and went, many documents
or one large one, a process would seem to need what it only once needed.
"""

from __future__ import annotations

import ctypes


def trim() -> None:
    """Give free pages back; nothing where the C library cannot. A millisecond for 100 MB."""
    if _malloc_trim is not None:
        _malloc_trim(0)


def _found() -> ctypes._NamedFuncPointer | None:
    try:
        found = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # musl, macOS, Windows
        return None
    found.argtypes, found.restype = [ctypes.c_size_t], ctypes.c_int
    return found


_malloc_trim = _found()
