"""Where bytes lie: what a local folder and an object store have to be able to do.

A store knows names and bytes, nothing else; whose they are and who needs them is in PostgreSQL
(`storage.blobs.books`). A name appears whole or not at all: bytes are received under no name that
anybody looks at, and `publish` returns when the name is durable.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol

PIECE_BYTES = 1 << 20
"""How much is written, hashed or read in one go."""


class Listed(NamedTuple):
    """A name in a store."""

    name: str
    at: datetime
    """When it was published."""


class Incoming(Protocol):
    """Bytes on their way into a store: write, then `publish` or `discard`, exactly one of them."""

    async def write(self, data: bytes) -> None:
        """Take the next bytes. Raises StoreUnavailable."""

    async def publish(self, name: str) -> None:
        """Make what was written durable under a name, in place of what stood there.

        Raises StoreUnavailable; what was written is discarded then.
        """

    async def discard(self) -> None:
        """Forget what was written. Never raises what the store says."""


class Store(Protocol):
    """A place for bytes. Every method may raise StoreUnavailable."""

    async def receive(self, name: str | None = None) -> Incoming:
        """Begin to take bytes in; a name that is known by now saves a remote store a copy."""

    def read(self, name: str, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from `start` up to `end`, which must lie within. Raises UnknownBlob."""

    async def size(self, name: str) -> int | None:
        """How many bytes stand under a name; None where there is no such name."""

    async def delete(self, name: str) -> None:
        """Remove a name; nothing where there is none."""

    def path(self, name: str) -> Path | None:
        """The file of a name, for what can only read files; None where there are none."""

    def list(self, prefix: str) -> AsyncIterator[Listed]:
        """Every name that begins with the segments of `prefix`, in no order."""

    async def sweep(self, before: datetime) -> int:
        """Remove what was being received before a moment and never published; how many."""

    async def close(self) -> None:
        """Let go of connections."""
