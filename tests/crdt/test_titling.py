"""Titles as one line: read, and changed letter by letter."""

from typing import Any

import pycrdt
import pytest

from crdt.blocks import TITLE, read
from crdt.document import Document
from crdt.titling import retitle, title_of


def titled(*children: Any) -> Document:
    """A document with a title of these nodes."""
    document = Document(client_id=5)

    def write(doc: Any) -> None:
        for child in children:
            doc.get(TITLE, type=pycrdt.XmlFragment).children.append(child)

    document.edit(write)
    return document


@pytest.mark.parametrize(
    "children",
    [
        [],
        [pycrdt.XmlText("old")],
        [pycrdt.XmlElement("heading", {}, [pycrdt.XmlText("old words")])],
        [pycrdt.XmlElement("p", {}, [pycrdt.XmlText(text)]) for text in ("two", "lines")],
        [pycrdt.XmlElement("p", {}, [])],
    ],
    ids=["none", "text", "element", "two", "empty"],
)
def test_whatever_the_title_was_it_becomes_the_new_one(children: list[Any]) -> None:
    """Also the one that lists show; and writing it twice changes nothing."""
    document = titled(*children)
    document.edit(retitle("New title"))

    assert title_of(document) == read(document).title == "New title"
    assert document.edit(retitle("New title")) is None


def test_two_who_change_a_title_at_once_are_merged() -> None:
    """Each changed another word of it."""
    one = titled(pycrdt.XmlElement("paragraph", {}, [pycrdt.XmlText("Milk and bread")]))
    two = Document.rebuild([one.encode()], client_id=9)
    one.edit(retitle("Oat milk and bread"))
    two.edit(retitle("Milk and rye bread"))
    one.apply_observed(two.encode())
    two.apply_observed(one.encode())

    assert title_of(one) == title_of(two) == "Oat milk and rye bread"
