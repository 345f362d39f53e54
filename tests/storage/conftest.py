"""Fixtures of the log's tests: a flusher, and one behind a wire that can be cut."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.log import Flusher
from tests.storage.wire_cutter import WireCutter


@pytest.fixture
async def flusher(database: str) -> AsyncIterator[Flusher]:
    """A flusher that runs."""
    made = Flusher(database)
    await made.start()
    yield made
    await made.close()


@pytest.fixture
async def wire(database: str, tmp_path: Path) -> AsyncIterator[WireCutter]:
    """The way to the database, with a person at it who cuts it."""
    async with WireCutter(database, tmp_path) as cutter:
        yield cutter


@pytest.fixture
async def wired(wire: WireCutter) -> AsyncIterator[Flusher]:
    """A flusher behind the wire, with short patience."""
    made = Flusher(wire.dsn, answer_s_max=0.5, connect_s_max=0.5, stalled_s=0.2)
    await made.start()
    yield made
    await made.close()
