"""A load client: joins a room, counts what arrives, measures how long it took."""

import asyncio
from time import perf_counter as now

from .codec import STEP2_EMPTY, read_var_bytes, read_var_uint, update_frame
from .dialect import HOCUSPOCUS, YSWEET, Target, sync_check
from .ledger import NOTHING, Ledger, Meaning, Room
from .socket import BINARY, Socket, retrieved


class Client(Socket):
    """One connection to one room.

    It only counts, unless `watches` is set: then it attributes each delivery to its typist, which
    is needed for latencies (`latencies` a list), for observers and for authors, who may get their
    own update back after the commit: `echoes`, never deliveries.
    """

    def __init__(self, target: Target, room: Room, ledger: Ledger) -> None:
        super().__init__()
        self.target, self.room, self.ledger = target, room, ledger
        self.prefix = target.prefix(room.name)
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.ready.add_done_callback(retrieved)
        self.deliveries = self.frames = self.echoes = self.acknowledgements = 0
        self.refusals = 0
        self.watches = False
        self.slot = -1
        self.echoed_up_to = 0
        self.latencies: list[float] | None = None
        self.highest: dict[int, int] = {}
        self.sync_bytes = 0
        self.synced_at = 0.0
        self.closed = False
        room.clients.append(self)

    async def join(self, timeout_s: float = 60) -> None:
        """Connect and wait for the first sync step 2. Raises ConnectionError or TimeoutError."""
        await self.open(await self.target.address(self.room.name), timeout_s=timeout_s)
        async with asyncio.timeout(timeout_s):
            await self.ready

    def say(self, message: bytes) -> None:
        """Send one message, with the room's name where the dialect wants it."""
        self.send(self.prefix + message if self.prefix else message)

    def write(self, update: bytes) -> None:
        """Send one document update that is not counted."""
        self.say(update_frame(update))

    def after_typing(self, version: int) -> None:
        """Y-Sweet's client asks after each update whether it was stored."""
        if self.target.dialect == YSWEET:
            self.say(sync_check(version))

    # Socket.

    def on_open(self) -> None:
        """Greet."""
        for message in self.target.greeting():
            self.say(message)

    def on_close(self) -> None:
        """Remember it; wake a joiner that waits in vain."""
        self.closed = True
        if not self.ready.done():
            self.ready.set_exception(ConnectionError(f"closed before sync ({self.close_code})"))

    def on_chunk(self, data: bytes) -> bool:
        """Look the chunk up; frames that are no deliveries are left to `on_frame`."""
        meaning = self.ledger.chunks.get(data)
        if meaning is None:
            if data[0] != BINARY:
                return False
            meaning = self.ledger.read_chunk(data, len(self.prefix))
            if meaning is None:
                return False
        self._take(meaning)
        return True

    def on_frame(self, payload: bytes) -> None:
        """One message: a delivery, an acknowledgement, or part of the handshake."""
        message = payload[len(self.prefix) :]
        meaning = self.ledger.messages.get(message)
        if meaning is None:
            meaning = self.read(message)
        self._take(meaning)

    def read(self, message: bytes) -> Meaning:
        """What a message not seen before means; answers the handshake's questions."""
        if not message:
            return NOTHING
        kind = message[0]
        if kind in {0, 4}:
            return self._read_sync(message)
        if kind == 1:
            return self.ledger.read_awareness(message)
        if self.target.dialect == HOCUSPOCUS:
            return self._read_hocuspocus(message)
        if kind == 0x66 and self.target.dialect == YSWEET:
            version, _ = read_var_uint(read_var_bytes(message, 1)[0], 0)
            self.acknowledgements = max(self.acknowledgements, version)
        elif kind == 2 and not self.ready.done():
            self.ready.set_exception(PermissionError(message[3:].decode(errors="replace")))
        return NOTHING

    def _read_sync(self, message: bytes) -> Meaning:
        if message[1] == 0:
            self.say(STEP2_EMPTY)
            return NOTHING
        if message[1] == 1:
            self.sync_bytes += len(message)
            self.synced_at = now()
            if not self.ready.done():
                self.ready.set_result(None)
            return NOTHING
        return self.ledger.read_update(message)

    def _read_hocuspocus(self, message: bytes) -> Meaning:
        if message[:2] == b"\x08\x00":
            self.refusals += 1
        elif message[:2] == b"\x02\x01" and not self.ready.done():
            self.ready.set_exception(PermissionError(message[3:].decode(errors="replace")))
        elif message == b"\x09":
            self.send(b"\x0a")
        return NOTHING

    def _take(self, meaning: Meaning) -> None:
        frames, deliveries, parts, acknowledgements = meaning
        self.frames += frames
        self.acknowledgements += acknowledgements
        if self.watches:
            self._attribute(parts)
        else:
            self.deliveries += deliveries

    def _attribute(self, parts: tuple[tuple[int, int, int], ...]) -> None:
        arrived = now()
        latencies, typists = self.latencies, self.room.typists
        for slot, low, high in parts:
            if slot == self.slot:
                self.echoes += high - low
                self.echoed_up_to = max(self.echoed_up_to, high)
                continue
            self.deliveries += high - low
            typist = typists[slot]
            if latencies is not None:
                sent = typist.sent
                latencies.extend([arrived - sent[k] for k in range(low, high)])
            if high > self.highest.get(slot, 0):
                self.highest[slot] = high
            if typist.observer is self:
                typist.acknowledged = max(typist.acknowledged, high)
                if typist.pumping:
                    typist.pump()


class Reader(Client):
    """A client that keeps the document bytes it is sent, for joins that are looked at afterwards.

    Some servers answer step 1 before their store has loaded and push the content later as an
    update. What counts for a person is when the content is there: `full` resolves once at least
    `needed_bytes` came.
    """

    def __init__(self, target: Target, room: Room, ledger: Ledger, needed_bytes: int = 0) -> None:
        super().__init__(target, room, ledger)
        self.needed_bytes = needed_bytes
        self.updates: list[bytes] = []
        self.full: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def on_chunk(self, data: bytes) -> bool:  # noqa: ARG002 - none is handled as a whole
        """Every frame is looked at."""
        return False

    def on_frame(self, payload: bytes) -> None:
        """Keep documents' bytes, treat the rest as any client does."""
        message = payload[len(self.prefix) :]
        self.frames += 1
        if message[:1] not in {b"\x00", b"\x04"} or message[1] == 0:
            self.read(message)
            return
        self.updates.append(read_var_bytes(message, 2)[0])
        if message[1] == 1:
            self._read_sync(message)
        else:
            self.sync_bytes += len(message)
        if self.sync_bytes >= self.needed_bytes and self.synced_at and not self.full.done():
            self.full.set_result(now())
