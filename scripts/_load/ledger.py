"""What was sent and when, and what every arriving frame means in those terms.

A *delivery* is one update (or awareness state) that reached one client other than its author,
however the server framed it: a server that merges updates gets the same credit. Each typist owns
a *slot* and numbers its updates from 0; since each update is one character, clock k of a
typist's client id is its update k.
"""

from time import perf_counter as now
from typing import TYPE_CHECKING, NamedTuple

from .codec import awareness_clocks, read_var_bytes, update_frame, update_ranges
from .socket import BINARY, header, masked

if TYPE_CHECKING:
    from .client import Client

CLIENT_ID_FIRST = 2_000_000_011
"""Ids of this size take five bytes, as the random ids of Yjs mostly do."""
CLIENT_ID_STEP = 7919
CACHED_CHUNK_BYTES_MAX = 65_536
CACHED_CHUNKS_MAX = 4096


def client_id(slot: int) -> int:
    """The Yjs client id of the typist in a slot."""
    return CLIENT_ID_FIRST + slot * CLIENT_ID_STEP


class Part(NamedTuple):
    """Updates `low` up to but not including `high` of one slot."""

    slot: int
    low: int
    high: int


class Meaning(NamedTuple):
    """What one frame or one chunk of frames brings."""

    frames: int
    deliveries: int
    parts: tuple[Part, ...]
    acknowledgements: int


NOTHING = Meaning(1, 0, (), 0)
ACKNOWLEDGED = Meaning(1, 0, (), 1)
SYNC_STATUS_STORED = b"\x08\x01"
"""Hocuspocus' acknowledgement; no other dialect has a message 8."""


class Room:
    """One document of a run: its name, its typists by slot, its clients."""

    __slots__ = ("clients", "name", "typists")

    def __init__(self, name: str) -> None:
        self.name = name
        self.typists: list[Typist] = []
        self.clients: list[Client] = []


class Ledger:
    """Reads frames; shared by all clients of a run so that equal bytes are read once."""

    def __init__(self) -> None:
        self.slots: dict[int, int] = {}
        self.messages: dict[bytes, Meaning] = {SYNC_STATUS_STORED: ACKNOWLEDGED}
        self.chunks: dict[bytes, Meaning] = {}
        self.counts_awareness = False

    def register(self, slot: int, messages: list[bytes]) -> None:
        """Know the messages of a slot in advance: message k is update k."""
        self.slots[client_id(slot)] = slot
        for k, message in enumerate(messages):
            self.messages[message] = Meaning(1, 1, (Part(slot, k, k + 1),), 0)

    def read_chunk(self, data: bytes, prefix_size: int) -> Meaning | None:
        """The sum of the frames of a chunk; None if it holds anything but known deliveries."""
        frames = deliveries = acknowledgements = at = 0
        parts: list[Part] = []
        end = len(data)
        while at < end:
            if end - at < 4 or data[at] != BINARY or data[at + 1] > 126:
                return None
            size, start = data[at + 1], at + 2
            if size == 126:
                size, start = data[at + 2] << 8 | data[at + 3], at + 4
            at = start + size
            if at > end:
                return None
            meaning = self.messages.get(data[start + prefix_size : at])
            if meaning is None:
                return None
            frames += 1
            deliveries += meaning.deliveries
            acknowledgements += meaning.acknowledgements
            for part in meaning.parts:
                extend(parts, part)
        meaning = Meaning(frames, deliveries, tuple(parts), acknowledgements)
        if end <= CACHED_CHUNK_BYTES_MAX:
            if len(self.chunks) >= CACHED_CHUNKS_MAX:
                self.chunks.clear()
            self.chunks[data] = meaning
        return meaning

    def read_update(self, message: bytes) -> Meaning:
        """What a sync message with an update brings; remembered."""
        update, _ = read_var_bytes(message, 2)
        parts: list[Part] = []
        try:
            for client, low, high in update_ranges(update):
                slot = self.slots.get(client)
                if slot is not None:
                    extend(parts, Part(slot, low, high))
        except (ValueError, IndexError):
            return NOTHING
        return self._remember(message, parts)

    def read_awareness(self, message: bytes) -> Meaning:
        """The states of known typists in an awareness message; remembered."""
        if not self.counts_awareness:
            return NOTHING
        payload, _ = read_var_bytes(message, 1)
        parts = [
            Part(self.slots[client], clock - 1, clock)
            for client, clock in awareness_clocks(payload)
            if client in self.slots and clock > 0
        ]
        return self._remember(message, parts)

    def _remember(self, message: bytes, parts: list[Part]) -> Meaning:
        meaning = Meaning(1, sum(part.high - part.low for part in parts), tuple(parts), 0)
        if len(message) < CACHED_CHUNK_BYTES_MAX:
            self.messages[message] = meaning
        return meaning


def extend(parts: list[Part], part: Part) -> None:
    """Append a part, joined to the last one where it continues it."""
    if parts and parts[-1].slot == part.slot and parts[-1].high == part.low:
        parts[-1] = Part(part.slot, parts[-1].low, part.high)
    else:
        parts.append(part)


class Typist:
    """One author: its prepared frames, when each was sent, how many are known to have arrived."""

    __slots__ = (
        "acknowledged", "client", "following", "frames", "next", "observer", "pumping",
        "sent", "slot", "window",
    )  # fmt: skip

    def __init__(self, client: "Client", slot: int, bodies: list[bytes]) -> None:
        self.client = client
        self.slot = slot
        self.frames = Frames(bodies, client.prefix)
        self.sent = [0.0] * len(bodies)
        self.next = self.acknowledged = self.window = 0
        self.observer: Client | None = None
        self.following = b""
        self.pumping = False

    @property
    def exhausted(self) -> bool:
        """Every prepared update has been sent."""
        return self.next >= len(self.sent)

    def pump(self) -> None:
        """Send until `window` updates are on their way to the observer."""
        at = self.next
        stop = min(self.acknowledged + self.window, len(self.sent))
        if at < stop:
            transport = self.client.transport
            assert transport is not None
            write, sent, frames = transport.write, self.sent, self.frames
            while at < stop:
                sent[at] = now()
                write(frames[at])
                at += 1
            self.next = at
            self.client.after_typing(at)

    def type_one(self) -> bool:
        """Send one update; False when there is none left."""
        at = self.next
        if at >= len(self.sent):
            return False
        transport = self.client.transport
        assert transport is not None
        self.sent[at] = now()
        transport.write(self.frames[at])
        self.next = at + 1
        self.client.after_typing(at + 1)
        return True


class Frames:
    """A slot's messages as ready wire frames; the bodies are shared between rooms."""

    __slots__ = ("bodies", "lead")

    def __init__(self, bodies: list[bytes], prefix: bytes) -> None:
        self.bodies = bodies
        self.lead = masked(prefix)

    def __getitem__(self, at: int) -> bytes:
        body = self.bodies[at]
        return header(len(self.lead) + len(body)) + self.lead + body


def bodies(ledger: Ledger, slot: int, messages: list[bytes]) -> list[bytes]:
    """Register a slot's messages; answers them masked, as `Typist` wants them."""
    ledger.register(slot, messages)
    return [masked(message) for message in messages]


def update_bodies(ledger: Ledger, slot: int, updates: list[bytes]) -> list[bytes]:
    """The same for document updates."""
    return bodies(ledger, slot, [update_frame(update) for update in updates])
