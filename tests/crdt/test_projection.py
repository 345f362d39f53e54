"""The projection of a block's document."""

from typing import Any

import msgspec
import pycrdt
import pytest

from crdt import projection
from crdt.document import Document
from crdt.projection import File, Relation, project, project_rows
from crdt.rewriting import rewrite, text_of
from tests.crdt.odd import CONTENTS, update_of

Doc = pycrdt.Doc[Any]
HASH = "ab" * 32


def projected(*changes: Any) -> projection.Projection:
    """The projection after some changes, as another replica reads it."""
    doc = Doc(client_id=5)
    for change in changes:
        change(doc)
    return project_rows([doc.get_update()])


def page(root: str, *words: str) -> Any:
    """The change that writes paragraphs into a fragment."""

    def write(doc: Doc) -> None:
        for word in words:
            node = pycrdt.XmlElement("paragraph", {}, [pycrdt.XmlText(word)])
            doc.get(root, type=pycrdt.XmlFragment).children.append(node)

    return write


def entries(root: str, values: dict[str, Any]) -> Any:
    """The change that writes a map."""
    return lambda doc: doc.get(root, type=pycrdt.Map).update(values)


def link(kind: str, **attributes: Any) -> Any:
    """The change that writes an inline node."""
    return lambda doc: doc.get("content_v0", type=pycrdt.XmlFragment).children.append(
        pycrdt.XmlElement("paragraph", {}, [pycrdt.XmlElement(kind, attributes)])
    )


def test_title_text_and_markdown() -> None:
    """The title with single spaces; the content without the title."""
    seen = projected(page("title_v0", " A  title"), page("content_v0", "one", "*two*"))

    assert (seen.title, seen.text, seen.markdown) == ("A title", "one\n*two*", "one\n\n\\*two\\*")
    assert set(seen.content) == {"title_v0", "content_v0"}
    assert not seen.truncated


def test_a_document_of_another_editor_has_its_text() -> None:
    """Whatever its roots are called; the content comes first."""
    seen = projected(
        lambda doc: doc.get("codemirror", type=pycrdt.Text).insert(0, "print(1)"),
        page("content_v0", "first"),
        entries("board", {"x": 1}),
    )

    assert seen.text == "first\n\nprint(1)"
    assert seen.content["board"] == {"x": 1}


def test_titles_may_be_plain_text() -> None:
    """A Text root is a title as well."""
    assert projected(lambda d: d.get("title_v0", type=pycrdt.Text).insert(0, "T")).title == "T"


RELATIONS: dict[str, tuple[Any, list[Relation]]] = {
    "v1": (
        lambda d: d.get("relations_v1", type=pycrdt.Map).update({"T": pycrdt.Map({"type": "tag"})}),
        [Relation("tag", "T")],
    ),
    "v1 untyped": (
        entries("relations_v1", {"T": True, "U": None, "V": False}),
        [Relation("tag", "T")],
    ),
    "v0 map": (entries("relations_v0", {"T": {"type": "parent"}}), [Relation("parent", "T")]),
    "v0 list": (
        lambda d: d.get("relations_v0", type=pycrdt.Array).extend(["T", {"id": "U"}, 3]),
        [Relation("tag", "T"), Relation("tag", "U")],
    ),
    "mention": (
        link("reference", id="B", label="L", type="mention"),
        [Relation("mention", "B", "L")],
    ),
    "pagelink": (link("pagelink", blockKey="B"), [Relation("pagelink", "B", "B")]),
    "no target": (link("pagelink", other="B"), []),
    "too long": (link("pagelink", blockKey="B" * 513), []),
}


@pytest.mark.parametrize(("change", "relations"), RELATIONS.values(), ids=RELATIONS)
def test_relations(change: Any, relations: list[Relation]) -> None:
    """Tags of both versions and inline nodes, each once."""
    assert projected(change).relations == relations


def test_a_relation_said_twice_is_one() -> None:
    """Two links to one block, and a tag in both maps."""
    seen = projected(
        link("pagelink", blockKey="B"), link("pagelink", blockKey="B"),
        entries("relations_v0", {"T": {}}), entries("relations_v1", {"T": {}}),
    )  # fmt: skip

    assert seen.relations == [Relation("tag", "T"), Relation("pagelink", "B", "B")]


def test_relations_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the bound the rest is left out, and said."""
    monkeypatch.setattr(projection, "RELATIONS_MAX", 3)
    seen = projected(entries("relations_v1", {f"T{n}": {} for n in range(9)}))

    assert (len(seen.relations), seen.truncated) == (3, True)


def test_files_have_hash_and_size() -> None:
    """Long keys and bare hashes; the long one wins; other keys are no files."""
    seen = projected(
        entries(
            "files_v0", {f"{HASH}:12": {"name": "a"}, HASH: {}, "CD" * 32: {"size": 5}, "x": {}}
        )
    )

    assert seen.files == [
        File(key=f"{HASH}:12", hash=HASH, size=12, about={"name": "a"}),
        File(key="CD" * 32, hash="cd" * 32, size=5, about={"size": 5}),
    ]


def test_apps_and_attributes() -> None:
    """As they are; a root of another kind counts as none."""
    seen = projected(entries("apps_v0", {"v": {"a": 1}}), page("meta_v0", "no map"))

    assert (seen.apps, seen.attributes) == ({"v": {"a": 1}}, {})


def test_an_empty_document_has_an_empty_projection() -> None:
    """Nothing, and no error."""
    seen = project(Document())

    assert (seen.title, seen.text, seen.content, seen.relations) == ("", "", {}, [])


def test_reading_changes_nothing() -> None:
    """A projected document encodes to what it was."""
    doc = Doc(client_id=5)
    entries("m", {"a": 1})(doc)
    document = Document.rebuild([doc.get_update()])
    before = document.encode()
    project(document)

    assert document.encode() == before


def test_a_title_is_given_once() -> None:
    """A block that has a title keeps it."""
    document = Document(client_id=5)

    assert document.edit(projection.entitle("First")) is not None
    document.edit(projection.entitle("Second"))

    assert project(document).title == "First"


@pytest.mark.parametrize("name", CONTENTS)
def test_whatever_peers_write_is_read_within_bounds(name: str) -> None:
    """No error, JSON that can be sent, Markdown not much longer than what was written."""
    update = update_of(CONTENTS[name])
    document = Document.rebuild([update])
    seen = projection.project(document)
    msgspec.json.encode(seen)

    assert len(seen.markdown) + len(seen.text) < 20 * len(update) + 1000


@pytest.mark.parametrize("name", sorted(CONTENTS.keys() - {"many", "ragged"}))
def test_whatever_peers_write_can_be_written_over(name: str) -> None:
    """As Markdown, by somebody who saw what there was."""
    document = Document.rebuild([update_of(CONTENTS[name])])
    document.edit(rewrite(text_of(document), "new words"))

    assert "new words" in text_of(document)
