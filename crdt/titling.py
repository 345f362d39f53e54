"""The title of a block as one line of text that can be edited."""

from collections.abc import Iterator
from typing import Any

import pycrdt

from crdt.blocks import TITLE, Change
from crdt.document import Document
from crdt.lines import Line
from crdt.restoring import Writing
from crdt.shapes import Node, reader
from crdt.trees import ElementTree, plain
from crdt.units import units_of
from crdt.wording import kind_of


def title_of(document: Document) -> str:
    """The title in one line. Raises DocumentBroken."""
    return document.look(lambda doc: _title(doc)[1])


def retitle(title: str) -> Change:
    """The change that gives a block another title, letter by letter."""
    return lambda doc: _retitle(doc, title)


def _title(doc: "pycrdt.Doc[Any]") -> tuple[Node | None, str]:
    value = reader(doc).root(TITLE)
    if isinstance(value, dict):
        return value, " ".join("".join(_letters(value)).split())
    return None, " ".join(str(value or "").split())


def _letters(node: Node) -> Iterator[str]:
    for child in node.get("content", ()):
        if kind_of(child) == "text":
            yield str(child.get("text", ""))
        else:
            yield from _letters(child)
            yield " "


def _retitle(doc: "pycrdt.Doc[Any]", title: str) -> None:
    writing = Writing(doc)
    node, present = _title(doc)
    if present == title:
        return
    root = writing.raw.get_or_insert_xml_fragment(writing.transaction, TITLE)
    children = [] if node is None else node["content"]
    holder = root
    if len(children) == 1 and kind_of(children[0]) != "text":
        holder = root.get(writing.transaction, 0)
        children = children[0].get("content", [])
    if node is not None and all(kind_of(child) == "text" for child in children):
        count = len(holder.children(writing.transaction))
        words = [plain("".join(str(child.get("text", "")) for child in children)), plain(title)]
        Line(writing, holder, 0, count).edit(*(units_of([text]) for text in words))
        return
    if root.len(writing.transaction):
        root.remove_range(writing.transaction, 0, root.len(writing.transaction))
    writing.insert_child(root, 0, ElementTree("paragraph", {}, (plain(title),)))
