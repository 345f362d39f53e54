"""Reading an update as plain numbers: which structs it brings, what it deletes, what it needs.

Source: the V1 update format of Yjs 13 (UpdateDecoderV1, Item.read, DeleteSet) and what yrs adds.

    update     = varUint(n) client*n delete-set
    client     = varUint(structs) varUint(client id) varUint(first clock) struct*
    struct     = 00 varUint(length)                    garbage that was collected
               | 0a varUint(length)                    a gap, in merged updates
               | info [origin] [right origin] [parent [key]] content
    info       = bit 80 origin, bit 40 right origin, bit 20 key, low five bits the kind of content
    parent     = 01 varString(root name) | 00 id       only where there is neither origin
    id         = varUint(client id) varUint(clock)
    delete-set = varUint(n) (varUint(client id) varUint(m) (varUint(clock) varUint(length))*m)*n

Nothing here recurses, and nothing is reserved from a number that the update merely declares, so
hostile bytes cost time in proportion to their length. About 1 us a struct.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import Final

import msgspec

from crdt.bounds import BOUNDS, Bounds
from crdt.contents import CONTENTS, pass_text
from crdt.errors import UpdateError, WireError
from crdt.wire.lib0 import read_var_uint

Range = tuple[int, int, int]
"""Client id, first clock, clock behind the last one."""
Place = tuple[int, int]
"""Client id, clock: where that client's structs may be cut, just before that clock."""

CLOCK_MAX: Final = (1 << 31) - 1
"""yrs counts in 32 bits, signed where it subtracts, and panics or wraps silently above."""

_GC: Final = 0
_STRING: Final = 4
_SKIP: Final = 10
_WIDE: Final = re.compile(rb"[\xf0-\xf4][\x80-\xbf]{3}").search
"""A character beyond 16 bits in UTF-8; other bytes may look so too."""


class Outline(msgspec.Struct, frozen=True):
    """What an update brings and what it stands on."""

    ranges: list[Range]
    """The structs it brings, neighbours joined, in its own order; gaps are left out."""
    deletes: list[Range]
    needs: dict[int, int]
    """State vector that a replica must have reached before all of the update can integrate."""
    delete_set_at: int
    """Offset of the delete set."""
    cuts: set[Place]
    """Where it cuts structs that are there: around what it deletes, and beside its origins."""
    texts: list[tuple[int, int, int]]
    """Client id, first clock and offset of each text that may hold characters beyond 16 bits."""

    def ready(self, clocks: dict[int, int]) -> bool:
        """Whether a replica with these clocks has all that the update stands on."""
        return all(clocks.get(client, 0) >= clock for client, clock in self.needs.items())


def outline(update: bytes, bounds: Bounds = BOUNDS, *, cuts: bool = False) -> Outline:
    """Read a whole update. Raises UpdateError for anything that is not exactly one V1 update.

    `cuts` and `texts` are only filled in on demand.
    """
    scan = _Scan(update, bounds, cuts=cuts)
    try:
        scan.read_clients()
        delete_set_at = scan.at
        scan.read_delete_set()
    except (WireError, IndexError):
        raise UpdateError("malformed") from None
    if scan.at != len(update):
        raise UpdateError("trailing")
    return Outline(scan.ranges, scan.deletes, scan.needs(), delete_set_at, scan.cuts, scan.texts)


class Cover:
    """Clocks of clients, as ranges that do not touch; one more costs little, however many."""

    def __init__(self, known: Iterable[Range] = ()) -> None:
        self._owned: dict[int, list[tuple[int, int]]] = {}
        self.add(known)

    def add(self, known: Iterable[Range]) -> None:
        """Put ranges in."""
        for client, low, high in known:
            joined = self._owned.setdefault(client, [])
            first = bisect_left(joined, low, key=_end)
            last = bisect_right(joined, high, key=_start)
            if first < last:
                low = min(low, joined[first][0])  # noqa: PLW2901 - grown by what it touches
                high = max(high, joined[last - 1][1])  # noqa: PLW2901
            joined[first:last] = [(low, high)]

    def has(self, parts: Iterable[Range]) -> bool:
        """Whether all clocks of `parts` lie in it."""
        for client, low, high in parts:
            joined = self._owned.get(client, [])
            at = bisect_right(joined, (low, CLOCK_MAX)) - 1
            if low < high and (at < 0 or joined[at][1] < high):
                return False
        return True


def _start(joined: tuple[int, int]) -> int:
    return joined[0]


def _end(joined: tuple[int, int]) -> int:
    return joined[1]


def covers(known: Iterable[Range], parts: Iterable[Range]) -> bool:
    """Whether all clocks of `parts` lie in `known`."""
    return Cover(known).has(parts)


