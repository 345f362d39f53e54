"""What a block's document says of itself, however a peer wrote it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pycrdt
import pytest

from crdt import blocks
from crdt.document import Document, delete_only, state_vector_of

AT = 1_790_000_000_000
Write = Callable[[Any], None]


def facts_of(*writes: Write) -> blocks.Facts:
    """The facts of a document that a peer wrote in these ways."""
    peer: Any = pycrdt.Doc(client_id=5)
    for write in writes:
        write(peer)
    return blocks.read(Document.rebuild([peer.get_update()]))


def fragment(*nodes: Any) -> Write:
    """A title of these nodes."""

    def write(doc: Any) -> None:
        for node in nodes:
            doc.get("title_v0", type=pycrdt.XmlFragment).children.append(node)

    return write


def paragraph(text: str) -> Any:
    """An element with a text in it."""
    return pycrdt.XmlElement("paragraph", {}, [pycrdt.XmlText(text)])


def meta(**marks: Any) -> Write:
    """These entries of meta_v0."""

    def write(doc: Any) -> None:
        for key, value in marks.items():
            doc.get("meta_v0", type=pycrdt.Map)[key] = value

    return write


def bold(doc: Any) -> None:
    """A title with a format and an embedded value."""
    text = pycrdt.XmlText("buy ")
    doc.get("title_v0", type=pycrdt.XmlFragment).children.append(text)
    text.insert(4, "milk", {"bold": True})
    text.insert_embed(4, {"type": "mention"})


@pytest.mark.parametrize(
    ("write", "title"),
    [
        (fragment(), ""),
        (fragment(pycrdt.XmlText("Milk")), "Milk"),
        (fragment(paragraph("Milk"), paragraph("and  honey ")), "Milk and honey"),
        (bold, "buy milk"),
        (fragment(pycrdt.XmlText("a < b & \0c")), "a < b & c"),
        (lambda doc: doc.get("title_v0", type=pycrdt.Text).insert(0, "plain <b>"), "plain <b>"),
        (lambda doc: doc.get("title_v0", type=pycrdt.Array).append(1), ""),
        (lambda doc: doc.get("title_v0", type=pycrdt.Map).update({"a": "b"}), ""),
        (fragment(pycrdt.XmlText("x" * 9999)), "x" * blocks.TITLE_CHARACTERS_MAX),
    ],
    ids=["empty", "text", "paragraphs", "formats", "markup", "root-text", "array", "map", "long"],
)
def test_a_title_is_the_words_of_its_fragment(write: Write, title: str) -> None:
    """Without formats and markup, on one line, bounded; what is no text has no words."""
    assert facts_of(write).title == title


def test_a_title_of_any_depth_is_read() -> None:
    """A peer chooses how deep its elements nest."""
    peer: Any = pycrdt.Doc(client_id=5)
    inner = peer.get("title_v0", type=pycrdt.XmlFragment)
    for _ in range(1500):
        element = pycrdt.XmlElement("p")
        inner.children.append(element)
        inner = element
    inner.children.append(pycrdt.XmlText("bottom"))

    assert blocks.read(Document.rebuild([peer.get_update()])).title == "bottom"


@pytest.mark.parametrize(
    ("marks", "trashed_at", "removed_at"),
    [
        ({}, None, None),
        ({"deletedAt": AT}, AT, None),
        ({"deletedAt": float(AT)}, AT, None),
        ({"deleted_at": AT}, AT, None),
        ({"deletedAt": None}, None, None),
        ({"deletedAt": None, "deleted_at": AT}, AT, None),
        ({"deletedAt": 0}, None, None),
        ({"deletedAt": False}, None, None),
        ({"deletedAt": ""}, None, None),
        ({"deletedAt": True}, 0, None),
        ({"deletedAt": "2026-09-21T14:13:20Z"}, AT, None),
        ({"deletedAt": "2026-09-21T14:13:20"}, AT, None),
        ({"deletedAt": "yesterday"}, 0, None),
        ({"deletedAt": -5}, 0, None),
        ({"deletedAt": 1e300}, 0, None),
        ({"deletedAt": float("nan")}, 0, None),
        ({"deletedAt": float("inf")}, 0, None),
        pytest.param({"deletedAt": pycrdt.Map({"x": 1})}, None, None, id="a map for a time"),
        ({"deletedAt": [1]}, None, None),
        ({"deletedAt": AT, "permanentlyDeletedAt": AT + 1}, AT, AT + 1),
        ({"permanently_deleted_at": AT}, None, AT),
    ],
    ids=str,
)
def test_the_trash_is_read_from_meta_v0(
    marks: dict[str, Any], trashed_at: int | None, removed_at: int | None
) -> None:
    """Numbers, texts and truths say that it happened; null, zero and odd things that it did not."""
    facts = facts_of(meta(**marks))

    assert (facts.trashed_at, facts.removed_at) == (trashed_at, removed_at)


@pytest.mark.parametrize("kind", [pycrdt.Array, pycrdt.Text, pycrdt.XmlFragment])
def test_a_meta_v0_of_another_kind_says_nothing(kind: Any) -> None:
    """Nor does it raise."""
    values = {pycrdt.Array: [1], pycrdt.Text: "x", pycrdt.XmlFragment: None}

    def write(doc: Any) -> None:
        doc["meta_v0"] = kind(values[kind]) if values[kind] else kind()

    assert facts_of(write).trashed_at is None


def test_the_state_and_the_deletions_are_those_of_the_document() -> None:
    """Equal state vectors do not mean equal documents: what was deleted is kept beside."""
    peer: Any = pycrdt.Doc(client_id=5)
    text = peer.get("content_v0", type=pycrdt.Text)
    text.insert(0, "hello")
    whole = peer.get_update()
    del text[1:3]
    facts = blocks.read(Document.rebuild([peer.get_update()]))

    assert facts.state_vector == state_vector_of(whole)
    assert facts.delete_only == delete_only(peer.get_update())
    other: Any = pycrdt.Doc()
    other.apply_update(whole)
    other.apply_update(facts.delete_only)
    assert str(other.get("content_v0", type=pycrdt.Text)) == "hlo"


def test_many_deletions_are_not_kept() -> None:
    """They are encoded again when somebody asks."""
    peer: Any = pycrdt.Doc(client_id=5)
    text = peer.get("content_v0", type=pycrdt.Text)
    text.insert(0, "ab" * 4000)
    with peer.transaction():
        for at in range(4000):
            del text[at]

    assert blocks.read(Document.rebuild([peer.get_update()])).delete_only is None


def test_reading_changes_nothing() -> None:
    """A document that never had the roots encodes as before."""
    peer: Any = pycrdt.Doc(client_id=5)
    peer.get("content_v0", type=pycrdt.Text).insert(0, "hello")
    document = Document.rebuild([peer.get_update()])
    before = document.encode()
    blocks.read(document)

    assert document.encode() == before


def test_trash_restore_and_remove_are_edits_that_the_facts_follow() -> None:
    """Restoring clears every spelling, and writes nothing where there is nothing to clear."""
    document = Document.rebuild([], client_id=9)
    assert document.edit(blocks.restore()) is None
    seen = []
    peer: Any = pycrdt.Doc(client_id=3)
    meta(deleted_at=AT)(peer)
    for change in (blocks.trash(AT), blocks.restore(), blocks.remove(AT + 1), blocks.restore()):
        document.edit(change)
        facts = blocks.read(document)
        seen.append((facts.trashed_at, facts.removed_at))
    document.apply_turn([peer.get_update()])
    document.edit(blocks.restore())

    assert seen == [(AT, None), (None, None), (AT + 1, AT + 1), (None, None)]
    assert blocks.read(document).trashed_at is None


def test_an_older_state_of_a_peer_does_not_undo_a_restoration() -> None:
    """A device that trashed the block, went offline, and syncs after it was restored."""
    device: Any = pycrdt.Doc(client_id=3)
    meta(deletedAt=AT)(device)
    server = Document.rebuild([device.get_update()], client_id=9)
    server.edit(blocks.restore())
    device.get("content_v0", type=pycrdt.Text).insert(0, "written offline")
    server.apply_turn([device.get_update()])

    assert blocks.read(server).trashed_at is None


def test_updates_of_real_editors_are_read() -> None:
    """Whatever Yjs made of the samples, reading them raises nothing."""
    samples = json.loads((Path(__file__).parent / "updates" / "yjs.json").read_text())
    for case in samples["cases"]:
        document = Document()
        document.apply_turn([bytes.fromhex(update) for update in case["updates"]])
        blocks.read(document)
