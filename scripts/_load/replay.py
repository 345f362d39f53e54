"""Sends a prepared history through real connections and looks at what every client got."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter as now
from typing import Any

from pycrdt import Doc, Text

from .client import Client, Reader
from .codec import read_var_bytes, update_frame, update_ranges
from .dialect import Target
from .ledger import NOTHING, Ledger, Meaning, Room
from .probe import Probe
from .replay_plan import Step
from .socket import header, masked
from .typing_work import ROOT

FRAMES_BETWEEN_LOOKS = 64
UNSENT_BYTES_MAX = 262_144
"""Unsent bytes of a connection at which its author pauses, as a browser tab would."""
QUIET_S = 3.0
"""Nothing arrived for this long although something is missing."""
UPDATES_PER_TRANSACTION = 1000
"""Closing a transaction costs more than in proportion to what is in it."""
Ranges = list[tuple[int, int]]


class Player(Client):
    """A connection that sends its part of a history and keeps everything it receives."""

    def __init__(
        self, target: Target, room: Room, ledger: Ledger, known: dict[bytes, Ranges]
    ) -> None:
        super().__init__(target, room, ledger)
        self.known = known
        self.seen: dict[int, int] = {}
        self.updates: list[bytes] = []
        self.last_at = 0.0
        self.news = asyncio.Event()
        self.sent = 0
        self.sent_bytes = 0

    def on_chunk(self, data: bytes) -> bool:  # noqa: ARG002 - each frame is kept
        """Every frame is looked at."""
        return False

    def on_frame(self, payload: bytes) -> None:
        """Keep updates; remember which clocks have arrived."""
        message = payload[len(self.prefix) :]
        self.frames += 1
        self.last_at = now()
        if message[:1] not in {b"\x00", b"\x04"} or message[1] == 0:
            self._take(self.ledger.messages.get(message) or self.read(message))
        else:
            update, _ = read_var_bytes(message, 2)
            self.updates.append(update)
            if message[1] == 1:
                self._read_sync(message)
            self._mark(message, update)
        self.news.set()

    def _mark(self, message: bytes, update: bytes) -> None:
        ranges = self.known.get(message)
        if ranges is None:
            ranges = self.known[message] = highest(update)
        for client, high in ranges:
            if high > self.seen.get(client, 0):
                self.seen[client] = high

    def read(self, message: bytes) -> Meaning:
        """Handshake and acknowledgements as any client."""
        return super().read(message) if message else NOTHING

    async def until_seen(self, needs: dict[int, int]) -> None:
        """Wait until everything a step builds on has arrived. TimeoutError when nothing comes."""
        for client, clock in needs.items():
            while self.seen.get(client, 0) < clock:
                self.news.clear()
                async with asyncio.timeout(QUIET_S * 5):
                    await self.news.wait()

    async def play(self, step: Step, moment: Callable[[], float]) -> None:
        """Send the updates of one step; `moment` says how long to wait before each."""
        assert self.transport is not None
        lead = masked(self.prefix)
        for update in step.updates:
            if pause := moment():
                await asyncio.sleep(pause)
            message = update_frame(update)
            self._mark(message, update)
            self.updates.append(update)
            self.transport.write(header(len(lead) + len(message)) + lead + masked(message))
            self.sent += 1
            self.sent_bytes += len(message)
            self.after_typing(self.sent)
            if not self.sent % FRAMES_BETWEEN_LOOKS:
                await asyncio.sleep(0)
                await self.room_to_write()

    async def room_to_write(self) -> None:
        """Wait while the server takes less than is typed."""
        assert self.transport is not None
        while self.transport.get_write_buffer_size() > UNSENT_BYTES_MAX:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.001)

    def text(self) -> str:
        """The text this client ended up with."""
        return text_of(self.updates)


def highest(update: bytes) -> Ranges:
    """(client, next clock) of what an update brings; empty where it only deletes."""
    try:
        return [(client, high) for client, _, high in update_ranges(update)]
    except (ValueError, IndexError):
        return []


def text_of(updates: Sequence[bytes]) -> str:
    """The text after all of them."""
    document: Doc[Any] = Doc()
    text = document.get(ROOT, type=Text)
    for first in range(0, len(updates), UPDATES_PER_TRANSACTION):
        with document.transaction():
            for update in updates[first : first + UPDATES_PER_TRANSACTION]:
                document.apply_update(update)
    return str(text)


@dataclass
class Result:
    """What a replay brought. CPU in seconds, sizes in bytes, times in seconds."""

    clients: int = 0
    updates: int = 0
    seconds: float = 0.0
    sent_bytes: int = 0
    received_bytes: int = 0
    deliveries: int = 0
    acknowledged: int = 0
    refused: int = 0
    server_cpu: float = 0.0
    postgres_cpu: float = 0.0
    rss_mb: float = 0.0
    join_s: float = 0.0
    join_bytes: int = 0
    differing: list[str] = field(default_factory=list)
    """Who ended up with another text than the history says."""
    disconnected: int = 0


class Pace:
    """Spreads updates evenly: `rate` a second over all clients, 0 for as fast as possible."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.start = now()
        self.count = 0

    def __call__(self) -> float:
        """How long to wait before the next update."""
        if not self.rate:
            return 0.0
        self.count += 1
        return max(0.0, self.start + self.count / self.rate - now())


