"""Restore an old version as a forward edit: make a document say again what it said.

Nothing is rolled back. What differs is written as ordinary edits, as few as can be found, so open
editors see it as somebody's typing and what others wrote meanwhile is merged with it. The state of
the trash is not content: it stays as it is.
"""

from collections.abc import Sequence
from typing import Any, Final

import pycrdt

from crdt.blocks import META, Change
from crdt.differing import length_of, steps, text_steps
from crdt.document import Document
from crdt.trees import (
    ArrayTree,
    ElementTree,
    FragmentTree,
    Inner,
    MapTree,
    Run,
    TextTree,
    get_root,
    read,
    read_roots,
)

_KEPT: Final = {"deletedAt", "deleted_at", "permanentlyDeletedAt", "permanently_deleted_at"}
_EMPTY: Final = {"xml": FragmentTree(()), "text": TextTree(()), "map": MapTree({})}
_KINDS: Final[dict[Any, str]] = {
    FragmentTree: "xml",
    TextTree: "text",
    MapTree: "map",
    ArrayTree: "array",
}


def restoration(version: Document) -> Change:
    """The change that makes a document like `version`. Raises UpdateError (nested too deeply).

    So does the change, before it wrote anything.
    """
    return restoration_of(version.look(_roots))


def restoration_of(roots: dict[str, Any]) -> Change:
    """The change that makes a document hold these roots, as `roots_of_rows` reads them."""
    return lambda doc: Writing(doc).run(roots)


def roots_of_rows(rows: list[bytes]) -> dict[str, Any]:
    """The roots of a version from its rows; for a helper process. Raises as `restoration`."""
    return Document.rebuild(rows).look(_roots)


def _roots(doc: "pycrdt.Doc[Any]") -> dict[str, Any]:
    transaction: Any = doc._txn  # noqa: SLF001
    return read_roots(doc._doc, transaction._txn)  # noqa: SLF001


