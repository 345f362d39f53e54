"""Our server with one way of saving time left out: WAY, then what the server is told.

Each way is a few words of the source that are replaced before the server starts; where they are no
longer there, it says so and ends, instead of measuring nothing. Interpreted, since what is compiled
cannot be changed.
"""

from __future__ import annotations

import gc
import inspect
import sys
import textwrap
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


def replace(owner: Any, name: str, old: str, new: str) -> None:  # noqa: ANN401 - a class or module
    """Replace words in a function of a module, or in a method. Raises LookupError without them."""
    function = getattr(owner, name)
    source = textwrap.dedent(inspect.getsource(function))
    if old not in source:
        raise LookupError(f"{name} does not say {old!r} any more")
    made: dict[str, Any] = {}
    exec(source.replace(old, new), function.__globals__, made)  # noqa: S102 - our own source
    setattr(owner, name, made[name])


def no_uvloop() -> None:
    """Python's own event loop."""
    sys.modules["uvloop"] = None  # type: ignore[assignment]


def no_turns() -> None:
    """Each message is a turn of its room, with its own writes."""
    from server.outbox import Turns  # noqa: PLC0415 - after the way was chosen

    replace(Turns, "flush_later", "self._loop.call_soon(self._run)", "self._run()")


def no_joining() -> None:
    """A write for each frame."""
    from server.outbox import Outbox  # noqa: PLC0415

    replace(
        Outbox,
        "flush",
        'data = frames[0] if len(frames) == 1 else b"".join(frames)\n'
        "    frames.clear()\n"
        "    self.transport.write(data)\n",
        'data = b"".join(frames)\n'
        "    for frame in frames:\n"
        "        self.transport.write(frame)\n"
        "    frames.clear()\n",
    )


def no_sharing() -> None:
    """Frames are encoded anew for each reader."""
    from server import sharing  # noqa: PLC0415

    replace(sharing, "broadcast", "cached = blobs.get(prefix)", "cached = None")


def no_pace() -> None:
    """A crowded room does not wait for company."""
    from server import sharing  # noqa: PLC0415

    replace(sharing, "broadcast", "if readers >= _CROWD:", "if not readers:")


def no_kept_sync() -> None:
    """The first sync is encoded anew for each who joins."""
    from crdt.syncing import Syncs  # noqa: PLC0415

    cached = "body = None if diffs is None else diffs.get(state_vector)"
    replace(Syncs, "step2", cached, "body = None")


def no_preparing() -> None:
    """Statements are parsed and planned each time."""
    import asyncpg  # noqa: PLC0415

    from storage.link import Link  # noqa: PLC0415

    for name in ("connect", "create_pool"):
        setattr(asyncpg, name, partial(getattr(asyncpg, name), statement_cache_size=0))
    replace(
        Link,
        "ask",
        "statement = self._prepared.get(text)",
        "return await self.ask_once(text, *arguments)",
    )


def no_tuning() -> None:
    """The garbage collector as Python has it."""
    gc.freeze = lambda: None  # type: ignore[assignment]
    gc.set_threshold = lambda *_: None  # type: ignore[assignment]


CHANGES: dict[str, Callable[[], None]] = {
    "nothing": lambda: None,
    "uvloop": no_uvloop,
    "turns": no_turns,
    "joined writes": no_joining,
    "frames encoded once": no_sharing,
    "pace of crowds": no_pace,
    "first sync kept": no_kept_sync,
    "prepared statements": no_preparing,
    "collector tuned": no_tuning,
}


if __name__ == "__main__":
    CHANGES[sys.argv.pop(1)]()
    from server.__main__ import main

    main()
