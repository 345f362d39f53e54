"""A server that kills itself at a point of its code: `python killing.py PYTHON -P -m server`.

The file `kill` in the server's folder names the point; while there is none the server lives. The
code is the real one: each point is a function, and the process ends by SIGKILL before or after it.
"""

import functools
import importlib
import inspect
import os
import runpy
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

POINTS = {
    "receiving": ("storage.blobs.local", "LocalIncoming", "write", "after"),
    "before the rename": ("storage.blobs.local", "LocalIncoming", "_publish", "before"),
    "after the rename": ("storage.blobs.local", "LocalIncoming", "_publish", "after"),
    "announced to the books": ("storage.blobs.books", None, "begin", "after"),
    "before it is ready": ("storage.blobs.books", None, "finish", "before"),
    "ready, used by nobody": ("storage.blobs.books", None, "use", "before"),
    "inside the transaction": ("storage.blobs.books", None, "use", "after"),
    "before the block is told": ("server.files", "Files", "announce", "before"),
    "after the block was told": ("server.files", "Files", "announce", "after"),
    "reading the chunks": ("storage.uploads", "Uploads", "complete", "before"),
    "set aside": ("storage.blobs.books", None, "reserve", "after"),
    "chunks removed": ("storage.uploads", "Uploads", "_delete", "before"),
}
"""Name → module, class, function, and whether it ends before or after it."""


def arm(name: str) -> None:
    """Wrap the function of one point."""
    module, kind, function, when = POINTS[name]
    owner: Any = importlib.import_module(module)
    owner = owner if kind is None else getattr(owner, kind)
    setattr(owner, function, _wrapped(getattr(owner, function), name, when))


def _wrapped(real: Callable[..., Any], name: str, when: str) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(real):

        @functools.wraps(real)
        async def waits(*args: Any, **named: Any) -> Any:
            _die(name, when == "before")
            answer = await real(*args, **named)
            _die(name, when == "after")
            return answer

        return waits

    @functools.wraps(real)
    def calls(*args: Any, **named: Any) -> Any:
        _die(name, when == "before")
        answer = real(*args, **named)
        _die(name, when == "after")
        return answer

    return calls


def _die(name: str, here: bool) -> None:
    file = Path("kill")
    if here and file.exists() and file.read_text() == name:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    for point in POINTS:
        arm(point)
    sys.argv = ["server"]
    runpy.run_module("server", run_name="__main__", alter_sys=True)
