"""Who is to be looked at when, for as many as there are sessions: to the second, and no dearer.

A heap of a time and a number for each takes 150 bytes of every document that somebody has open.
Most of them end with the same few tokens, so here those of one second share a list.
"""

from __future__ import annotations

import heapq
import math
from typing import Generic, TypeVar

T = TypeVar("T")


class Deadlines(Generic[T]):
    """Things by the second of Unix time in which they are due; one may be there several times."""

    __slots__ = ("_by_second", "_count", "_seconds")

    def __init__(self) -> None:
        self._by_second: dict[int, list[T]] = {}
        self._seconds: list[int] = []
        """The keys, as a heap."""
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, time_s: float, thing: T) -> None:
        """It is due at that time, or within the second that follows."""
        second = math.ceil(time_s)
        same = self._by_second.get(second)
        if same is None:
            same = self._by_second[second] = []
            heapq.heappush(self._seconds, second)
        same.append(thing)
        self._count += 1

    def due(self, now_s: float) -> list[T]:
        """Take out all whose time has come, the earliest first."""
        found: list[T] = []
        while self._seconds and self._seconds[0] <= now_s:
            found += self._by_second.pop(heapq.heappop(self._seconds))
        self._count -= len(found)
        return found

    def clear(self) -> None:
        """Forget all of them."""
        self._by_second.clear()
        self._seconds.clear()
        self._count = 0
