"""A document's shared types as frozen values that can be compared, with nothing left out.

Unlike `shapes`, which is for showing, this tells apart all that can be written: a map from a plain
object, formats from text. `restoring` makes one document like another with it.
"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from pycrdt._pycrdt import Array as _Array
from pycrdt._pycrdt import Doc as _Doc
from pycrdt._pycrdt import Map as _Map
from pycrdt._pycrdt import Text as _Text
from pycrdt._pycrdt import XmlElement as _Element
from pycrdt._pycrdt import XmlFragment as _Fragment
from pycrdt._pycrdt import XmlText as _XmlText

from crdt.errors import UpdateError
from crdt.shapes import Reader

DEPTH_MAX: Final = 100

Formats = tuple[tuple[str, Any], ...]
Run = tuple[Any, Formats]
"""A stretch of text, or one embedded value, and its formats."""


class TextTree(msgspec.Struct, frozen=True):
    """A text (`is_xml`: one inside XML) as runs; neighbours differ in their formats."""

    runs: tuple[Run, ...]
    is_xml: bool = False


class ElementTree(msgspec.Struct, frozen=True):
    """An XML element."""

    tag: str
    attributes: dict[str, Any]
    children: tuple[Any, ...]


class FragmentTree(msgspec.Struct, frozen=True):
    """An XML fragment."""

    children: tuple[Any, ...]


class Inner(msgspec.Struct, frozen=True):
    """A document inside the document: a thing of its own, of which nothing is in this one."""


class MapTree(msgspec.Struct, frozen=True):
    """A shared map."""

    entries: dict[str, Any]


class ArrayTree(msgspec.Struct, frozen=True):
    """A shared array."""

    items: tuple[Any, ...]


def plain(text: str) -> TextTree:
    """A text of XML without formats."""
    return TextTree(((text, ()),) if text else (), is_xml=True)


def read_roots(raw: Any, transaction: Any) -> dict[str, Any]:  # noqa: ANN401  (the binding's types)
    """Every root that holds anything. Raises UpdateError where a document is nested too deeply."""
    kinds = Reader(raw, transaction)
    found = {}
    for name in raw.roots(transaction):
        root = get_root(raw, transaction, name, kinds.kind(name))
        if root is not None:
            found[name] = read(root, transaction)
    return found


def get_root(raw: Any, transaction: Any, name: str, kind: str) -> Any:  # noqa: ANN401
    """A root as the shared type that its kind says; None for no kind."""
    match kind:
        case "xml":
            return raw.get_or_insert_xml_fragment(transaction, name)
        case "text":
            return raw.get_or_insert_text(transaction, name)
        case "map":
            return raw.get_or_insert_map(transaction, name)
        case "array":
            return raw.get_or_insert_array(transaction, name)
    return None


def read(shared: Any, transaction: Any, depth: int = 0) -> Any:  # noqa: ANN401
    """A value of a document as a tree; plain values stay what they are."""
    if depth > DEPTH_MAX:
        raise UpdateError("too-deep")
    value: Any = shared  # What matches below knows less of the binding's types than is there.
    match shared:
        case _XmlText() | _Text():
            runs = tuple(_runs(value, transaction, depth))
            return TextTree(runs, is_xml=isinstance(value, _XmlText))
        case _Element():
            return ElementTree(
                value.tag() or "",
                {k: _plain(v) for k, v in value.attributes(transaction)},
                _children(value, transaction, depth),
            )
        case _Fragment():
            return FragmentTree(_children(value, transaction, depth))
        case _Map():
            return MapTree(
                {
                    key: read(value.get(transaction, key), transaction, depth + 1)
                    for key in value.keys(transaction)
                }
            )
        case _Array():
            return ArrayTree(
                tuple(
                    read(value.get(transaction, index), transaction, depth + 1)
                    for index in range(value.len(transaction))
                )
            )
    return _plain(value)


def _children(parent: Any, transaction: Any, depth: int) -> tuple[Any, ...]:  # noqa: ANN401
    return tuple(read(child, transaction, depth + 1) for child in parent.children(transaction))


def _runs(text: Any, transaction: Any, depth: int) -> Iterator[Run]:  # noqa: ANN401
    letters = ""
    formats: Formats = ()
    for piece, given in text.diff(transaction):
        own: Formats = tuple(sorted((given or {}).items(), key=lambda item: item[0]))
        if letters and (own != formats or not isinstance(piece, str)):
            yield letters, formats
            letters = ""
        if isinstance(piece, str):
            letters, formats = letters + piece, own
        else:
            yield read(piece, transaction, depth + 1), own
    if letters:
        yield letters, formats


def _plain(value: Any) -> Any:  # noqa: ANN401
    """A plain value as it can be written again: pycrdt reads bytes as an array it cannot write."""
    if isinstance(value, bytearray):
        return bytes(value)
    if isinstance(value, _Doc):
        return Inner()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
