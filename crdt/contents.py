"""Passing over the contents of an update's structs, kind by kind, with their length in clocks.

Source: `contentRefs` of Yjs and lib0's encoding of any. Each reader takes the offset of
the content and answers how many clocks the content takes and the offset of what follows. They raise
UpdateError, WireError, or IndexError at the end of the data; `outline` turns those into one.
"""

import json
from collections.abc import Callable
from typing import Final

from crdt.bounds import Bounds
from crdt.errors import UpdateError
from crdt.wire.lib0 import read_var_bytes, read_var_uint


def pass_text(data: bytes, at: int) -> int:
    """Pass over a varString, which must be UTF-8."""
    text, at = read_var_bytes(data, at)
    if not text.isascii():
        _decode(text)
    return at


def _decode(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise UpdateError("malformed") from None


def _read_deleted(data: bytes, at: int, _bounds: Bounds) -> tuple[int, int]:
    """Content that is gone: only how many clocks it took is left."""
    return read_var_uint(data, at)


def _read_json(data: bytes, at: int, _bounds: Bounds) -> tuple[int, int]:
    """Values of old Yjs versions, each as JSON text. pycrdt keeps any text, Yjs parses it."""
    count, at = read_var_uint(data, at)
    if count > len(data) - at:
        raise UpdateError("malformed")
    for _ in range(count):
        text, at = read_var_bytes(data, at)
        if text != b"undefined":
            _parse(text)
    return count, at


def _parse(text: bytes) -> None:
    try:
        json.loads(_decode(text), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise UpdateError("malformed") from None


def _refuse_constant(name: str) -> None:
    """NaN and Infinity are Python's, not JSON's."""
    raise ValueError(name)


def _read_binary(data: bytes, at: int, _bounds: Bounds) -> tuple[int, int]:
    return 1, read_var_bytes(data, at)[1]


def _read_string(data: bytes, at: int, _bounds: Bounds) -> tuple[int, int]:
    """Text of a shared text; its clocks count UTF-16 units, as JavaScript does."""
    text, at = read_var_bytes(data, at)
    if text.isascii():
        return len(text), at
    return len(_decode(text).encode("utf-16-le")) // 2, at


def _read_embed(data: bytes, at: int, _bounds: Bounds) -> tuple[int, int]:
    return 1, pass_text(data, at)


def _read_format(data: bytes, at: int, _bounds: Bounds) -> tuple[int, int]:
    return 1, pass_text(data, pass_text(data, at))


def _read_type(data: bytes, at: int, _bounds: Bounds) -> tuple[int, int]:
    """A nested shared type; XML elements (3) carry their name.

    Hooks (5) do so too, but pycrdt does not know that and reads what follows as something else.
    """
    number, at = read_var_uint(data, at)
    if number > 6 or number == 5:
        raise UpdateError("unsupported")
    return 1, pass_text(data, at) if number == 3 else at


def _read_values(data: bytes, at: int, bounds: Bounds) -> tuple[int, int]:
    count, at = read_var_uint(data, at)
    if count > len(data) - at:
        raise UpdateError("malformed")
    for _ in range(count):
        at = pass_value(data, at, bounds)
    return count, at


def _read_subdocument(data: bytes, at: int, bounds: Bounds) -> tuple[int, int]:
    return 1, pass_value(data, pass_text(data, at), bounds)


def _read_move(_data: bytes, _at: int, _bounds: Bounds) -> tuple[int, int]:
    """A range that yrs moved: no Yjs can read it, so every editor would break on the document."""
    raise UpdateError("unsupported")


CONTENTS: Final[dict[int, Callable[[bytes, int, Bounds], tuple[int, int]]]] = {
    1: _read_deleted,
    2: _read_json,
    3: _read_binary,
    4: _read_string,
    5: _read_embed,
    6: _read_format,
    7: _read_type,
    8: _read_values,
    9: _read_subdocument,
    11: _read_move,
}

_FIXED: Final = {127: 0, 126: 0, 124: 4, 123: 8, 122: 8, 121: 0, 120: 0}
"""Bytes behind the tags undefined, null, float32, float64, bigint, false, true."""


def pass_value(data: bytes, at: int, bounds: Bounds) -> int:
    """Pass over one value in lib0's encoding of any; answers the offset of what follows.

    `open_` holds, for each array and object that is not complete, how many members are to come;
    negative for objects, whose members have a key.
    """
    open_: list[int] = []
    while True:
        if open_ and open_[-1] < 0:
            at = pass_text(data, at)
        tag = data[at]
        at += 1
        if tag in (117, 118):
            count, at = read_var_uint(data, at)
            if count > len(data) - at:
                raise UpdateError("malformed")
            if len(open_) >= bounds.nesting_max:
                raise UpdateError("too-deep")
            if count:
                open_.append(count if tag == 117 else -count)
                continue
        else:
            at = _pass_scalar(tag, data, at)
        while open_:
            left = open_.pop()
            left -= 1 if left > 0 else -1
            if left:
                open_.append(left)
                break
        if not open_:
            return at


def _pass_scalar(tag: int, data: bytes, at: int) -> int:
    """Pass over a value that holds no other ones."""
    fixed = _FIXED.get(tag)
    if fixed is not None:
        if at + fixed > len(data):
            raise UpdateError("malformed")
        return at + fixed
    if tag == 119:
        return pass_text(data, at)
    if tag == 116:
        return read_var_bytes(data, at)[1]
    if tag != 125:
        raise UpdateError("malformed")
    # A signed number: its bytes end like those of an unsigned one.
    end = at
    while data[end] >= 0x80:
        end += 1
    if end - at > 9:
        raise UpdateError("malformed")
    return end + 1
