"""Which updates a room takes: checked, from a writer, not an exact repeat, and there is room."""

from __future__ import annotations

from collections.abc import Sequence

from crdt import structure, wire
from crdt.bounds import Bounds
from crdt.document import Document
from crdt.errors import UpdateError
from crdt.events import CHECKED, Item
from crdt.layout import Trial

KNOWN = "known"
"""Verdict on an update that brings nothing: acknowledged, neither stored nor shared."""

_MEASURE_PART = 16
"""The document is measured again after this part of its bound was received,"""
_MEASURE_PART_SHRUNK = 1024
"""or after this part, if something was deleted."""


class Intake:
    """Judges updates before they are applied, and remembers those that were."""

    __slots__ = (
        *("_is_quiet", "_measured", "_recent", "_shrunk", "_since"),
        *("bounds", "retired", "trial"),
    )

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self._recent: dict[bytes, None] | None = None
        """None while there are none."""
        self._is_quiet = True
        """Nothing was applied since the last `rest`."""
        self.trial: Trial | None = None
        """What judges updates of a document whose kind has a layout."""
        self.retired: frozenset[int] = structure.NOBODY
        """Client ids of retired lineages: whoever names one must reset, not sync."""
        self._measured = 0
        self._since = 0
        self._shrunk = False

    def loaded(self, size: int) -> None:
        """A document of at most `size` bytes was loaded."""
        self._measured = size
        self._since = 0

    def all_good(self, items: Sequence[Item], document: Document) -> bool:
        """Whether each is a new, well-formed update of a writer: the hot path's one question."""
        size = 0
        recent, bounds, check = self._recent, self.bounds, structure.check
        try:
            for session, kind, update, _ in items:
                size += len(update)
                if (recent is not None and update in recent) or not session.can_write:
                    return False
                if kind == wire.UPDATE:
                    check(update, bounds)
        except UpdateError:
            return False
        if self.retired or self.trial is not None:
            return False
        if len(items) > 1 and len({item[2] for item in items}) < len(items):
            return False
        return self._fits(size, document)

    def verdict(self, item: Item, document: Document) -> str | None:
        """Why an update may not be applied, KNOWN if it changes nothing, else None."""
        session, kind, update, _ = item
        if self._recent is not None and update in self._recent:
            return KNOWN
        try:
            if not kind & CHECKED:
                structure.check(update, self.bounds)
            if self.retired and structure.client_ids(update) & self.retired:
                return "lineage"
            if not session.can_write:
                return KNOWN if document.contains(update) else "read-only"
            # What only deletes is taken by a full document too: how else should it shrink?
            if update[:1] == b"\0" or self._fits(len(update), document):
                return self._tried(update, document)
            return KNOWN if document.contains(update) else "document-full"
        except UpdateError as error:
            return error.reason

    def _tried(self, update: bytes, document: Document) -> str | None:
        """What the layout of the document's kind says, if it has one."""
        if self.trial is None:
            return None
        # Who comes back sends what is known: that needs no trial, whose copy is dear.
        return KNOWN if document.contains(update) else self.trial.verdict(update, document)

    def verdicts(self, items: Sequence[Item], document: Document) -> list[str | None]:
        """The verdict on each of a run that is applied at once; a repeat in it is known too."""
        seen: set[bytes] = set()
        found: list[str | None] = []
        for item in items:
            verdict = KNOWN if item[2] in seen else self.verdict(item, document)
            if verdict is None:
                seen.add(item[2])
            found.append(verdict)
        return found

    def remember(self, update: bytes) -> None:
        """An update was applied: exact repeats (retries, two tabs) are not stored again."""
        size = len(update)
        self._since += size
        self._is_quiet = False
        if update[:1] == b"\0":
            self._shrunk = True
        if size <= self.bounds.recent_update_bytes_max:
            recent = self._recent
            if recent is None:
                self._recent = {update: None}
            else:
                recent[update] = None
                if len(recent) > self.bounds.recent_updates_max:
                    del recent[next(iter(recent))]

    @property
    def is_rested(self) -> bool:
        """There is nothing that `rest` would forget."""
        return self._is_quiet and self._recent is None

    def rest(self) -> None:
        """A second is over: repeats come soon or never, so a quiet document remembers nothing.

        A repeat that comes later is applied once more, changes nothing, and is a row more.
        """
        if self._is_quiet:
            self._recent = None
        self._is_quiet = True

    def _fits(self, size: int, document: Document) -> bool:
        """Whether the document stays within its bound.

        The sum of what was received is far above what a document of many edits takes, so it is
        measured, but only after a part of the bound came in: encoding 16 MiB takes time.
        """
        bound = self.bounds.document_bytes_max
        if self._measured + self._since + size <= bound:
            return True
        part = _MEASURE_PART_SHRUNK if self._shrunk else _MEASURE_PART
        if self._since >= bound // part:
            self._measured = len(document.encode())
            self._since = 0
            self._shrunk = False
        return self._measured + self._since + size <= bound
