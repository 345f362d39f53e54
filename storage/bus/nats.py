"""A bus of NATS core: one subject, no streams, nothing kept. For nodes on several machines.

Frames travel at most once; what a slow or cut off listener misses it sees by the senders' numbers.
The servers are trusted with what they carry: give them accounts and TLS, or a network of their own.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nats.aio.client import Client
from nats.errors import Error as NatsError

from storage.bus.ends import Heard, Turned, deaf, unmoved

if TYPE_CHECKING:
    from nats.aio.msg import Msg

log = logging.getLogger("plait.bus")

FRAME_BYTES_MAX = 512 << 10
"""Half of what a NATS server carries unless it is told otherwise."""
QUEUE_FRAMES_MAX = 2_000
"""Frames that wait to be sent; of more the oldest are lost, which listeners notice."""
JOIN_S, AGAIN_S = 2.0, 0.5
PROBE_S = 1.0
"""Seconds between two questions to the server, which may hang without hanging up."""
_PING_S = 5


class NatsBus:
    """One node's end."""

    frame_bytes_max = FRAME_BYTES_MAX

    def __init__(self, servers: Sequence[str], *, subject: str) -> None:
        self._servers = list(servers)
        self._subject = subject
        self._client: Client | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._queue: deque[bytes] = deque()
        self._stirred = asyncio.Event()
        self._empty = asyncio.Event()
        self._heard: Heard = deaf
        self._turned: Turned = unmoved
        self._was_up = self._has_joined = False
        self.round_trips = 0

    @property
    def is_up(self) -> bool:
        """Whether it is connected."""
        return self._was_up and self._client is not None and self._client.is_connected

    async def start(self, heard: Heard, turned: Turned) -> None:
        """Join, now if a server answers soon."""
        self._heard, self._turned = heard, turned
        loop = asyncio.get_running_loop()
        joining = loop.create_task(self._join(), name="join the bus")
        self._tasks = [
            joining,
            loop.create_task(self._speak(), name="bus"),
            loop.create_task(self._probe_on(), name="probe the bus"),
        ]
        await asyncio.wait([joining], timeout=JOIN_S)

    def publish(self, frame: bytes) -> None:
        """Queue a frame; what is queued leaves together."""
        if not self.is_up:
            return
        self._queue.append(frame)
        self._empty.clear()
        if len(self._queue) > QUEUE_FRAMES_MAX:
            self._queue.popleft()
        self._stirred.set()

    async def close(self) -> None:
        """Say what is queued, and leave."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                if self._queue and self.is_up:
                    await self._empty.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client is not None:
            with contextlib.suppress(NatsError, OSError, TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._client.flush()
            with contextlib.suppress(NatsError, OSError, TimeoutError):
                async with asyncio.timeout(2.0):
                    await self._client.close()

    # -- the connection -----------------------------------------------------------------

    async def _join(self) -> None:
        """Connect for ever: nats-py comes back by itself, and takes the subscription along."""
        client = self._client = Client()
        while True:
            try:
                await client.connect(
                    self._servers,
                    name="plait",
                    no_echo=True,
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=AGAIN_S,  # type: ignore[arg-type]
                    connect_timeout=int(JOIN_S),
                    ping_interval=_PING_S,
                    max_outstanding_pings=2,
                    error_cb=self._failed,
                    disconnected_cb=self._lost,
                    reconnected_cb=self._regained,
                )
                await client.subscribe(self._subject, cb=self._take)
                await client.flush(timeout=int(JOIN_S))
            except (NatsError, OSError, TimeoutError) as error:
                log.warning("the bus cannot be joined: %s", error)
                await asyncio.sleep(AGAIN_S)
                continue
            break
        self._has_joined = True
        await self._regained()

    async def _take(self, message: Msg) -> None:
        self._heard(message.data)

    async def _failed(self, error: Exception) -> None:
        log.warning("the bus: %s", error or type(error).__name__)

    async def _lost(self) -> None:
        if self._was_up:
            self._was_up = False
            self._queue.clear()
            self._turned(up=False)

    async def _regained(self) -> None:
        """The subscription holds from the answer to a ping on: then it is up, and not before."""
        if not self._was_up and self._client is not None:
            with contextlib.suppress(NatsError, OSError, TimeoutError):
                await self._client.flush(timeout=int(JOIN_S))
            self._was_up = True
            self._turned(up=True)

    async def _probe_on(self) -> None:
        """See that the server answers: its connection would be given up only much later."""
        while True:
            await asyncio.sleep(PROBE_S)
            client = self._client
            if client is None or not client.is_connected or not self._has_joined:
                continue
            try:
                await client.flush(timeout=int(JOIN_S))
            except (NatsError, OSError, TimeoutError):
                await self._lost()
            else:
                await self._regained()

    async def _speak(self) -> None:
        while True:
            await self._stirred.wait()
            self._stirred.clear()
            self._empty.clear()
            while self._queue:
                frame = self._queue.popleft()
                assert self._client is not None
                try:
                    self.round_trips += 1
                    await self._client.publish(self._subject, frame)
                except (NatsError, OSError, TimeoutError) as error:
                    log.warning("the bus took no frame: %s", error)
            self._empty.set()
