"""What both sides of a bus agree on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

Heard = Callable[[bytes], None]
"""Takes a frame of another node."""


class Turned(Protocol):
    """Takes that the bus is there (again), or gone."""

    def __call__(self, *, up: bool) -> None:
        """It is, or it is not."""


def deaf(_frame: bytes) -> None:
    """Nobody listens yet."""


def unmoved(*, up: bool) -> None:
    """Nobody wants to know yet."""


class Bus(Protocol):
    """One node's end of a bus. Everything is called on one event loop."""

    frame_bytes_max: int
    """A longer frame is not carried."""
    round_trips: int
    """Words with the engine so far; several frames may share one."""

    @property
    def is_up(self) -> bool:
        """Whether frames are carried at this moment, as far as this end knows."""

    async def start(self, heard: Heard, turned: Turned) -> None:
        """Join; returns soon, also while the engine is away, and goes on trying.

        `heard` is called with each frame of another node (and perhaps with one's own), `turned`
        when the bus is there (again) or gone.
        """

    def publish(self, frame: bytes) -> None:
        """Give a frame to all others, without waiting. It is lost where the bus is away."""

    async def close(self) -> None:
        """Leave, after what was published has gone out if that goes quickly."""
