"""Trees of shared types: equal where the documents are."""

from typing import Any

import pycrdt

from crdt.trees import ArrayTree, ElementTree, FragmentTree, MapTree, TextTree, read_roots


def read(doc: "pycrdt.Doc[Any]") -> dict[str, Any]:
    """All roots as trees."""
    with doc.transaction() as transaction:
        return read_roots(doc._doc, transaction._txn)


def test_every_kind_has_its_tree() -> None:
    """A shared map is told from a plain one, and formats from text."""
    doc = pycrdt.Doc[Any]()
    doc.get("t", type=pycrdt.Text).insert(0, "a", {"b": True})
    doc.get("m", type=pycrdt.Map).update({"plain": {"k": 1}, "shared": pycrdt.Map({"k": 1})})
    doc.get("a", type=pycrdt.Array).append(b"x")
    fragment = doc.get("x", type=pycrdt.XmlFragment)
    fragment.children.append(pycrdt.XmlElement("p", {"n": 1}, [pycrdt.XmlText("y")]))

    assert read(doc) == {
        "t": TextTree((("a", (("b", True),)),)),
        "m": MapTree({"plain": {"k": 1.0}, "shared": MapTree({"k": 1.0})}),
        "a": ArrayTree((b"x",)),
        "x": FragmentTree((ElementTree("p", {"n": 1.0}, (TextTree((("y", ()),), is_xml=True),)),)),
    }


def test_empty_roots_are_no_trees() -> None:
    """What holds nothing is as if it were not there."""
    doc = pycrdt.Doc[Any]()
    doc.get("t", type=pycrdt.Text)

    assert read(doc) == {}
