"""The part of an update that can be integrated now, for a library that must not be given more.

pycrdt keeps what it cannot integrate and tries it again by itself, and both go wrong: where one
client's structs begin behind a gap, structs of other clients that stand on them are sometimes taken
up before them, in a wrong place and for good. Yjs waits, as it should. So what waits is kept by us
(`pending`), and pycrdt is given only what stands on nothing missing.
"""

from typing import NamedTuple

from crdt.bounds import BOUNDS, Bounds
from crdt.errors import UpdateError, WireError
from crdt.outline import _SKIP, Range, _Scan
from crdt.wire.lib0 import var_uint


class _Struct(NamedTuple):
    clock: int
    end: int
    """Clock behind it."""
    at: int
    """Offset of its first byte."""
    stands_on: tuple[tuple[int, int], ...]
    """Client and clock that must have been reached."""
    gap: bool


class _Reader(_Scan):
    """Reads an update into structs that can be taken one by one."""

    def __init__(self, update: bytes, bounds: Bounds) -> None:
        super().__init__(update, bounds, cuts=False)
        self.structs: dict[int, list[_Struct]] = {}
        self.ends: dict[int, int] = {}
        """Offset behind each client's last struct."""
        self._stands_on: list[tuple[int, int]] = []

    def read(self) -> None:
        """Read all of it. Raises UpdateError."""
        try:
            for _ in range(self._count(self.bounds.update_clients_max, "too-many")):
                self._read_client()
            self.read_delete_set()
        except (WireError, IndexError):
            raise UpdateError("malformed") from None

    def _read_client(self) -> None:
        count = self._count(self.bounds.update_structs_max, "too-many")
        client = self._client()
        clock = self._number()
        structs = self.structs.setdefault(client, [])
        for _ in range(count):
            at = self.at
            self.here = client, clock
            self._stands_on = []
            kind, length = self._struct()
            end = clock + length
            structs.append(_Struct(clock, end, at, tuple(self._stands_on), kind == _SKIP))
            clock = end
        self.ends[client] = self.at

    def _refer(self, client: int, clock: int) -> None:
        self._stands_on.append((client, clock))


class Ready(NamedTuple):
    """What of an update can be integrated now, and what is left."""

    part: bytes | None
    """The update itself if nothing is left; None if nothing can be integrated."""
    ranges: list[Range]
    """Structs that are left."""
    deletes: list[Range]
    """Deletions that are left."""

    @property
    def whole(self) -> bool:
        """Nothing is left."""
        return not (self.ranges or self.deletes)


def ready_part(update: bytes, clocks: dict[int, int], bounds: Bounds = BOUNDS) -> Ready:
    """What of an update a replica with these clocks can integrate; moves `clocks` on by that.

    Raises UpdateError.
    """
    reader = _Reader(update, bounds)
    reader.read()
    before = dict(clocks)
    taken = _take(reader.structs, clocks)
    ranges = [
        (client, struct.clock, struct.end)
        for client, structs in reader.structs.items()
        for struct in structs[taken[client] :]
        if not struct.gap
    ]
    ready: dict[int, list[tuple[int, int]]] = {}
    deletes: list[Range] = []
    for client, low, high in reader.deletes:
        known = clocks.get(client, 0)
        if low < known:
            ready.setdefault(client, []).append((low, min(high, known)))
        if high > known:
            deletes.append((client, max(low, known), high))
    if not ranges and not deletes:
        return Ready(update, [], [])
    sections = [
        section
        for client, structs in reader.structs.items()
        if (section := _section(reader, client, structs[: taken[client]], before.get(client, 0)))
    ]
    if not sections and not ready:
        return Ready(None, ranges, deletes)
    part = var_uint(len(sections)) + b"".join(sections) + _delete_set(ready)
    return Ready(part, ranges, deletes)


def _take(structs: dict[int, list[_Struct]], clocks: dict[int, int]) -> dict[int, int]:
    """How many structs of each client can be integrated, one after the other; moves `clocks`."""
    taken = dict.fromkeys(structs, 0)
    waiting: dict[int, set[int]] = {}
    ready = list(structs)
    while ready:
        client = ready.pop()
        own = structs[client]
        reached = clocks.get(client, 0)
        while taken[client] < len(own):
            struct = own[taken[client]]
            if struct.end <= reached:
                taken[client] += 1
                continue
            if struct.clock > reached or struct.gap:
                break
            missing = [on for on, clock in struct.stands_on if clocks.get(on, 0) < clock]
            if missing:
                waiting.setdefault(missing[0], set()).add(client)
                break
            clocks[client] = reached = struct.end
            taken[client] += 1
            ready += waiting.pop(client, ())
    return taken


def _section(reader: _Reader, client: int, structs: list[_Struct], known: int) -> bytes | None:
    """A client's structs from the first that is new; they have no gap between them."""
    first = next((place for place, struct in enumerate(structs) if struct.end > known), None)
    if first is None:
        return None
    start = structs[first]
    rest = reader.structs[client]
    end = rest[len(structs)].at if len(structs) < len(rest) else reader.ends[client]
    head = var_uint(len(structs) - first) + var_uint(client) + var_uint(start.clock)
    return head + reader.data[start.at : end]


def _delete_set(deletes: dict[int, list[tuple[int, int]]]) -> bytes:
    parts = [var_uint(len(deletes))]
    for client, ranges in deletes.items():
        parts += [var_uint(client), var_uint(len(ranges))]
        parts += [var_uint(low) + var_uint(high - low) for low, high in ranges]
    return b"".join(parts)