class Writing:
    """Writes trees into a document, inside the transaction of an edit."""

    def __init__(self, doc: "pycrdt.Doc[Any]") -> None:
        transaction: Any = doc._txn  # noqa: SLF001
        self.raw: Any = doc._doc  # noqa: SLF001
        self.transaction: Any = transaction._txn  # noqa: SLF001

    def run(self, wanted: dict[str, Any]) -> None:
        """Make every root hold what is wanted of it."""
        raw, transaction = self.raw, self.transaction
        current = read_roots(raw, transaction)
        for name in sorted({*current, *wanted}):
            old, new = current.get(name), wanted.get(name)
            if name == META:
                new = _with_trash_of(old, new)
            if old == new:
                continue
            if old is not None and (new is None or type(new) is not type(old)):
                self._make_root(name, old, _emptied(old))
                old = None
            if new is not None:
                self._make_root(name, old if old is not None else _emptied(new), new)

    def _make_root(self, name: str, old: Any, new: Any) -> None:  # noqa: ANN401
        kind = _KINDS[type(new)]
        self._make(get_root(self.raw, self.transaction, name, kind), old, new)

    def _make(self, shared: Any, old: Any, new: Any) -> None:  # noqa: ANN401
        """Make a shared type, which holds `old`, hold `new`; both are trees of one kind."""
        match new:
            case TextTree():
                self._make_text(shared, old.runs, new.runs)
            case FragmentTree():
                self._make_children(shared, old.children, new.children)
            case ElementTree():
                self._make_attributes(shared, old.attributes, new.attributes)
                self._make_children(shared, old.children, new.children)
            case MapTree():
                self._make_map(shared, old.entries, new.entries)
            case ArrayTree():
                self._make_array(shared, old.items, new.items)

    # -- text ---------------------------------------------------------------------------

    def _make_text(self, text: Any, old: tuple[Run, ...], new: tuple[Run, ...]) -> None:  # noqa: ANN401
        for at, gone, runs in text_steps(old, new):
            if gone:
                text.remove_range(self.transaction, at, gone)
            self.insert_runs(text, at, runs)

    def insert_runs(self, text: Any, at: int, runs: Sequence[Run]) -> None:  # noqa: ANN401
        """Insert runs into a text, at a place as pycrdt counts."""
        for piece, formats in runs:
            attributes = dict(formats)
            if isinstance(piece, str):
                text.insert(self.transaction, at, piece, iter(attributes.items()))
            else:
                self._embed(text, at, piece, attributes)
            at += length_of([(piece, formats)])

    def _embed(self, text: Any, at: int, value: Any, formats: dict[str, Any]) -> None:  # noqa: ANN401
        transaction = self.transaction
        formatted = iter(formats.items())
        match value:
            case ElementTree():
                made = text.insert_xmlelement_prelim(transaction, at, value.tag, formatted)
                self._make(made, ElementTree(value.tag, {}, ()), value)
            case MapTree():
                made = text.insert_map_prelim(transaction, at, formatted)
                self._make(made, MapTree({}), value)
            case TextTree() | ArrayTree() | FragmentTree():
                # Nobody's editor does this; the words of it are kept.
                text.insert(transaction, at, " ", formatted)
            case Inner():
                text.insert(transaction, at, " ", formatted)
            case _:
                text.insert_embed(transaction, at, value, formatted)

    # -- XML ----------------------------------------------------------------------------

    def _make_attributes(self, element: Any, old: dict[str, Any], new: dict[str, Any]) -> None:  # noqa: ANN401
        for name in old.keys() - new.keys():
            element.remove_attribute(self.transaction, name)
        for name, value in new.items():
            if name not in old or old[name] != value:
                element.insert_attribute(self.transaction, name, value)

    def _make_children(self, parent: Any, old: tuple[Any, ...], new: tuple[Any, ...]) -> None:  # noqa: ANN401
        transaction = self.transaction
        for a, b, c, d in steps(old, new):
            paired = 0
            while paired < min(b - a, d - c) and _alike(old[a + paired], new[c + paired]):
                paired += 1
            if b - a > paired:
                parent.remove_range(transaction, a + paired, b - a - paired)
            for offset in range(paired, d - c):
                self.insert_child(parent, a + offset, new[c + offset])
            for offset in range(paired):
                child = parent.get(transaction, a + offset)
                self._make(child, old[a + offset], new[c + offset])

    def insert_child(self, parent: Any, at: int, child: Any) -> None:  # noqa: ANN401
        """Insert a tree into XML, at an index of its children."""
        transaction = self.transaction
        match child:
            case ElementTree():
                made = parent.insert_element_prelim(transaction, at, child.tag)
                self._make(made, ElementTree(child.tag, {}, ()), child)
            case TextTree():
                made = parent.insert_str(transaction, at, "")
                self._make(made, TextTree((), is_xml=True), child)
            case FragmentTree():
                # A fragment inside XML is nothing that an editor writes: its place is kept.
                parent.insert_str(transaction, at, "")

    # -- maps and arrays ----------------------------------------------------------------

    def _make_map(self, shared: Any, old: dict[str, Any], new: dict[str, Any]) -> None:  # noqa: ANN401
        transaction = self.transaction
        for key in old.keys() - new.keys():
            shared.remove(transaction, key)
        for key, value in new.items():
            if key in old and old[key] == value:
                continue
            if key in old and type(old[key]) in _KINDS and type(old[key]) is type(value):
                self._make(shared.get(transaction, key), old[key], value)
            else:
                self._put(shared, key, value)

    def _make_array(self, shared: Any, old: tuple[Any, ...], new: tuple[Any, ...]) -> None:  # noqa: ANN401
        for a, b, c, d in steps(old, new):
            if b > a:
                shared.remove_range(self.transaction, a, b - a)
            for offset, value in enumerate(new[c:d]):
                self._put(shared, a + offset, value)

    def _put(self, shared: Any, place: str | int, value: Any) -> None:  # noqa: ANN401
        """Write a value under a key or at an index; a shared one is made and then filled."""
        kind = _KINDS.get(type(value))
        if kind is None:
            # A document that was inside cannot be brought back: its place is kept.
            shared.insert(self.transaction, place, None if isinstance(value, Inner) else value)
            return
        name = "xmlfragment" if kind == "xml" else kind
        made = getattr(shared, f"insert_{name}_prelim")(self.transaction, place)
        self._make(made, read(made, self.transaction), value)


def _with_trash_of(old: Any, new: Any) -> MapTree | None:  # noqa: ANN401
    """The attributes of a version with the trash of today."""
    marks = {k: v for k, v in old.entries.items() if k in _KEPT} if type(old) is MapTree else {}
    entries = (
        {k: v for k, v in new.entries.items() if k not in _KEPT} if type(new) is MapTree else {}
    )
    return MapTree(entries | marks) if entries or marks else None


def _emptied(tree: Any) -> Any:  # noqa: ANN401
    return _EMPTY.get(_KINDS[type(tree)], ArrayTree(()))


def _alike(old: Any, new: Any) -> bool:  # noqa: ANN401
    """Whether one child of XML can become the other without being replaced."""
    if isinstance(old, ElementTree) and isinstance(new, ElementTree):
        return old.tag == new.tag
    return isinstance(old, TextTree) and isinstance(new, TextTree)
