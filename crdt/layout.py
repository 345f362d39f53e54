"""What a kind of document may hold, and the trial of each update before it reaches the document.

A document of an adapter holds collections of records (`crdt.records`) of known forms. What a peer
sends is first applied to a copy of the document: if anything that it changes there is not of its
form, the update is refused and nobody sees it. The copy is made when the first peer writes.

An update that would wait for its predecessors cannot be judged, so it is not kept: its author is
asked for all that he has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

import msgspec

from crdt.document import Document
from crdt.entries import Entry, entry_of, is_id
from crdt.errors import DocumentBroken, UpdateError
from crdt.records import Collection

SCHEMA = "schema"
"""Why an update is refused that would leave something that does not belong there."""
OUT_OF_ORDER = "out-of-order"
"""Why an update is refused that came before its predecessors."""

Find: TypeAlias = Callable[[str, str], Entry | None]
"""What stands in a collection under an id, once the update is applied."""


class Change(msgspec.Struct, frozen=True):
    """What an update does to one record."""

    collection: str
    key: str
    old: Entry | None
    new: Entry | None
    """None: nothing stands there any more."""


class Layout(msgspec.Struct, frozen=True):
    """What one kind of document may hold."""

    collections: tuple[str, ...]
    allows: Callable[[Change, Find], bool]
    """Whether a change leaves the document as its adapter expects it."""


class Trial:
    """Judges updates of one document."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._copy: Document | None = None
        self._heard: list[tuple[str, Mapping[str, Any]]] = []
        self._subscriptions: list[Any] = []

    @classmethod
    def of(cls, layout: Layout | None) -> Trial | None:
        """A trial for a document whose kind has a layout."""
        return None if layout is None else cls(layout)

    def verdict(self, update: bytes, document: Document) -> str | None:
        """Why an update may not be applied to the document, or None; then it must be applied."""
        try:
            why = self._judge(update, document)
        except UpdateError as error:
            why = error.reason
        except DocumentBroken:
            why = "malformed"
        if why is not None:
            self._copy = None
        return why

    def _judge(self, update: bytes, document: Document) -> str | None:
        copy = self._current(document)
        self._heard.clear()
        copy.apply_observed(update)
        if copy.has_pending:
            return OUT_OF_ORDER
        if copy.look(self._strays):
            return SCHEMA
        return None if all(map(partial(self._allows, copy), self._heard)) else SCHEMA

    def _current(self, document: Document) -> Document:
        """The copy, brought up to what the document got from elsewhere meanwhile."""
        copy = self._copy
        if copy is None:
            copy = self._copy = Document.rebuild([document.encode()])
            self._subscriptions = [
                copy.look(partial(self._listen, name=name)) for name in self._layout.collections
            ]
        elif copy.state_vector() != document.state_vector():
            copy.apply_observed(document.diff(copy.state_vector()))
        return copy

    def _listen(self, doc: Any, name: str) -> Any:  # noqa: ANN401  (pycrdt's own types)
        def heard(event: Any) -> None:  # noqa: ANN401
            self._heard.append((name, dict(event.keys)))

        return Collection.of(doc, name).observe(heard)

    def _strays(self, doc: Any) -> bool:  # noqa: ANN401
        """Whether there is a root of another name, or text or a list in one of ours."""
        names = self._layout.collections
        return any(name not in names for name in doc.keys()) or any(  # noqa: SIM118
            Collection.of(doc, name).has_list for name in names
        )

    def _allows(self, copy: Document, heard: tuple[str, Mapping[str, Any]]) -> bool:
        collection, keys = heard

        def find(name: str, key: str) -> Entry | None:
            return copy.look(lambda doc: Collection.of(doc, name).entry(key))

        for key, change in keys.items():
            raw = change.get("newValue")
            new = entry_of(raw)
            if not is_id(key) or "\0" in key or (new is None and change["action"] != "delete"):
                return False
            made = Change(collection, key, entry_of(change.get("oldValue")), new)
            if not self._layout.allows(made, find):
                return False
        return True
