"""How many bytes of large request bodies may be worked on at a time, over all requests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

from server.errors import Busy


class Budget:
    """Bytes that are taken while something is worked on; a request that does not fit waits outside.

    One request always fits, however large, so that a bound below its size is no dead end.
    """

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self.taken = 0

    @contextmanager
    def take(self, size: int) -> Iterator[None]:
        """Count `size` bytes for as long as the block runs. Raises Busy where they do not fit."""
        if self.taken and self.taken + size > self._bytes_max:
            raise Busy("too many large requests at a time")
        self.taken += size
        try:
            yield
        finally:
            self.taken -= size


BODIES = web.AppKey("bodies", Budget)
"""For the bodies of pushes and pulls."""
