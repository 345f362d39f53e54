"""The check before pycrdt: nothing honest is refused, nothing dangerous passes, at full speed."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pycrdt
import pytest
from hypothesis import given

from crdt import structure
from crdt.bounds import Bounds
from crdt.errors import UpdateError
from crdt.wire import var_uint
from tests.crdt.samples import (
    CASES,
    HOOK,
    REAL,
    V2,
    Case,
    binary,
    delete,
    embed,
    examples,
    insert,
    mutants,
    nest,
    subdocument,
    values,
)

HOME = Path(__file__).parents[2]


def _refusal(update: bytes, bounds: Bounds | None = None) -> str | None:
    try:
        structure.check(update, bounds or Bounds())
    except UpdateError as error:
        return error.reason
    return None


def _slow_refusal(update: bytes) -> str | None:
    try:
        structure.outline(update)
    except UpdateError as error:
        return error.reason
    return None


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_whatever_yjs_writes_passes(case: Case) -> None:
    """Every update of the real Yjs 13 and 14, by whichever path it is read."""
    for update in (*case.updates, case.whole):
        if update is not None:
            assert _refusal(update) is None
            assert _slow_refusal(update) is None


def test_whatever_pycrdt_writes_passes() -> None:
    """Every shared type, as pycrdt writes it."""
    for update in REAL:
        assert _refusal(update) is None
        assert _slow_refusal(update) is None


def test_hooks_are_refused_because_pycrdt_misreads_them() -> None:
    """The name of an XML hook would be read as the structs that follow."""
    assert [_refusal(update) for update in HOOK.updates] == ["unsupported"]


def test_v2_is_refused_and_named() -> None:
    """V2 bytes read as an empty V1 update with something behind: accepted, they would be lost."""
    documents = [case.v2 for case in (*CASES.values(), HOOK) if case.v2 is not None]

    assert {_refusal(update) for update in (*documents, *V2)} == {"v2"}


def test_the_empty_update_is_v1() -> None:
    """Two zeros are honest and common: the step 2 of a client that has nothing."""
    assert _refusal(b"\x00\x00") is None
    assert _refusal(bytes(13)) == "v2"


REFUSED = {
    "nothing": (b"", "malformed"),
    "one byte": (b"\x00", "malformed"),
    "client id of 2^53": (
        b"\x01\x01" + b"\x80" * 7 + b"\x10" + b"\x00\x04\x01\x01t\x01a\x00",
        "client-id",
    ),
    "client id of 2^60": (
        b"\x01\x01" + b"\x80" * 8 + b"\x10" + b"\x00\x04\x01\x01t\x01a\x00",
        "client-id",
    ),
    "client id of 2^53 in an origin": (
        b"\x01\x01\x05\x01\x84" + b"\x80" * 7 + b"\x10" + b"\x00\x01a\x00",
        "client-id",
    ),
    "client id of 2^53 in a deletion": (
        b"\x00\x01" + b"\x80" * 7 + b"\x10" + b"\x01\x00\x01",
        "client-id",
    ),
    "something behind": (insert(5, 0, "a") + b"\x00", "trailing"),
    "a whole update behind": (insert(5, 0, "a") * 2, "trailing"),
    "something behind deletions": (delete(5, 0, 1) + b"\x07", "trailing"),
    "cut in a struct": (insert(5, 0, "abc")[:-3], "malformed"),
    "without its delete set": (insert(5, 0, "abc")[:-1], "malformed"),
    "text that is not UTF-8": (b"\x01\x01\x05\x00\x04\x01\x01t\x02\xc3\x28\x00", "malformed"),
    "half of a surrogate pair": (
        b"\x01\x01\x05\x00\x04\x01\x01t\x03\xed\xa0\x80\x00",
        "malformed",
    ),
    "unknown content": (b"\x01\x01\x05\x00\x0c\x01\x01t\x01a\x00", "malformed"),
    "content of yrs alone": (
        b"\x01\x01\x05\x00\x0b\x01\x01t\x00\x05\x00\x05\x01\x00",
        "unsupported",
    ),
    "type of yrs alone": (b"\x01\x01\x05\x00\x07\x01\x01t\x0f\x00", "unsupported"),
    "JSON that is none": (b"\x01\x01\x05\x00\x02\x01\x01t\x01\x03{a}\x00", "malformed"),
    "an embed that is no JSON": (embed("{"), "malformed"),
    "garbage of no length": (b"\x01\x01\x05\x00\x00\x00\x00", "malformed"),
    "clocks over 31 bits": (
        b"\x01\x01\x05" + var_uint(5) + b"\x00" + var_uint((1 << 31) - 5) + b"\x00",
        "clock",
    ),
    "a clock over 31 bits": (insert(5, 1 << 31, "a"), "clock"),
    "value with an unknown tag": (values(b"\x0a"), "malformed"),
    "value that ends early": (values(b"u\x05~"), "malformed"),
    "number without an end": (values(b"}" + b"\xff" * 20), "malformed"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=list(REFUSED))
def test_malformed_updates_are_refused(case: tuple[bytes, str]) -> None:
    """Each kind of malformed update has its own stable reason."""
    update, reason = case

    assert _refusal(update) == reason


DECLARED = [var_uint((1 << bits) - 1) for bits in (7, 14, 21, 26, 28, 31, 32, 40, 53)]
"""Counts that nothing stands behind; pycrdt reserves a megabyte and more for some of them."""


SHAPES: dict[str, Callable[[bytes], bytes]] = {
    "clients": lambda n: n + b"\x01\x05\x00\x04\x01\x01t\x01a\x00",
    "structs": lambda n: b"\x01" + n + b"\x05\x00\x04\x01\x01t\x01a\x00",
    "clients of deletions": lambda n: b"\x00" + n + b"\x05\x01\x00\x01",
    "deletions": lambda n: b"\x00\x01\x05" + n + b"\x00\x01",
    "root name": lambda n: b"\x01\x01\x05\x00\x04\x01" + n + b"t\x01a\x00",
    "text": lambda n: b"\x01\x01\x05\x00\x04\x01\x01t" + n + b"a\x00",
    "JSON": lambda n: b"\x01\x01\x05\x00\x02\x01\x01t" + n + b"\x04null\x00",
    "values": lambda n: b"\x01\x01\x05\x00\x08\x01\x01t" + n + b"~\x00",
    "array": lambda n: values(b"u" + n),
    "object": lambda n: values(b"v" + n),
    "string": lambda n: values(b"w" + n),
    "bytes": lambda n: values(b"t" + n),
    "options": lambda n: subdocument(b"v" + n),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=list(SHAPES))
@pytest.mark.parametrize("number", DECLARED, ids=[str(len(number)) for number in DECLARED])
def test_declared_counts_reserve_nothing(shape: Callable[[bytes], bytes], number: bytes) -> None:
    """A count that is not followed by as much is malformed, whatever it counts."""
    update = shape(number)

    assert _refusal(update) in {"malformed", "v2", "too-many"}


def test_counts_have_bounds() -> None:
    """Structs, deletions and clients are bounded each, on both sides of the bound."""
    bounds = Bounds(update_structs_max=3, update_clients_max=2)

    def structs(count: int) -> bytes:
        return b"\x01" + var_uint(count) + b"\x05\x00" + b"\x00\x01" * count + b"\x00"

    def clients(count: int) -> bytes:
        blocks = b"".join(b"\x01" + var_uint(9 - c) + b"\x00\x00\x01" for c in range(count))
        return var_uint(count) + blocks + b"\x00"

    assert _refusal(structs(3), bounds) is None
    assert _refusal(structs(4), bounds) == "too-many"
    assert _refusal(clients(2), bounds) is None
    assert _refusal(clients(3), bounds) == "too-many"


def test_updates_have_a_size() -> None:
    """An update of the bound passes, one byte more does not."""
    update = insert(5, 0, "x" * 90)

    assert _refusal(update, Bounds(update_bytes_max=len(update))) is None
    assert _refusal(update, Bounds(update_bytes_max=len(update) - 1)) == "too-large"


@pytest.mark.parametrize("tag", [117, 118], ids=["arrays", "objects"])
@pytest.mark.parametrize("wrap", [values, subdocument], ids=["value", "subdocument"])
def test_nesting_has_a_bound(tag: int, wrap: Callable[[bytes], bytes]) -> None:
    """A value nested to the bound passes, one level more does not."""
    bounds = Bounds(nesting_max=40)

    assert _refusal(wrap(nest(40, tag)), bounds) is None
    assert _refusal(wrap(nest(41, tag)), bounds) == "too-deep"


def test_many_letters_are_no_nest() -> None:
    """A text of 100,000 u is honest, and so is a long flat list of arrays."""
    assert _refusal(insert(5, 0, "uv" * 50_000)) is None
    assert _refusal(values(b"u\x01~" * 5000, 5000)) is None
    assert _refusal(binary(b"u" * 5000)) is None


KILLERS = """
import resource
resource.setrlimit(resource.RLIMIT_STACK, (8 << 20, resource.getrlimit(resource.RLIMIT_STACK)[1]))
from crdt import structure
from crdt.errors import UpdateError
from tests.crdt.samples import embed, nest, subdocument, values
for depth in (600, 26_000, 500_000):
    for tag in (117, 118):
        for update in (
            values(nest(depth, tag)),
            values(b"~" + nest(depth, tag), 2),
            subdocument(nest(depth, tag)),
            embed("[" * depth + "]" * depth),
        ):
            try:
                structure.check(update)
            except UpdateError as error:
                print(error.reason)
            else:
                print("passed")
