"""Two encodings that say the same are found to, whatever order pycrdt wrote their parts in."""

import random
from typing import Any

import pytest
from hypothesis import given
from pycrdt import Array, Doc, Map, Text

from crdt.document import Document, merge
from crdt.sameness import same_updates, same_vectors
from crdt.wire import var_uint
from tests.crdt.samples import (
    AB,
    HISTORIES,
    C,
    Case,
    concurrent,
    delete,
    embed,
    examples,
    insert,
    mutants,
    subdocument,
    values,
)

OBJECT, TURNED = b"v\2\1a\x7d\1\1bw\1x", b"v\2\1bw\1x\1a\x7d\1"
"""{"a": 1, "b": "x"}, and the same the other way round."""
DIFFERENT = {
    "a letter": (AB, insert(5, 0, "ac")),
    "a client": (AB, insert(6, 0, "ab")),
    "a clock": (C, insert(5, 3, "c", origin=1)),
    "an origin": (C, insert(5, 2, "c", origin=0)),
    "a deletion": (merge([AB, delete(5, 0, 1)]), AB),
    "how much is deleted": (delete(5, 0, 1), delete(5, 0, 2)),
    "what is deleted": (delete(5, 0, 1), delete(6, 0, 1)),
    "a key": (values(OBJECT), values(OBJECT.replace(b"a", b"c"))),
    "a value": (values(OBJECT), values(OBJECT.replace(b"x", b"y"))),
    "the order of an array": (values(b"u\2\x7d\1\x7d\2"), values(b"u\2\x7d\2\x7d\1")),
    "object and array": (values(b"v\0"), values(b"u\0")),
    "a depth": (values(b"u\1u\1~"), values(b"u\2u\0~")),
    "where a second letter stands": (AB, b"\1\2\5\0\4\1\1t\1a\xc4\5\0\6\0\1b\0"),
    "pieces of other kinds": (
        b"\1\2\5\0\4\1\1t\1a\x81\5\0\1\0",
        b"\1\1\5\0\4\1\1t\1a\0",
    ),
    "an embed": (embed('{"a":1,"b":2}'), embed('{"a":2,"b":1}')),
    "no JSON": (embed("{a"), embed("{b")),
    "no update": (b"\1", b"\2"),
    "bytes behind": (AB, AB + b"\0"),
}
EQUAL = {
    "keys": (values(OBJECT), values(TURNED)),
    "keys inside": (values(b"u\1v\1\1k" + OBJECT), values(b"u\1v\1\1k" + TURNED)),
    "keys of an embed": (embed('{"a":1,"b":{"c":2,"d":3}}'), embed('{"b":{"d":3,"c":2},"a":1}')),
    "keys of a subdocument": (subdocument(OBJECT), subdocument(TURNED)),
    "deletions": (b"\0\2\5\1\0\1\6\1\2\1", b"\0\2\6\1\2\1\5\1\0\1"),
    "a text in pieces": (AB, b"\1\2\5\0\4\1\1t\1a\x84\5\0\1b\0"),
    "values in pieces": (values(b"~~", 2), b"\1\2\5\0\x08\1\1a\1~\x88\5\0\1~\0"),
    "garbage in pieces": (b"\1\1\5\0\0\3\0", b"\1\2\5\0\0\1\0\2\0"),
    "what is gone in pieces": (
        b"\1\1\5\3\xc1\6\1\6\2\4\0",
        b"\1\2\5\3\xc1\6\1\6\2\3\xc1\5\5\6\2\1\0",
    ),
    "deletions in pieces": (delete(5, 0, 2), b"\0\1\5\2\0\1\1\1"),
}


@pytest.mark.parametrize("pair", DIFFERENT.values(), ids=list(DIFFERENT))
def test_what_differs_is_told_apart(pair: tuple[bytes, bytes]) -> None:
    """In any single thing."""
    one, other = pair

    assert not same_updates(one, other)
    assert not same_updates(other, one)


@pytest.mark.parametrize("pair", EQUAL.values(), ids=list(EQUAL))
def test_the_order_in_which_it_is_written_makes_no_difference(pair: tuple[bytes, bytes]) -> None:
    """Of keys and of deletions, in bytes that do differ."""
    one, other = pair

    assert one != other
    assert same_updates(one, other)


@pytest.mark.parametrize("case", HISTORIES.values(), ids=list(HISTORIES))
def test_a_history_that_is_loaded_twice_says_the_same(case: Case) -> None:
    """Everything that Yjs writes can be compared, and all but the last update is not all."""
    whole, again = (Document.rebuild(case.updates) for _ in range(2))

    assert same_updates(whole.encode(), again.encode())
    assert same_vectors(whole.state_vector(), again.state_vector())
    if len(case.updates) > 1:
        part = Document.rebuild(case.updates[:-1])
        assert part.has_pending or not same_updates(whole.encode(), part.encode())


def test_pycrdt_does_write_one_document_in_many_ways() -> None:
    """Otherwise bytes could be compared."""
    doc: Doc[Any] = Doc(client_id=5)
    doc["m"] = Map({"k": {letter: {letter: 1, "z": 2} for letter in "abcdef"}})
    doc["a"] = Array([{"x": 1, "y": 2}])
    doc["t"] = text = Text("two")
    text.insert_embed(1, {"src": "x", "alt": "y"}, {"link": {"href": "x", "title": "y"}})
    update = doc.get_update()

    encodings = {Document.rebuild([update]).encode() for _ in range(20)}

    assert len(encodings) > 1
    assert all(same_updates(update, encoding) for encoding in encodings)


def test_vectors_are_compared_by_their_clocks() -> None:
    """Of as many clients as there are, in any order."""
    pairs = [var_uint(1000 + client) + var_uint(client) for client in range(100_000)]
    shuffled = random.Random(1).sample(pairs, len(pairs))
    count = var_uint(len(pairs))

    assert same_vectors(count + b"".join(pairs), count + b"".join(shuffled))
    assert not same_vectors(b"\1\5\2", b"\1\5\3")
    assert not same_vectors(b"\1\5\2", b"\2\5\2\6\1")


@pytest.mark.parametrize("seed", range(4))
def test_a_letter_more_is_always_seen(seed: int) -> None:
    """In what several people wrote at once."""
    updates = concurrent(seed, steps=60)
    whole = Document.rebuild(updates).encode()

    for left_out in range(0, len(updates), 7):
        rest = Document.rebuild(updates[:left_out] + updates[left_out + 1 :])
        assert not same_updates(whole, rest.encode()) or rest.has_pending


@examples(300, 20_000)
@given(mutants(), mutants())
def test_any_bytes_may_be_compared(one: bytes, other: bytes) -> None:
    """Nothing is raised, and both ways round the answer is one."""
    assert same_updates(one, other) == same_updates(other, one)