async def replay(  # noqa: PLR0917 - one caller, all by name
    target: Target,
    room: Room,
    steps: Sequence[Step],
    clients: int,
    rate: float,
    probe: Probe,
    progress: Callable[[int], None],
    expected: str,
) -> Result:
    """Play all steps, then compare every client and a newcomer with the expected text."""
    ledger, known = Ledger(), dict[bytes, Ranges]()
    players = [Player(target, room, ledger, known) for _ in range(clients)]
    await asyncio.gather(*(player.join() for player in players))
    cpu, start, pace = probe.cpu(), now(), Pace(rate)

    async def perform(number: int) -> None:
        for step in steps:
            if step.client == number:
                await players[number].until_seen(step.needs)
                await players[number].play(step, pace)
                progress(len(step.updates))

    async with asyncio.TaskGroup() as group:
        for number in range(clients):
            group.create_task(perform(number))
    await settle(players)
    used = probe.cpu().since(cpu)
    result = Result(
        clients=clients,
        updates=sum(player.sent for player in players),
        seconds=max([player.last_at for player in players] + [start]) - start,
        sent_bytes=sum(player.sent_bytes for player in players),
        received_bytes=sum(player.received_bytes for player in players),
        acknowledged=sum(player.acknowledgements for player in players),
        refused=sum(player.refusals for player in players),
        server_cpu=used.server,
        postgres_cpu=used.postgres,
        rss_mb=probe.memory().rss,
        disconnected=sum(player.closed for player in players),
    )
    for number, player in enumerate(players):
        if player.text() != expected:
            result.differing.append(f"client {number}")
    await _newcomer(target, room, ledger, result, expected)
    for player in players:
        player.close()
    return result


async def settle(players: Sequence[Player]) -> None:
    """Wait until everybody has seen every clock, and then until nothing comes any more."""
    final: dict[int, int] = {}
    for player in players:
        for client, clock in player.seen.items():
            final[client] = max(final.get(client, 0), clock)
    for player in players:
        try:
            await player.until_seen(final)
        except TimeoutError:
            return
    # Deletions move no clock, and acknowledgements may still be on their way.
    busy = True
    while busy:
        before = [(player.frames, player.acknowledgements) for player in players]
        await asyncio.sleep(0.3)
        busy = before != [(player.frames, player.acknowledgements) for player in players]


async def _newcomer(
    target: Target, room: Room, ledger: Ledger, result: Result, expected: str
) -> None:
    """Join as someone who was not there."""
    reader = Reader(target, Room(room.name), ledger)
    start = now()
    await reader.join()
    await reader.full
    result.join_s = now() - start
    for _ in range(int(QUIET_S / 0.1)):
        if text_of(reader.updates) == expected:
            break
        await asyncio.sleep(0.1)
    else:
        result.differing.append("newcomer")
    result.join_bytes = reader.sync_bytes
    reader.close()