"""


def test_the_update_that_kills_pycrdt_never_reaches_it() -> None:
    """With an 8 MB stack a nest of 26,000 is the end of the process in every call of pycrdt."""
    run = subprocess.run(
        [sys.executable, "-c", KILLERS], cwd=HOME, capture_output=True, text=True, check=False
    )

    assert (run.returncode, set(run.stdout.split())) == (0, {"too-deep", "malformed"}), run.stderr


@examples(1000, 30_000)
@given(mutants())
def test_the_fast_path_accepts_nothing_that_our_decoder_refuses(update: bytes) -> None:
    """And what passes is one update for both, with the structs of the same clients."""
    bounds = Bounds()
    fast = structure._is_plain(update, bounds) and _round_trip(update) == update

    refusal = _slow_refusal(update)
    if fast:
        assert refusal is None
    if _refusal(update) is None:
        again = pycrdt.get_update(update, b"\0")
        assert set(structure.client_ids(again)) == set(structure.client_ids(update))


def _round_trip(update: bytes) -> bytes | None:
    try:
        return structure._round_trip(update)
    except UpdateError:
        return None


def test_costly_updates_are_for_a_helper() -> None:
    """Large ones, and middling ones of many structs, which our own decoder must read."""
    many = b"\x01" + var_uint(20_000) + b"\x05\x00" + b"\x04\x01\x01t\x01a" * 20_000 + b"\x00"

    assert not structure.is_costly(insert(5, 0, "uv" * 40_000))
    assert structure.is_costly(insert(5, 0, "x" * 300_000))
    assert structure.is_costly(many)
    assert not structure.is_costly(many[:60_000])
    assert not structure.is_costly(b"\x00" + bytes(100_000))


def test_questions_about_an_update() -> None:
    """Which structs, whose, which deletions; which clients a state vector knows."""
    update = pycrdt.merge_updates(
        insert(5, 3, "abc", origin=2), insert(9, 0, "é🙂"), delete(5, 1, 2)
    )

    assert structure.ranges(update) == [(9, 0, 3), (5, 3, 6)]
    assert structure.delete_ranges(update) == [(5, 1, 3)]
    assert structure.client_ids(update) == {5, 9}
    assert structure.vector_clients(b"\x02\x05\x01\x09\x03") == {5, 9}
    with pytest.raises(UpdateError):
        structure.vector_clients(b"\x02\x05\x01\x09")
