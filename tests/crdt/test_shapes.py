"""The JSON of shared types: every kind, and every bound."""

from typing import Any

import pycrdt
import pytest

from crdt import shapes
from crdt.shapes import Reader

Doc = pycrdt.Doc[Any]


def read(doc: Doc) -> tuple[dict[str, Any], bool]:
    """All roots of a document as another replica receives them, and whether a bound was met."""
    other = Doc()
    other.apply_update(doc.get_update())
    with other.transaction() as transaction:
        reader = Reader(other._doc, transaction._txn)
        return reader.roots(), reader.truncated


def formatted(doc: Doc) -> None:
    """A text with formats and an embed."""
    text = doc.get("r", type=pycrdt.Text)
    text.insert(0, "ab")
    text.format(0, 1, {"bold": True, "link": {"href": "u"}, "link--c2VjcmV0": {}, "off": None})
    text.insert_embed(2, {"image": "i"})


def nested(doc: Doc) -> None:
    """Shared types inside shared types."""
    outer = doc.get("r", type=pycrdt.Map)
    outer["map"] = pycrdt.Map({"n": 1})
    outer["list"] = pycrdt.Array([pycrdt.Text("t"), 2.5])
    outer["xml"] = pycrdt.XmlFragment([pycrdt.XmlElement("p")])


CASES = {
    "text": (lambda d: d.get("r", type=pycrdt.Text).insert(0, "h\u00e9 😀"), "h\u00e9 😀"),
    "formats": (
        formatted,
        {
            "type": "text",
            "content": [
                {
                    "type": "text",
                    "text": "a",
                    "marks": [
                        {"type": "bold"},
                        {"type": "link", "attrs": {"href": "u"}},
                        {"type": "link"},
                    ],
                },
                {"type": "text", "text": "b"},
                {"type": "embed", "attrs": {"value": {"image": "i"}}},
            ],
        },
    ),
    "numbers": (
        lambda d: d.get("r", type=pycrdt.Map).update(
            {"a": 1, "b": 1.5, "c": float("nan"), "d": float("inf"), "e": -(2**60), "f": True}
        ),
        {"a": 1, "b": 1.5, "c": None, "d": None, "e": -(2**60), "f": True},
    ),
    "bytes": (
        lambda d: d.get("r", type=pycrdt.Map).update({"a": b"\xff\x00", "b": [None, {"c": "x"}]}),
        {"a": "/wA=", "b": [None, {"c": "x"}]},
    ),
    "list": (
        lambda d: d.get("r", type=pycrdt.Array).extend([1, "s", {"k": 2}]),
        [1, "s", {"k": 2}],
    ),
    "nested": (
        nested,
        {
            "map": {"n": 1},
            "list": ["t", 2.5],
            "xml": {"type": "doc", "content": [{"type": "p"}]},
        },
    ),
    "xml": (
        lambda d: d.get("r", type=pycrdt.XmlFragment).children.append(
            pycrdt.XmlElement("heading", {"level": 2}, [pycrdt.XmlText("x")])
        ),
        {
            "type": "doc",
            "content": [
                {
                    "type": "heading",
                    "attrs": {"level": 2},
                    "content": [{"type": "text", "text": "x"}],
                }
            ],
        },
    ),
}


@pytest.mark.parametrize(("write", "expected"), CASES.values(), ids=CASES)
def test_every_shared_type_has_its_json(write: Any, expected: Any) -> None:
    """A root's kind is seen in what it holds."""
    doc = Doc()
    write(doc)

    assert read(doc) == ({"r": expected}, False)


def test_empty_roots_are_not_shown() -> None:
    """An emptied text, map, list or fragment is as if it had never been there."""
    doc = Doc()
    doc.get("a", type=pycrdt.Text).insert(0, "x")
    doc.get("a", type=pycrdt.Text).clear()
    doc.get("b", type=pycrdt.Map)["k"] = 1
    del doc.get("b", type=pycrdt.Map)["k"]

    assert read(doc) == ({}, False)


def test_depth_is_bounded() -> None:
    """What peers nest deeper is left out, and said."""
    doc = Doc()
    here: Any = doc.get("r", type=pycrdt.XmlFragment)
    for _ in range(shapes.DEPTH_MAX * 2):
        here = here.children.append(pycrdt.XmlElement("div"))

    roots, truncated = read(doc)

    assert truncated
    assert str(roots).count("div") == shapes.DEPTH_MAX + 1


@pytest.mark.parametrize(("bound", "most"), [("NODES_MAX", 50), ("CHARACTERS_MAX", 50)])
def test_size_is_bounded(monkeypatch: pytest.MonkeyPatch, bound: str, most: int) -> None:
    """Over the bound of nodes or of characters the rest is left out, and said."""
    doc = Doc()
    doc.get("r", type=pycrdt.Array).extend(["ten chars " for _ in range(100)])
    monkeypatch.setattr(shapes, bound, most)

    roots, truncated = read(doc)

    assert truncated
    assert len("".join(item or "" for item in roots["r"])) <= most * 10
