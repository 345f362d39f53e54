"""Whoever is told to go learns why, also in the middle of a sentence."""

from __future__ import annotations

import contextlib

import pytest

from crdt import wire
from tests.inside import Guest

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        pytest.param([wire.update(b"junk"), *[wire.update(b"\0\0")] * 500], 4400, id="malformed"),
        pytest.param([bytes(20 << 20)], 1009, id="too-big"),
    ],
)
async def test_the_close_code_arrives_while_the_peer_still_sends(
    ada: Guest, frames: list[bytes], code: int
) -> None:
    """A peer in the middle of sending learns why it was closed, so that it does not come back."""
    client = await ada.y("talks")
    await client.sync()

    with contextlib.suppress(ConnectionError):
        for frame in frames:
            await client.send(frame)

    assert await client.closed() == code
