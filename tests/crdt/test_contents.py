"""The contents of structs: each kind is passed over exactly, and has the length Yjs gives it."""

import struct

import pytest

from crdt.bounds import Bounds
from crdt.contents import CONTENTS, pass_value
from crdt.errors import UpdateError, WireError
from crdt.wire import var_bytes, var_string, var_uint
from tests.crdt.samples import nest

BOUNDS = Bounds(nesting_max=30)

KINDS = {
    "deleted": (1, var_uint(300), 300),
    "JSON": (2, b"\x03" + var_string("undefined") + var_string("[1]") + var_string('"é"'), 3),
    "JSON, half a surrogate pair": (2, b"\x01" + var_string('"\\ud83d"'), 1),
    "binary": (3, var_bytes(b"\x00\xff"), 1),
    "string": (4, var_string("abc"), 3),
    "string, not ASCII": (4, var_string("é日🙂"), 4),
    "embed": (5, var_string('{"a":1}'), 1),
    "format": (6, var_string("bold") + var_string("true"), 1),
    "array type": (7, b"\x00", 1),
    "XML element": (7, b"\x03" + var_string("p"), 1),
    "XML text": (7, b"\x06", 1),
    "values": (8, b"\x02~" + b"w" + var_string("x"), 2),
    "subdocument": (9, var_string("guid") + b"v\x01" + var_string("gc") + b"y", 1),
}
VALUES = {
    "undefined": b"\x7f",
    "null": b"\x7e",
    "small integer": b"\x7d\x05",
    "minus zero": b"\x7d\x40",
    "integer": b"\x7d" + b"\xbf\xff\xff\x7f",
    "float32": b"\x7c" + struct.pack(">f", 0.5),
    "float64": b"\x7b" + struct.pack(">d", 0.1),
    "bigint": b"\x7a" + struct.pack(">q", -(2**63)),
    "false": b"\x79",
    "true": b"\x78",
    "string": b"\x77" + var_string("ü🙂"),
    "object": b"\x76\x02" + var_string("a") + b"\x7e" + var_string("") + b"\x76\x00",
    "array": b"\x75\x03\x7e\x75\x00\x75\x01\x75\x01\x7e",
    "bytes": b"\x74" + var_bytes(b"\x00\x75\x76"),
    "nested to the bound": nest(30),
    "nested objects to the bound": nest(30, 118),
}


@pytest.mark.parametrize("case", KINDS.values(), ids=list(KINDS))
def test_a_content_ends_where_it_ends(case: tuple[int, bytes, int]) -> None:
    """Whatever stands behind it; and cut anywhere it is refused."""
    kind, data, length = case

    assert CONTENTS[kind](b"..." + data + b"\x05", 3, BOUNDS) == (length, 3 + len(data))
    for end in range(len(data)):
        with pytest.raises((UpdateError, WireError, IndexError)):
            CONTENTS[kind](data[:end], 0, BOUNDS)


@pytest.mark.parametrize("value", VALUES.values(), ids=list(VALUES))
def test_a_value_ends_where_it_ends(value: bytes) -> None:
    """Whatever stands behind it; and cut anywhere it is refused."""
    assert pass_value(value + b"~~", 0, BOUNDS) == len(value)
    for end in range(len(value)):
        with pytest.raises((UpdateError, WireError, IndexError)):
            pass_value(value[:end], 0, BOUNDS)


def test_a_value_over_the_bound_is_too_deep() -> None:
    """One level more than the bound, in the middle of other values too."""
    for value in (nest(31), nest(31, 118), b"u\x02~" + nest(30)):
        with pytest.raises(UpdateError) as caught:
            pass_value(value, 0, BOUNDS)
        assert caught.value.reason == "too-deep"


@pytest.mark.parametrize("text", ["", "{", "NaN", "Infinity", "[" * 5000, "undefined "])
def test_json_that_yjs_cannot_parse_is_refused(text: str) -> None:
    """Pycrdt keeps any text there, and every editor would stop at it."""
    with pytest.raises(UpdateError):
        CONTENTS[2](b"\x01" + var_string(text), 0, BOUNDS)
