"""What was freed goes back to the system."""

import subprocess
import sys
from pathlib import Path

import pytest

from server import heap
from server.heap import Tidy, tighten

GROWN_AND_TRIMMED = """
import ctypes, os
from pathlib import Path
from server import heap

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
pieces = [libc.malloc(64 << 10) for _ in range(1000)]
for piece in pieces:
    libc.memset(piece, 1, 64 << 10)
for piece in pieces[:-1]:  # What is left at the top keeps glibc from giving back the rest.
    libc.free(piece)
before = resident()
heap.trim()
print(before - resident())
"""


def test_a_heap_full_of_holes_goes_back() -> None:
    """64 MB that were freed below something that stays."""
    done = subprocess.run(
        [sys.executable, "-c", GROWN_AND_TRIMMED],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )

    assert int(done.stdout) > 50 << 20


def test_a_table_is_as_small_as_what_is_left_in_it() -> None:
    """And holds what it held, in order."""
    table, crowd = dict.fromkeys(range(2000)), set(range(2000))
    for number in range(1990):
        del table[number]
        crowd.discard(number)

    tighten(table)
    tighten(crowd)

    assert (list(table), crowd) == (list(range(1990, 2000)), set(range(1990, 2000)))
    assert sys.getsizeof(table) < 1000 > sys.getsizeof(crowd)


async def test_memory_is_given_back_when_many_have_gone_and_no_more_go() -> None:
    """Not while they leave, not for a few, and once."""
    tidy, given = Tidy(), []
    tidy.give_back = lambda: given.append(len(given))  # type: ignore[method-assign]
    seen = []

    for held in (10, 1000, 990, 700, 300, 300, 300, 290, 290):
        await tidy.look(held)
        seen.append(len(given))

    assert seen == [0, 0, 0, 0, 0, 1, 1, 1, 1]


async def test_freed_pages_go_back_when_many_have_come_and_no_more_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not while they come, not for a few, and once; the tables of those who are there stay."""
    tidy, trimmed = Tidy(lambda: pytest.fail("nobody has gone")), []
    monkeypatch.setattr(heap, "trim", lambda: trimmed.append(len(trimmed)))
    seen = []

    for held in (10, 1000, 2000, *[2010, 2005] * 4, *[2600] * 10, *[2700, 2790] * 5):
        await tidy.look(held)
        seen.append(len(trimmed))

    assert seen == [0] * 10 + [1] * 19 + [2] * 2
