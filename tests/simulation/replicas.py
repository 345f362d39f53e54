"""The documents that peers hold: real CRDT replicas, written to by tokens.

Every insertion is one token such as `<17>`, used once in a run and put between two others, so that
a text shows by itself what is missing and what is doubled.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Protocol

import pycrdt

from crdt.document import Document
from crdt.errors import OutOfOrder
from crdt.merging import difference, waits

TOKEN = re.compile(r"<\d+>")
FIRST = "<0>"
"""The token that every document begins with; nobody takes it out."""
FIRST_CLIENT = 999
TEXT = "text"
MAP = "map"

Change = Callable[["pycrdt.Doc[Any]"], None]


class Replica(Protocol):
    """What a peer needs of its document."""

    def vector(self) -> bytes:
        """The state vector."""

    def diff(self, vector: bytes) -> bytes:
        """What a replica at `vector` is missing."""

    def apply(self, update: bytes) -> None:
        """Take in what came from the server."""

    def edit(self, change: Change) -> bytes | None:
        """Change something; answers the update that says so."""

    def doc(self) -> pycrdt.Doc[Any]:
        """To look at."""


class PlainReplica:
    """pycrdt as it is, as notebook clients use it: it forgets to send on what waits."""

    def __init__(self, client_id: int) -> None:
        self._doc: pycrdt.Doc[Any] = pycrdt.Doc(client_id=client_id)
        self._late: list[bytes] = []
        self.kept_back = False
        """It showed all it has while something waited in it."""

    def vector(self) -> bytes:
        """The state vector."""
        return self._doc.get_state()

    def diff(self, vector: bytes) -> bytes:
        """What a replica at `vector` is missing."""
        self._late = [update for update in self._late if self._waits(update)]
        self.kept_back |= bool(self._late)
        return self._doc.get_update(vector)

    def apply(self, update: bytes) -> None:
        """Take in what came from the server."""
        self._doc.apply_update(update)
        if self._waits(update):
            self._late.append(update)

    def _waits(self, update: bytes) -> bool:
        state = self.vector()
        return waits(difference(update, state), state)

    def edit(self, change: Change) -> bytes | None:
        """Change something; answers the update that says so."""
        made: list[bytes] = []
        subscription = self._doc.observe(lambda event: made.append(event.update))
        with self._doc.transaction():
            change(self._doc)
        self._doc.unobserve(subscription)
        return made[0] if made else None

    def doc(self) -> pycrdt.Doc[Any]:
        """To look at."""
        return self._doc


class PatientReplica:
    """A replica that keeps, retries and sends on what waits for predecessors, as Yjs does."""

    def __init__(self, client_id: int) -> None:
        self._client_id = client_id
        self._document = Document.rebuild([], client_id=client_id, exact=True)
        self._received: list[bytes] = []

    def vector(self) -> bytes:
        """The state vector."""
        return self._document.state_vector()

    def diff(self, vector: bytes) -> bytes:
        """What a replica at `vector` is missing."""
        return self._document.diff(vector)

    def apply(self, update: bytes) -> None:
        """Take in what came from the server."""
        self._received.append(update)
        try:
            self._document.apply_stored([update])
            self._document.settle()
        except OutOfOrder:
            self._document = Document.rebuild(
                self._received, client_id=self._client_id, careful=True
            )

    def edit(self, change: Change) -> bytes | None:
        """Change something; answers the update that says so."""
        made = self._document.edit(change)
        if made is not None:
            self._received.append(made)
        return made

    def doc(self) -> pycrdt.Doc[Any]:
        """To look at."""
        return self._document.wake()._replica._doc


def text_of(doc: pycrdt.Doc[Any]) -> str:
    """The text."""
    return str(doc.get(TEXT, type=pycrdt.Text))


def map_of(doc: pycrdt.Doc[Any]) -> dict[str, Any]:
    """The map."""
    return dict(doc.get(MAP, type=pycrdt.Map).to_py() or {})


def insert_token(doc: pycrdt.Doc[Any], place: float, token: str) -> None:
    """Put a token between two others; `place` is where, from 0 to 1."""
    text = doc.get(TEXT, type=pycrdt.Text)
    borders = [0, *(match.end() for match in TOKEN.finditer(str(text)))]
    text.insert(borders[int(place * len(borders))], token)


def delete_token(doc: pycrdt.Doc[Any], token: str) -> None:
    """Take a token out, if it is there."""
    text = doc.get(TEXT, type=pycrdt.Text)
    at = str(text).find(token)
    if at >= 0:
        del text[at : at + len(token)]


def first_row() -> bytes:
    """The update that every document begins with."""
    made = PlainReplica(FIRST_CLIENT).edit(lambda doc: insert_token(doc, 0.0, FIRST))
    assert made is not None
    return made


def set_key(doc: pycrdt.Doc[Any], key: str, value: int | None) -> None:
    """Set a key of the map, or remove it."""
    entries = doc.get(MAP, type=pycrdt.Map)
    if value is not None:
        entries[key] = value
    elif key in entries:
        del entries[key]
