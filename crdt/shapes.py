"""Reads the shared types of a document as plain values of JSON, whatever peers wrote there.

A root has no kind in an update, so what it holds decides:

    children that are XML    {"type": "doc", "content": [node, …]}, as ProseMirror writes its JSON
    characters               the text; with formats or embeds {"type": "text", "content": [run, …]}
    keys                     an object
    other elements           a list

    node = {"type": …, "attrs": {…}, "content": [node | run, …]}
    run  = {"type": "text", "text": …, "marks": [{"type": …, "attrs": {…}}]}

Peers choose how deep and how large it gets, so all of it has bounds; `Reader.truncated` says that
one was met. Whole numbers come back as such (pycrdt makes floats of them), bytes as base64.
"""

import base64
import math
import re
from typing import Any, Final

import pycrdt
from pycrdt._pycrdt import Array as _Array
from pycrdt._pycrdt import Map as _Map
from pycrdt._pycrdt import Text as _Text
from pycrdt._pycrdt import XmlElement as _Element
from pycrdt._pycrdt import XmlFragment as _Fragment
from pycrdt._pycrdt import XmlText as _XmlText

NODES_MAX: Final = 100_000
CHARACTERS_MAX: Final = 2_000_000
DEPTH_MAX: Final = 48
ROOTS_MAX: Final = 256

Node = dict[str, Any]

_WHOLE_MAX: Final = 1 << 53
_OVERLAP: Final = re.compile(r"--[A-Za-z0-9+/=]{8}$")
"""What y-prosemirror adds to a mark's name where marks of one kind overlap."""


