"""The bytes a load client meets: lib0 varints, sync frames, and which edits an update carries.

Sources: y-protocols PROTOCOL.md, the Hocuspocus provider, Yjs' UpdateDecoderV1.
"""

from typing import NamedTuple

STEP1_EMPTY = b"\x00\x00\x01\x00"
"""Sync step 1 of a client that has nothing."""
STEP2_EMPTY = b"\x00\x01\x02\x00\x00"
"""Sync step 2 that brings nothing."""


class Range(NamedTuple):
    """Clocks `low` up to but not including `high` of one Yjs client."""

    client: int
    low: int
    high: int


def var_uint(number: int) -> bytes:
    """Write a lib0 variable-length unsigned integer."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def read_var_uint(data: bytes, at: int) -> tuple[int, int]:
    """Read an integer; answers it and the offset behind it. IndexError where data ends early."""
    byte = data[at]
    at += 1
    if byte < 128:
        return byte, at
    number, shift = byte & 127, 7
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
        shift += 7


def var_bytes(data: bytes) -> bytes:
    """Bytes behind their length."""
    return var_uint(len(data)) + data


def read_var_bytes(data: bytes, at: int) -> tuple[bytes, int]:
    """Bytes written by `var_bytes`, and the offset behind them."""
    size, at = read_var_uint(data, at)
    if at + size > len(data):
        raise IndexError("fewer bytes than their length says")
    return data[at : at + size], at + size


def update_frame(update: bytes) -> bytes:
    """The sync frame that sends one update."""
    return b"\x00\x02" + var_bytes(update)


def awareness_frame(client: int, clock: int, state: bytes) -> bytes:
    """The frame that announces one client's state, which is JSON text."""
    entry = var_uint(1) + var_uint(client) + var_uint(clock) + var_bytes(state)
    return b"\x01" + var_bytes(entry)


def awareness_clocks(payload: bytes) -> list[tuple[int, int]]:
    """(client, clock) of every entry of an awareness update."""
    count, at = read_var_uint(payload, 0)
    entries = []
    for _ in range(count):
        client, at = read_var_uint(payload, at)
        clock, at = read_var_uint(payload, at)
        _, at = read_var_bytes(payload, at)
        entries.append((client, clock))
    return entries


def state_vector_clocks(vector: bytes) -> dict[int, int]:
    """Client to next clock, as a state vector says it."""
    count, at = read_var_uint(vector, 0)
    clocks = {}
    for _ in range(count):
        client, at = read_var_uint(vector, at)
        clocks[client], at = read_var_uint(vector, at)
    return clocks


def _utf16_units(text: bytes) -> int:
    """Yjs counts text in UTF-16 code units."""
    if text.isascii():
        return len(text)
    return len(text.decode("utf-8", "surrogatepass").encode("utf-16-le", "surrogatepass")) // 2


def _skip_parent(data: bytes, at: int, info: int) -> int:
    """Step over origins, or over parent and key where an item has no origin."""
    for bit in (0x80, 0x40):
        if info & bit:
            _, at = read_var_uint(data, at)
            _, at = read_var_uint(data, at)
    if not info & 0xC0:
        is_root, at = read_var_uint(data, at)
        if is_root == 1:
            _, at = read_var_bytes(data, at)
        else:
            _, at = read_var_uint(data, at)
            _, at = read_var_uint(data, at)
        if info & 0x20:
            _, at = read_var_bytes(data, at)
    return at


def _content(data: bytes, at: int, kind: int) -> tuple[int, int]:
    """Length in clocks of an item's content, and the offset behind it."""
    if kind == 1:
        return read_var_uint(data, at)
    if kind == 4:
        text, at = read_var_bytes(data, at)
        return _utf16_units(text), at
    if kind in {3, 5}:
        _, at = read_var_bytes(data, at)
        return 1, at
    if kind == 6:
        _, at = read_var_bytes(data, at)
        _, at = read_var_bytes(data, at)
        return 1, at
    raise ValueError(f"content kind {kind} is not one that load clients write")


def update_ranges(update: bytes) -> list[Range]:
    """The clock ranges that a V1 update carries.

    Knows what load clients write: text, deletions, binary, embeds, formats, gaps. ValueError for
    other content, IndexError for truncated bytes.
    """
    out = []
    clients, at = read_var_uint(update, 0)
    for _ in range(clients):
        structs, at = read_var_uint(update, at)
        client, at = read_var_uint(update, at)
        clock, at = read_var_uint(update, at)
        for _ in range(structs):
            info = update[at]
            at += 1
            kind = info & 31
            low = clock
            if kind in {0, 10}:
                size, at = read_var_uint(update, at)
            else:
                at = _skip_parent(update, at, info)
                size, at = _content(update, at, kind)
            clock += size
            if kind != 10:
                out.append(Range(client, low, clock))
    return out
