"""Real updates of real replicas, and hostile ones made from them; used by the tests of the core.

`updates/yjs.json` was written by Yjs itself, see `updates/make.mjs`.
"""

import json
import os
import random
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from pycrdt import Array, Doc, Map, Text, XmlElement, XmlFragment, XmlText

from crdt.document import Document, decode_state_vector
from crdt.wire import var_bytes, var_string, var_uint

FULL = os.environ.get("PLAIT_TEST_FULL") == "1"
"""Whether the long forms are asked for."""


def examples(short: int, full: int) -> settings:
    """How many examples a property is tried on, by default and in the long form."""
    return settings(max_examples=full if FULL else short, deadline=None)


class Case(NamedTuple):
    """One history that Yjs wrote."""

    name: str
    updates: list[bytes]
    """In the order they were made."""
    whole: bytes | None
    v2: bytes | None
    vector: bytes | None
    text: str | None
    """What the shared text "t" reads at the end."""


def _load() -> tuple[dict[str, Case], list[bytes]]:
    file = json.loads((Path(__file__).parent / "updates" / "yjs.json").read_text("utf-8"))
    cases = {}
    for case in file["cases"]:
        whole, v2, vector = (
            bytes.fromhex(case[key]) if key in case else None for key in ("whole", "v2", "vector")
        )
        updates = [bytes.fromhex(update) for update in case["updates"]]
        text = case.get("text")
        if (
            text is not None
        ):  # Half a pair cannot be sent: Yjs puts U+FFFD there for all but itself.
            text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        cases[case["name"]] = Case(case["name"], updates, whole, v2, vector, text)
    return cases, [bytes.fromhex(update) for update in file["v2"]]


CASES, V2 = _load()
HOOK = CASES.pop("xml hook")
"""The one kind of content that Yjs writes and pycrdt misreads."""
HISTORIES = {name: case for name, case in CASES.items() if case.whole and case.vector}
"""Those that have all updates of a document, so that they can be replayed."""
YJS = [
    update
    for case in CASES.values()
    for update in (*case.updates, *([case.whole] if case.whole else []))
]
"""Every update in the file."""


def pycrdt_updates(client_id: int = 77) -> list[bytes]:
    """What a pycrdt replica writes, of every shared type."""
    doc: Doc[Any] = Doc(client_id=client_id)
    made: list[bytes] = []
    doc.observe(lambda event: made.append(event.update))
    doc["t"] = text = Text()
    text += "hello wörld 🙂"
    text.insert(3, "xx", {"bold": True})
    del text[0:2]
    doc["m"] = tree = Map({"n": 1, "list": [1, "two", {"u": [None, 1.5, b"bytes"]}]})
    tree["nested"] = Map({"inner": Array([1, 2, Text("deep")])})
    del tree["n"]
    doc["x"] = root = XmlFragment()
    root.children.append(XmlElement("p", {"id": "1"}, contents=[XmlText("in a paragraph")]))
    return made


REAL = [*YJS, *pycrdt_updates()]


def insert(client: int, clock: int, text: str, *, origin: int | None = None) -> bytes:
    """An update that inserts into the text "t", behind clock `origin` of the same client."""
    parent = (
        b"\x04\x01" + var_string("t")
        if origin is None
        else b"\x84" + var_uint(client) + var_uint(origin)
    )
    return b"\x01\x01" + var_uint(client) + var_uint(clock) + parent + var_string(text) + b"\x00"


def delete(client: int, clock: int, length: int) -> bytes:
    """An update that only deletes."""
    return b"\x00\x01" + var_uint(client) + b"\x01" + var_uint(clock) + var_uint(length)


def values(content: bytes, count: int = 1) -> bytes:
    """An update with one struct that holds plain values, encoded already."""
    return b"\x01\x01\x05\x00\x08\x01\x01a" + var_uint(count) + content + b"\x00"


def nest(depth: int, tag: int = 117) -> bytes:
    """A value of arrays (117) or objects (118) in each other; 26,000 of them kill pycrdt."""
    level = b"u\x01" if tag == 117 else b"v\x01\x01k"
    return level * depth + b"~"


def subdocument(options: bytes) -> bytes:
    """An update with a subdocument, whose options are encoded already."""
    return b"\x01\x01\x05\x00\x09\x01\x01a" + var_string("guid") + options + b"\x00"


def embed(json_text: str) -> bytes:
    """An update with an embed in a text."""
    return b"\x01\x01\x05\x00\x05\x01\x01t" + var_string(json_text) + b"\x00"


def binary(data: bytes) -> bytes:
    """An update with bytes in an array."""
    return b"\x01\x01\x05\x00\x03\x01\x01a" + var_bytes(data) + b"\x00"


AB, C, D = insert(5, 0, "ab"), insert(5, 2, "c", origin=1), insert(5, 3, "d", origin=2)
"""Typed one after the other by client 5."""


def text_of(update: bytes) -> str:
    """What the shared text "t" reads in a replica that has this update and nothing else."""
    doc: Doc[Any] = Doc()
    doc.apply_update(update)
    return str(doc.get("t", type=Text))


def clocks_of(document: Document) -> dict[int, int]:
    """The state vector, by client id."""
    return decode_state_vector(document.state_vector())


def concurrent(seed: int, clients: int = 3, steps: int = 400) -> list[bytes]:
    """What some replicas made that exchanged now and then, in the order it was made."""
    chance = random.Random(seed)
    docs: list[Doc[Any]] = [Doc(client_id=100 + number) for number in range(clients)]
    made: list[bytes] = []
    listening = [True]
    for doc in docs:
        doc.get("t", type=Text)
        doc.observe(lambda event: made.append(event.update) if listening[0] else None)
    for _ in range(steps):
        text = docs[chance.randrange(clients)].get("t", type=Text)
        at = chance.randrange(len(text) + 1)
        if at < len(text) and chance.random() < 0.2:
            del text[at]
        else:
            text.insert(at, chance.choice("abcdef"))
        if chance.random() < 0.3:
            one, other = chance.sample(docs, 2)
            listening[0] = False
            other.apply_update(one.get_update(other.get_state()))
            listening[0] = True
    return made


@st.composite
def mutants(draw: st.DrawFn) -> bytes:
    """A real update with some bytes changed, cut, doubled, or crossed with another one."""
    update = bytearray(draw(st.sampled_from(REAL)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(update) - 1)))
        kind = draw(st.sampled_from(["flip", "set", "insert", "delete", "cut", "cross", "number"]))
        if kind == "flip" and update:
            update[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "set" and update:
            update[at] = draw(st.sampled_from((0, 1, 2, 10, 0x7F, 0x80, 0xFF, 117, 118, 0x84)))
        elif kind == "insert":
            update[at:at] = draw(st.binary(min_size=1, max_size=6))
        elif kind == "delete":
            del update[at : at + draw(st.integers(1, 6))]
        elif kind == "cut":
            del update[at:]
        elif kind == "cross":
            update[at:] = draw(st.sampled_from(REAL))[at:]
        elif kind == "number":
            update[at : at + 1] = var_uint(draw(st.integers(0, (1 << 53) - 1)))
    return bytes(update)