class _Scan:
    """One pass over an update; `at` is the offset that is read next."""

    def __init__(self, update: bytes, bounds: Bounds, *, cuts: bool) -> None:
        self.data = update
        self.at = 0
        self.here = (0, 0)
        """Client and clock of the struct that is being read."""
        self.text_at = 0
        """Offset of the content of the struct that was read last."""
        self.bounds = bounds
        self.ranges: list[Range] = []
        self.deletes: list[Range] = []
        self.clients: set[int] = set()
        self.starts: dict[int, int] = {}
        """Clock from which on the update itself has all structs of a client."""
        self.references: dict[int, int] = {}
        """Clock that the structs and deletes refer up to, by client."""
        self.wants_cuts = cuts
        self.cuts: set[Place] = set()
        self.texts: list[tuple[int, int, int]] = []

    def read_clients(self) -> None:
        """Read the first half: the structs."""
        for _ in range(self._count(self.bounds.update_clients_max, "too-many")):
            structs = self._count(self.bounds.update_structs_max, "too-many")
            client = self._client()
            if client in self.clients:
                raise UpdateError("malformed")  # Two blocks of one client might overlap.
            self.clients.add(client)
            first = low = clock = self._number()
            for _ in range(structs):
                at = self.at
                self.here = client, clock
                kind, length = self._struct()
                if kind == _STRING and self.wants_cuts and _WIDE(self.data, at, self.at):
                    self.texts.append((client, clock, self.text_at))
                if kind == _SKIP and length:
                    self._note(client, low, clock)
                    low = clock + length
                clock += length
                if clock > CLOCK_MAX:
                    raise UpdateError("clock")
            if clock == first:
                raise UpdateError("malformed")  # pycrdt panics over a client without structs
            self._note(client, low, clock)

    def read_delete_set(self) -> None:
        """Read the second half: the deletions."""
        for _ in range(self._count(self.bounds.update_clients_max, "too-many")):
            client = self._client()
            for _ in range(self._count(self.bounds.update_structs_max, "too-many")):
                low = self._number()
                high = low + self._number()
                self.deletes.append((client, low, high))
                self._refer(client, high)
                if self.wants_cuts:
                    self.cuts.update(((client, low), (client, high)))

    def needs(self) -> dict[int, int]:
        """What the update stands on and does not bring itself."""
        brought: dict[int, int] = {}
        for client, _, high in self.ranges:
            brought[client] = max(high, brought.get(client, 0))
        starts = {client: clock for client, clock in self.starts.items() if clock}
        return starts | {
            client: clock
            for client, clock in self.references.items()
            if clock > brought.get(client, 0)
        }

    def _note(self, client: int, low: int, high: int) -> None:
        """The update brings these clocks, and nothing between them and what came before."""
        if high > low:
            self.ranges.append((client, low, high))
            self.starts[client] = max(low, self.starts.get(client, 0))

    def _refer(self, client: int, clock: int) -> None:
        """Something in the update refers to the client's structs below `clock`."""
        if clock > self.references.get(client, 0):
            self.references[client] = clock

    def _number(self) -> int:
        number, self.at = read_var_uint(self.data, self.at)
        return number

    def _client(self) -> int:
        """A client id. pycrdt masks those of 2^53 and more, so that two peers become one."""
        try:
            return self._number()
        except WireError as error:
            raise UpdateError(
                "client-id" if error.reason == "bad-varint" else "malformed"
            ) from None

    def _count(self, count_max: int, reason: str) -> int:
        """How many follow: each of them takes a byte at least."""
        count = self._number()
        if count > len(self.data) - self.at:
            raise UpdateError("malformed")
        if count > count_max:
            raise UpdateError(reason)
        return count

    def _id(self, cut: int | None = None) -> None:
        """Read an id. As an origin it cuts behind itself (1), as a right origin before it (0)."""
        client = self._client()
        clock = self._number()
        if client == self.here[0] and clock >= self.here[1]:
            raise UpdateError("malformed")  # Nothing stands on what comes after it.
        self._refer(client, clock + 1)
        if cut is not None and self.wants_cuts:
            self.cuts.add((client, clock + cut))

    def _struct(self) -> tuple[int, int]:
        """Read one struct; answers its kind and how many clocks it takes."""
        info = self.data[self.at]
        self.at += 1
        kind = info & 0x1F
        if info in (_GC, _SKIP):
            length = self._number()
            if length == 0 and info == _GC:
                raise UpdateError("malformed")
            return kind, length
        if info & 0x80:
            self._id(1)
        if info & 0x40:
            self._id(0)
        if not info & 0xC0:
            named = self._number()
            if named == 1:
                self.at = pass_text(self.data, self.at)
            else:
                self._id()
            if info & 0x20:
                self.at = pass_text(self.data, self.at)
        read = CONTENTS.get(kind)
        if read is None:
            raise UpdateError("malformed")
        self.text_at = self.at
        length, self.at = read(self.data, self.at, self.bounds)
        return kind, length
