"""A bus for nodes that live in one process: what one says, the others hear in the next turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from storage.bus.ends import Heard, Turned, deaf, unmoved


class Hub:
    """Joins the nodes of one process."""

    def __init__(self) -> None:
        self.ends: list[HubBus] = []
        self.is_up = True
        self.loses: Callable[[bytes], bool] = lambda _: False
        """Which frames are lost on the way: an engine may lose any of them."""

    def turn(self, *, up: bool) -> None:
        """Let it go away, or come back."""
        self.is_up = up
        for end in list(self.ends):
            end.turned(up=up)


class HubBus:
    """One node's end of a hub."""

    frame_bytes_max = 256 << 10

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.round_trips = 0
        self.heard: Heard = deaf
        self.turned: Turned = unmoved

    @property
    def is_up(self) -> bool:
        """Whether the hub carries anything."""
        return self._hub.is_up

    async def start(self, heard: Heard, turned: Turned) -> None:
        """Join."""
        self.heard, self.turned = heard, turned
        self._hub.ends.append(self)
        turned(up=self._hub.is_up)

    def publish(self, frame: bytes) -> None:
        """Give a frame to all others."""
        if not self._hub.is_up or self._hub.loses(frame):
            return
        self.round_trips += 1
        loop = asyncio.get_running_loop()
        for end in self._hub.ends:
            if end is not self:
                loop.call_soon(end.heard, frame)

    async def close(self) -> None:
        """Leave."""
        if self in self._hub.ends:
            self._hub.ends.remove(self)
