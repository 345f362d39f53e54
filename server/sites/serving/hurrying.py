"""Work on somebody's text under a bound of processor time: what helpers do.

Processor time and not the clock's, so that a machine with much to do gives no other answers. What
does not come back to Python in time is killed by the clock (`server.workers`).
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

_T = TypeVar("_T")
_AGAIN_S = 0.5


class _TooSlowError(BaseException):
    """The time is over; no parser may take it for an error of its own."""


def hurried(function: Callable[[str, str], _T], path: str, text: str, most_s: float) -> _T | None:
    """What `function` makes of a text; None where it takes too much time, memory or stack.

    For the main thread of a helper: the signal comes there.
    """
    before = signal.signal(signal.SIGPROF, _stop)
    try:
        # Again and again: a call-back of a library in C may swallow the first one.
        signal.setitimer(signal.ITIMER_PROF, most_s, _AGAIN_S)
        try:
            return function(path, text)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
    except (_TooSlowError, RecursionError, MemoryError):
        return None
    finally:
        signal.signal(signal.SIGPROF, before)


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise _TooSlowError
