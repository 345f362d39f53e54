"""Restoring a version: the document says again what it said, by edits that merge with others'."""

import pickle
import random
from typing import Any

import pycrdt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crdt.document import Document
from crdt.errors import UpdateError
from crdt.projection import project
from crdt.restoring import restoration, restoration_of, roots_of_rows
from crdt.trees import read_roots
from tests.crdt.odd import CONTENTS, update_of

NAMES = ("content_v0", "notes", "data", "list")


def roots_of(document: Document) -> dict[str, Any]:
    """Everything that a document holds, as values."""
    other = pycrdt.Doc[Any]()
    other.apply_update(document.encode())
    with other.transaction() as transaction:
        return read_roots(other._doc, transaction._txn)


def scribble(doc: "pycrdt.Doc[Any]", chance: random.Random) -> None:
    """One edit of any kind, somewhere."""
    paper = doc.get("content_v0", type=pycrdt.XmlFragment)
    notes = doc.get("notes", type=pycrdt.Text)
    data = doc.get("data", type=pycrdt.Map)
    match chance.randrange(9):
        case 0:
            words = pycrdt.XmlText(chance.choice(["word", "ñandú", "😀", ""]))
            tag = chance.choice(["paragraph", "heading"])
            node = pycrdt.XmlElement(tag, {"level": chance.randrange(3)}, [words])
            paper.children.insert(chance.randrange(len(paper.children) + 1), node)
        case 1 if len(paper.children):
            del paper.children[chance.randrange(len(paper.children))]
        case 2 if len(paper.children):
            _format(paper.children[chance.randrange(len(paper.children))], chance)
        case 3 | 4:
            notes.insert(len(notes), chance.choice(["abc", "é", "😀 ", "\n"]))
        case 5 if len(notes):
            notes.clear()
        case 6:
            data[chance.choice("xyz")] = chance.choice([1, "t", None, [1, {"a": b"x"}], b"raw"])
        case 7:
            data[chance.choice("xyz")] = pycrdt.Map({"in": chance.randrange(9)})
        case 8:
            doc.get("list", type=pycrdt.Array).append(chance.choice([1, "s", {"k": 2}]))


def _format(node: Any, chance: random.Random) -> None:
    text = node.children[0]
    text.insert(0, "bold ", {"bold": True})
    if chance.random() < 0.5:
        text.insert(0, "plain ")
    if chance.random() < 0.3:
        node.children.append(pycrdt.XmlElement("reference", {"id": "x", "label": "y"}))


def scribbled(seed: int, count: int, document: Document | None = None) -> Document:
    """A document after some edits."""
    chance = random.Random(seed)
    made = document or Document(client_id=seed % 1000 + 2)
    for _ in range(count):
        made.edit(lambda doc: scribble(doc, chance))
    return made


@given(st.integers(0, 1 << 30), st.integers(0, 14), st.integers(0, 14))
def test_a_restored_document_says_what_the_version_said(seed: int, before: int, after: int) -> None:
    """Whatever was written, deleted and formatted since."""
    document = scribbled(seed, before)
    version = Document.rebuild([document.encode()])
    scribbled(seed + 1, after, document)

    made = document.edit(restoration(version))

    assert roots_of(document) == roots_of(version)
    assert document.edit(restoration(version)) is None
    if after == 0:
        assert made is None


@given(st.integers(0, 1 << 30), st.integers(0, 10), st.integers(0, 10))
def test_a_restore_is_a_forward_edit(seed: int, before: int, after: int) -> None:
    """What another device wrote meanwhile is there on both sides, and they agree."""
    document = scribbled(seed, before)
    document.edit(lambda doc: doc.get("notes", type=pycrdt.Text).insert(0, "start "))
    version = Document.rebuild([document.encode()])
    scribbled(seed + 1, after, document)
    offline = Document.rebuild([document.encode()], client_id=5_000)
    theirs = [
        offline.edit(lambda doc: doc.get("notes", type=pycrdt.Text).insert(0, "MINE")),
        offline.edit(lambda doc: doc.get("data", type=pycrdt.Map).update({"offline": 1.0})),
    ]

    made = document.edit(restoration(version))
    document.apply_turn([update for update in theirs if update])
    if made is not None:
        offline.apply_turn([made])

    assert roots_of(document) == roots_of(offline)
    assert "MINE" in "".join(piece for piece, _ in roots_of(document)["notes"].runs)
    assert roots_of(document)["data"].entries["offline"] == 1.0


