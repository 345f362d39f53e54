"""What a block's document says of its files."""

from typing import Any

import pycrdt
import pytest

from crdt.document import Document
from crdt.files import FILES, tell

HASH = "ab" * 32
KEY = f"{HASH}:7"
FACTS = {"is_uploaded": True}
DEFAULTS = {"name": "a.txt", "file_size": 7}


def said(document: Document) -> Any:
    """All entries."""
    return document.look(lambda doc: doc.get(FILES, type=pycrdt.Map).to_py())


def holding(entries: dict[str, Any]) -> Document:
    """A document with such entries."""
    document = Document()
    document.edit(lambda doc: doc.get(FILES, type=pycrdt.Map).update(entries))
    return document


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {KEY: {**DEFAULTS, **FACTS}}),
        ({KEY: {"name": "mine"}}, {KEY: {**DEFAULTS, "name": "mine", **FACTS}}),
        ({KEY: {"is_uploaded": False}}, {KEY: {**DEFAULTS, **FACTS}}),
        ({KEY: "?"}, {KEY: {**DEFAULTS, **FACTS}}),
        (
            {HASH: {"name": "old"}},
            {
                KEY: {**DEFAULTS, "name": "old", **FACTS},
                HASH: {"name": "old", "is_uploaded": True},
            },
        ),
        ({HASH.upper(): None}, {KEY: {**DEFAULTS, **FACTS}, HASH.upper(): FACTS}),
        ({"other": {"name": "b"}}, {"other": {"name": "b"}, KEY: {**DEFAULTS, **FACTS}}),
    ],
    ids=["none", "named", "waiting", "odd", "bare", "capitals", "other"],
)
def test_facts_are_told_and_the_rest_stays(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Under the long key, and where somebody used the bare hash, there too."""
    document = holding(before)
    document.edit(tell(HASH, 7, FACTS, DEFAULTS))

    assert said(document) == after


def test_an_entry_that_is_a_shared_map_stays_one() -> None:
    """Its other fields are not touched, so that those who edit them meanwhile lose nothing."""
    document = Document()

    def make(doc: "pycrdt.Doc[Any]") -> None:
        doc.get(FILES, type=pycrdt.Map)[KEY] = pycrdt.Map({"name": "mine"})

    document.edit(make)
    document.edit(tell(HASH, 7, FACTS, DEFAULTS))

    assert said(document) == {KEY: {"name": "mine", "file_size": 7, "is_uploaded": True}}
    assert document.look(lambda doc: isinstance(doc.get(FILES, type=pycrdt.Map)[KEY], pycrdt.Map))


def test_telling_the_same_again_writes_nothing() -> None:
    """No update leaves for what is known."""
    document = Document()

    assert document.edit(tell(HASH, 7, FACTS, DEFAULTS)) is not None
    assert document.edit(tell(HASH, 7, FACTS, DEFAULTS)) is None