class Reader:
    """Reads one document inside a transaction; give it pycrdt's own `Doc` and transaction."""

    def __init__(self, raw: Any, transaction: Any) -> None:  # noqa: ANN401  (types of the binding)
        self._raw = raw
        self._transaction = transaction
        self._nodes = NODES_MAX
        self._characters = CHARACTERS_MAX
        self.truncated = False
        self.kinds: dict[str, str] = {}
        """What each root that was read holds: xml, text, map, array."""

    def roots(self) -> dict[str, Any]:
        """Every root that holds anything, by name, in order of the names."""
        names = sorted(self._raw.roots(self._transaction))
        if len(names) > ROOTS_MAX:
            self.truncated = True
        values = {name: self.root(name) for name in names[:ROOTS_MAX]}
        return {name: value for name, value in values.items() if value not in (None, "")}

    def kind(self, name: str) -> str:
        """What a root holds: xml, text, map, array, or nothing (empty)."""
        raw, transaction = self._raw, self._transaction
        fragment = raw.get_or_insert_xml_fragment(transaction, name)
        if fragment.len(transaction):
            if fragment.children(transaction):
                return "xml"
            has_text = raw.get_or_insert_text(transaction, name).get_string(transaction)
            return "text" if has_text else "array"
        return "map" if raw.get_or_insert_map(transaction, name).len(transaction) else ""

    def root(self, name: str) -> Any:  # noqa: ANN401  (any value of JSON)
        """What one root holds; None where that is nothing."""
        raw, transaction = self._raw, self._transaction
        kind = self.kinds[name] = self.kind(name)
        match kind:
            case "xml":
                fragment = raw.get_or_insert_xml_fragment(transaction, name)
                return {"type": "doc", "content": self._children(fragment, 0)}
            case "text":
                return self._text(raw.get_or_insert_text(transaction, name), 0)
            case "map":
                return self._map(raw.get_or_insert_map(transaction, name), 0)
            case "array":
                return self._array(raw.get_or_insert_array(transaction, name), 0)
        return None

    # -- XML ----------------------------------------------------------------------------

    def element(self, element: Any, depth: int = 0) -> Node:  # noqa: ANN401
        """One XML element as a node."""
        node: Node = {"type": element.tag() or ""}
        attributes = {
            name: self._value(value, depth + 1)
            for name, value in sorted(element.attributes(self._transaction))
        }
        if attributes:
            node["attrs"] = attributes
        content = self._children(element, depth + 1)
        if content:
            node["content"] = content
        return node

    def _children(self, parent: Any, depth: int) -> list[Node]:  # noqa: ANN401
        found: list[Node] = []
        if depth > DEPTH_MAX:
            self.truncated = True
            return found
        for child in parent.children(self._transaction):
            if not self._spend(0):
                break
            if isinstance(child, _XmlText):
                found += self.runs(child, depth)
            elif isinstance(child, _Element):
                found.append(self.element(child, depth))
            elif isinstance(child, _Fragment):
                found += self._children(child, depth + 1)
        return found

    def runs(self, text: Any, depth: int = 0) -> list[Node]:  # noqa: ANN401
        """A formatted text as runs."""
        found: list[Node] = []
        for piece, formats in text.diff(self._transaction):
            if isinstance(piece, str):
                run: Node = {"type": "text", "text": self._take(piece)}
                marks = self._marks(formats or {}, depth)
                if marks:
                    run["marks"] = marks
                found.append(run)
            elif isinstance(piece, _Element):
                found.append(self.element(piece, depth + 1))
            elif self._spend(0):
                value = self._value(piece, depth + 1)
                found.append({"type": "embed", "attrs": {"value": value}})
            if not self._nodes:
                break
        return found

    def _marks(self, formats: dict[str, Any], depth: int) -> list[Node]:
        marks: list[Node] = []
        for name, value in sorted(formats.items()):
            if value is None or value is False:
                continue
            mark: Node = {"type": _OVERLAP.sub("", name)}
            if isinstance(value, dict):
                if value:
                    mark["attrs"] = self._value(value, depth + 1)
            elif value is not True:
                mark["attrs"] = {"value": self._value(value, depth + 1)}
            marks.append(mark)
        return marks

    # -- other types --------------------------------------------------------------------

    def _text(self, text: Any, depth: int) -> Any:  # noqa: ANN401
        runs = self.runs(text, depth)
        if all(run["type"] == "text" and "marks" not in run for run in runs):
            return "".join(run["text"] for run in runs)
        return {"type": "text", "content": runs}

    def _map(self, shared: Any, depth: int) -> dict[str, Any]:  # noqa: ANN401
        transaction = self._transaction
        return {
            key: self._value(shared.get(transaction, key), depth + 1)
            for key in sorted(shared.keys(transaction))
            if self._spend(len(key))
        }

    def _array(self, shared: Any, depth: int) -> list[Any]:  # noqa: ANN401
        transaction = self._transaction
        found = []
        for index in range(shared.len(transaction)):
            if not self._spend(0):
                break
            found.append(self._value(shared.get(transaction, index), depth + 1))
        return found

    def _value(self, value: Any, depth: int) -> Any:  # noqa: ANN401, PLR0911  (a table of kinds)
        if depth > DEPTH_MAX or not self._spend(0):
            self.truncated = True
            return None
        match value:
            case None | bool():
                return value
            case str():
                return self._take(value)
            case float() | int():
                return _number(value)
            case bytes() | bytearray():
                return self._take(base64.b64encode(value).decode())
            case dict():
                return {key: self._value(item, depth + 1) for key, item in value.items()}
            case list() | tuple():
                return [self._value(item, depth + 1) for item in value]
        return self._shared(value, depth)

    def _shared(self, value: Any, depth: int) -> Any:  # noqa: ANN401, PLR0911  (a table of kinds)
        match value:
            case _Map():
                return self._map(value, depth)
            case _Array():
                return self._array(value, depth)
            case _XmlText():
                return {"type": "text", "content": self.runs(value, depth)}
            case _Text():
                return self._text(value, depth)
            case _Element():
                return self.element(value, depth)
            case _Fragment():
                return {"type": "doc", "content": self._children(value, depth + 1)}
        # A document inside the document is a thing of its own: nothing of it is in this one.
        return None

    # -- bounds -------------------------------------------------------------------------

    def _spend(self, characters: int) -> bool:
        """Whether one more node is within the bounds."""
        if not self._nodes or not self._characters:
            self.truncated = True
            return False
        self._nodes -= 1
        self._characters = max(0, self._characters - characters)
        return True

    def _take(self, text: str) -> str:
        """As much of a text as is within the bounds."""
        taken = text[: self._characters]
        self.truncated |= len(taken) < len(text)
        self._characters -= len(taken)
        return taken


def reader(doc: "pycrdt.Doc[Any]") -> Reader:
    """A reader of a document, inside `Document.look` or `Document.edit`."""
    transaction: Any = doc._txn  # noqa: SLF001  (the names for people cost ten times as much)
    return Reader(doc._doc, transaction._txn)  # noqa: SLF001


def _number(value: float) -> float | int | None:
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        if value.is_integer() and abs(value) < _WHOLE_MAX:
            return int(value)
    return value