def test_a_restore_writes_only_what_differs() -> None:
    """One word that came back costs one word, not the document."""
    document = Document(client_id=3)
    text = "lorem ipsum " * 500
    document.edit(lambda doc: doc.get("notes", type=pycrdt.Text).insert(0, text))
    version = Document.rebuild([document.encode()])
    document.edit(lambda doc: doc.get("notes", type=pycrdt.Text).__delitem__(slice(3000, 3006)))

    made = document.edit(restoration(version))

    assert made is not None
    assert len(made) < 60


def test_the_trash_stays_as_it_is() -> None:
    """An old version of a block in the trash does not take it out, nor the other way round."""
    document = Document(client_id=3)
    meta = {"deletedAt": 5.0, "icon": "a"}
    document.edit(lambda doc: doc.get("meta_v0", type=pycrdt.Map).update({"icon": "old"}))
    version = Document.rebuild([document.encode()])
    document.edit(lambda doc: doc.get("meta_v0", type=pycrdt.Map).update(meta))

    document.edit(restoration(version))

    assert roots_of(document)["meta_v0"].entries == {"deletedAt": 5.0, "icon": "old"}


def test_a_nest_too_deep_is_refused_before_anything_is_written() -> None:
    """It raises an error that is answered with 400."""
    document = Document(client_id=3)

    def nest(doc: "pycrdt.Doc[Any]") -> None:
        here: Any = doc.get("content_v0", type=pycrdt.XmlFragment)
        for _ in range(150):
            here = here.children.append(pycrdt.XmlElement("div"))

    document.edit(nest)
    before = document.encode()

    with pytest.raises(UpdateError):
        document.edit(restoration(Document()))

    assert document.encode() == before


def test_a_large_text_is_restored_at_once() -> None:
    """Two megabytes of it, where a word in the middle changed, and where all of it did."""
    document = Document(client_id=3)
    document.edit(lambda doc: doc.get("notes", type=pycrdt.Text).insert(0, "naïve " * 300_000))
    version = Document.rebuild([document.encode()])
    document.edit(lambda doc: doc.get("notes", type=pycrdt.Text).__delitem__(slice(700, 707)))
    one_word = document.edit(restoration(version))
    document.edit(lambda doc: doc.get("notes", type=pycrdt.Text).clear())
    document.edit(lambda doc: doc.get("notes", type=pycrdt.Text).insert(0, "other " * 300_000))
    document.edit(restoration(version))

    assert one_word is not None
    assert len(one_word) < 60
    assert roots_of(document) == roots_of(version)


def test_a_version_can_be_read_apart_from_its_restoring() -> None:
    """Large ones are read in another process."""
    document = scribbled(5, 12)
    rows = [document.encode()]
    scribbled(6, 12, document)
    roots = pickle.loads(pickle.dumps(roots_of_rows(rows)))

    document.edit(restoration_of(roots))

    assert roots_of(document) == roots_of(Document.rebuild(rows))


@pytest.mark.parametrize("name", CONTENTS)
def test_odd_contents_are_restored_like_others(name: str) -> None:
    """Also over something else; what is no tree keeps its place."""
    version = Document.rebuild([update_of(CONTENTS[name])])
    document = Document(client_id=9)
    document.edit(lambda doc: doc.get("content_v0", type=pycrdt.Map).update({"a": 1}))
    document.edit(restoration(version))
    document.edit(restoration(version))

    wanted, found = project(version).content, project(document).content
    for content in (wanted, found):
        content.pop("meta_v0", None)  # The trash of today stays.
    assert found == wanted
