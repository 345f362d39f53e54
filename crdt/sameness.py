"""Whether two encodings say the same, though pycrdt writes some parts of them in no fixed order.

It keeps clients of a state vector and of a delete set, and the keys of plain objects, in hash maps:
two documents that were built of the same updates write them in different orders, and so may one
document that was loaded twice. Who compares bytes alone takes them for different.
"""

import json
from contextlib import suppress
from dataclasses import replace
from typing import Final

import msgspec

from crdt.bounds import BOUNDS, Bounds
from crdt.contents import pass_value
from crdt.errors import UpdateError, WireError
from crdt.merging import decode_state_vector
from crdt.outline import Range, _Scan
from crdt.wire.lib0 import read_var_bytes, read_var_uint, var_uint

_EMBED: Final = 5
_FORMAT: Final = 6
_VALUES: Final = 8
_SUBDOCUMENT: Final = 9
_ARRAY: Final = 117
_OBJECT: Final = 118

_GC: Final = 0
_DELETED: Final = 1
_JSON: Final = 2
_TEXT: Final = 4
_GAP: Final = 10
_JOINED: Final = (_GC, _DELETED, _JSON, _TEXT, _VALUES, _GAP)
"""Kinds whose structs are cut and joined again at any clock."""


def same_vectors(one: bytes, other: bytes) -> bool:
    """Whether two state vectors of ours know the same clocks of the same clients."""
    if one == other:
        return True
    if len(one) != len(other):
        return False
    bounds = replace(BOUNDS, state_vector_bytes_max=len(one))
    return decode_state_vector(one, bounds) == decode_state_vector(other, bounds)


def same_updates(one: bytes, other: bytes) -> bool:
    """Whether two updates bring the same structs with the same contents and delete the same.

    False too for bytes that are no update.
    """
    if one == other:
        return True
    try:
        return _read(one) == _read(other)
    except UpdateError:
        return False


class _Said(msgspec.Struct):
    """What a struct says, together with those behind it that go on with it."""

    clock: int
    end: int
    kind: int
    head: bytes
    """All before the content: the origins, or where it stands."""
    right: bytes
    """The right origin alone."""
    content: list[bytes]


def _read(update: bytes) -> tuple[dict[int, list[_Said]], list[Range]]:
    reader = _Reader(update, replace(BOUNDS, update_structs_max=len(update) + 1))
    try:
        reader.read_clients()
        reader.read_delete_set()
    except (WireError, IndexError):
        raise UpdateError("malformed") from None
    if reader.at != len(update):
        raise UpdateError("trailing")
    for all_said in reader.said.values():
        for said in all_said:
            said.content = [b"".join(said.content)]
    return reader.said, _joined(reader.deletes)


def _joined(deletes: list[Range]) -> list[Range]:
    """Ranges in order, those that touch made one."""
    joined: list[Range] = []
    for client, low, high in sorted(deletes):
        if joined and joined[-1][0] == client and joined[-1][2] >= low:
            joined[-1] = (client, joined[-1][1], max(joined[-1][2], high))
        else:
            joined.append((client, low, high))
    return joined


class _Reader(_Scan):
    """Notes every struct, in no order of keys and as long as it can be.

    pycrdt cuts structs where others are put between, and does not always join them again.
    """

    def __init__(self, update: bytes, bounds: Bounds) -> None:
        super().__init__(update, bounds, cuts=False)
        self.said: dict[int, list[_Said]] = {}

    def _struct(self) -> tuple[int, int]:
        at = self.at
        client, clock = self.here
        kind, length = super()._struct()
        end = clock + length
        origin: tuple[int, int] | None = (client, clock - 1)
        if kind in (_GC, _GAP):
            said = _Said(clock, end, kind, b"", b"", [])
        else:
            origin, right = _origins(self.data, at)
            head = self.data[at : self.text_at]
            content = _content(self.data, self.text_at, self.at, kind)
            said = _Said(clock, end, kind, head, right, content)
        mine = self.said.setdefault(client, [])
        if mine and origin == (client, clock - 1) and _goes_on(said, mine[-1]):
            mine[-1].end = end
            mine[-1].content += said.content
        else:
            mine.append(said)
        return kind, length


def _goes_on(said: _Said, before: _Said) -> bool:
    """Whether a struct that stands right behind another one could be a part of it."""
    return said.kind in _JOINED and (said.kind, said.right, said.clock) == (
        before.kind,
        before.right,
        before.end,
    )


def _origins(data: bytes, at: int) -> tuple[tuple[int, int] | None, bytes]:
    """Of the struct at this offset: its origin, and the bytes of its right origin."""
    info, at = data[at], at + 1
    origin, right = None, b""
    if info & 0x80:
        client, at = read_var_uint(data, at)
        clock, at = read_var_uint(data, at)
        origin = client, clock
    if info & 0x40:
        _, end = read_var_uint(data, at)
        _, end = read_var_uint(data, end)
        right = data[at:end]
    return origin, right


def _content(data: bytes, at: int, end: int, kind: int) -> list[bytes]:
    """What a struct holds, without how much of it there is."""
    content = [data[at:end]]
    if kind == _DELETED:
        content = []
    elif kind == _TEXT:
        content = [read_var_bytes(data, at)[0]]
    elif kind == _JSON:
        content = [data[read_var_uint(data, at)[1] : end]]
    elif kind == _VALUES:
        content = _values(data, at)
    elif kind == _SUBDOCUMENT:
        options = read_var_bytes(data, at)[1]
        content = [data[at:options], _value(data, options)[0]]
    elif kind in (_EMBED, _FORMAT):
        value = at if kind == _EMBED else read_var_bytes(data, at)[1]
        content = [data[at:value], _ordered(read_var_bytes(data, value)[0])]
    return content


def _values(data: bytes, at: int) -> list[bytes]:
    count, at = read_var_uint(data, at)
    values = []
    for _ in range(count):
        value, at = _value(data, at)
        values.append(value)
    return values


def _ordered(text: bytes) -> bytes:
    """JSON with the members of its objects by key; what is no JSON stays as it is."""
    if b"{" in text:
        with suppress(ValueError, RecursionError):
            return json.dumps(json.loads(text), sort_keys=True).encode()
    return text


def _value(data: bytes, at: int) -> tuple[bytes, int]:
    """One value, its objects' members by key; and the offset of what follows.

    `open_` holds for each array and object that is not complete how many members are to come, the
    keys (None for an array) and the members that were read.
    """
    open_: list[tuple[int, list[bytes] | None, list[bytes]]] = []
    while True:
        if open_ and open_[-1][1] is not None:
            key, at = read_var_bytes(data, at)
            open_[-1][1].append(key)
        tag = data[at]
        if tag in (_ARRAY, _OBJECT):
            count, at = read_var_uint(data, at + 1)
            if count:
                open_.append((count, [] if tag == _OBJECT else None, []))
                continue
            said = bytes((tag, 0))
        else:
            end = pass_value(data, at, BOUNDS)
            said, at = data[at:end], end
        while open_:
            count, keys, members = open_[-1]
            members.append(said)
            if len(members) < count:
                break
            open_.pop()
            said = _whole(keys, members)
        if not open_:
            return said, at


def _whole(keys: list[bytes] | None, members: list[bytes]) -> bytes:
    """An array or object with all its members."""
    if keys is None:
        return bytes((_ARRAY,)) + var_uint(len(members)) + b"".join(members)
    ordered = sorted(zip(keys, members, strict=True))
    parts = [var_uint(len(key)) + key + member for key, member in ordered]
    return bytes((_OBJECT,)) + var_uint(len(members)) + b"".join(parts)
