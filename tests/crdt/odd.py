"""Contents that no editor writes and every peer may: for tests of whatever reads documents."""

from collections.abc import Callable
from typing import Any

import pycrdt

from crdt.blocks import META, TITLE
from crdt.projection import APPS, CONTENT, FILES, RELATIONS

ROOTS = (TITLE, CONTENT, META, FILES, APPS, *RELATIONS)
Write = Callable[["pycrdt.Doc[Any]"], None]


def _texts(doc: Any) -> None:
    for root in ROOTS:
        text = doc.get(root, type=pycrdt.Text)
        text.insert(0, "\0 # \n\n- x \U0001f600 ")
        text.insert_embed(1, {"type": "image", "nested": [None, {"a": b"\xff"}]})
        text.format(0, 3, {"bold": {"a": [1]}, "link": 5})


def _arrays(doc: Any) -> None:
    for root in ROOTS:
        array = doc.get(root, type=pycrdt.Array)
        array.append(pycrdt.Map({"id": "x", "type": 5}))
        array.append(pycrdt.XmlFragment([pycrdt.XmlText("w")]))
        array.append(pycrdt.Doc())
        array += [b"\xff", 1e300, -0.0, None, True]


def _maps(doc: Any) -> None:
    odd: dict[str, Any] = {
        "deletedAt": 1e300, "permanentlyDeletedAt": None, "deleted_at": "9999-99-99",
        "a" * 64 + ":99": {"size": -1}, "": {"type": [1]}, "x": pycrdt.Array([1]),
        "\0": b"\xff",
    }  # fmt: skip
    for root in ROOTS:
        for key, value in odd.items():
            doc.get(root, type=pycrdt.Map)[key] = value


def _attributes(doc: Any) -> None:
    odd = {"level": "x", "start": "1e9", "checked": "maybe", "language": "`a b\n", "src": "a b)\n"}
    for root in (TITLE, CONTENT):
        for tag in ("heading", "orderedList", "taskItem", "codeBlock", "image", "table", "", "a b"):
            words = pycrdt.XmlText("``` ~~~ *_[]<|\\ 1. # > - \n\n=== \u2028 ")
            doc.get(root, type=pycrdt.XmlFragment).children.append(
                pycrdt.XmlElement(tag, odd, [words])
            )


def _deep(doc: Any) -> None:
    parent = doc.get(CONTENT, type=pycrdt.XmlFragment)
    for number in range(90):
        tag = ("bulletList", "listItem", "blockquote", "table")[number % 4]
        parent.children.append(pycrdt.XmlElement(tag))
        parent = parent.children[0]
    parent.children.append(pycrdt.XmlText("deep"))


def _ragged(doc: Any) -> None:
    table = pycrdt.XmlElement("table")
    doc.get(CONTENT, type=pycrdt.XmlFragment).children.append(table)
    row = pycrdt.XmlElement("tableRow")
    table.children.append(row)
    for _ in range(300):
        row.children.append(pycrdt.XmlElement("tableCell"))
        table.children.append(pycrdt.XmlElement("tableRow"))


def _many(doc: Any) -> None:
    content = doc.get(CONTENT, type=pycrdt.XmlFragment)
    for number in range(1000):
        content.children.append(
            pycrdt.XmlElement("paragraph", {}, [pycrdt.XmlText(f"line {number} *_[`\\<|~")])
        )


CONTENTS: dict[str, Write] = {
    "texts": _texts, "arrays": _arrays, "maps": _maps, "attributes": _attributes,
    "deep": _deep, "ragged": _ragged, "many": _many,
}  # fmt: skip


def update_of(write: Write) -> bytes:
    """The update of a peer who writes this."""
    doc: pycrdt.Doc[Any] = pycrdt.Doc(client_id=77)
    with doc.transaction():
        write(doc)
    return doc.get_update()
