"""One note: a block's document, and the Markdown file that shows it."""

import re
import secrets
from difflib import SequenceMatcher
from typing import Final

from crdt import blocks
from crdt.blocks import Change
from crdt.document import EMPTY_UPDATE, Document
from crdt.rewriting import adopt, is_plain, meaning, rewrite, text_of
from crdt.titling import retitle, title_of
from scripts._device.shelf import Kept

_UNSAFE: Final = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]+')
_RESERVED: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)
NAME_BYTES_MAX: Final = 120


class Note:
    """A note in memory. Whoever changes it keeps it on the shelf before anything is sent."""

    def __init__(self, kept: Kept) -> None:
        self.kept = kept
        # A client id of its own for each run: one that is used again after a folder was copied
        # or restored from a backup would write over its own past.
        self.document = self._replica(kept.doc)

    @classmethod
    def new(cls, block: str, title: str, text: str, file: str) -> "Note":
        """A block that is made here."""
        note = cls(Kept(block=block, doc=EMPTY_UPDATE, file=file, named=title))
        note.edit(retitle(title))
        note.take_text(text)
        return note

    @classmethod
    def empty(cls, block: str) -> "Note":
        """A block of somebody else, of which nothing is here yet."""
        return cls(Kept(block=block, doc=EMPTY_UPDATE))

    @staticmethod
    def _replica(data: bytes) -> Document:
        return Document.rebuild([data], client_id=secrets.randbits(52))

    # -- local edits ----------------------------------------------------------------------

    def edit(self, change: Change) -> None:
        """Change the document as it is now."""
        if self.document.edit(change) is not None:
            self._changed(unsent=True)

    def take_text(self, text: str) -> None:
        """The file says this now: write into the document what is new in it."""
        kept = self.kept
        if text != kept.text and kept.base is None:
            self.edit(rewrite(kept.text, text))
        elif text != kept.text:
            # The file speaks of an older document: the edit is made there, and merged.
            before = self._replica(kept.base or EMPTY_UPDATE)
            made = before.edit(rewrite(kept.text, text))
            kept.base = before.encode()
            if made is not None:
                self.document.apply_observed(made)
                self._changed(unsent=True)
        kept.text = text

    def resolve(self, text: str | None) -> None:
        """After a crash: whether the file that was being written is there."""
        kept = self.kept
        if kept.writing is None:
            return
        name, wanted = kept.writing
        if text is not None and (
            text == wanted or likeness(text, wanted) > likeness(text, kept.text)
        ):
            kept.file, kept.text, kept.base = name, wanted, None
        elif text == kept.text:
            kept.file = name  # It had its new name and not its new text yet.
        kept.writing = None

    # -- what others wrote ------------------------------------------------------------------

    def merge(self, update: bytes) -> None:
        """Take in what the server has."""
        before = self.document.encode()
        if self.document.apply_observed(update) is not None:
            if self.kept.base is None:
                self.kept.base = before
            self._changed(unsent=self.kept.unsent)

    def replace(self, state: bytes) -> None:
        """Start anew from the server's document: it was rebuilt there."""
        self.document = self._replica(state)
        self.kept.base = self.kept.base or self.kept.doc
        self._changed(unsent=False)

    def _changed(self, *, unsent: bool) -> None:
        kept = self.kept
        kept.doc, kept.unsent, kept.pending = self.document.encode(), unsent, True
        kept.problem = ""

    def news(self) -> bytes:
        """What the server may not have, for as far as it told what it has."""
        return self.document.diff(self.kept.seen)

    # -- what it says -----------------------------------------------------------------------

    @property
    def title(self) -> str:
        """The title, as a file can be named."""
        return file_title(title_of(self.document))

    @property
    def is_gone(self) -> bool:
        """It is in the trash, or deleted for good."""
        facts = blocks.read(self.document)
        return facts.trashed_at is not None or facts.removed_at is not None

    def shown(self) -> str:
        """What the file should say: as it was spelled, wherever that means the same."""
        text = text_of(self.document).rstrip("\n")
        if is_plain(self.document):
            return text
        if meaning(text) == meaning(self.kept.text):
            return self.kept.text
        return adopt(text, self.kept.text)

    def written(self, name: str, text: str) -> None:
        """The file says this, and the document knows."""
        kept = self.kept
        kept.file, kept.text, kept.base, kept.writing, kept.pending = name, text, None, None, False


def likeness(text: str, other: str) -> float:
    """How much of two texts is the same, from 0 to 1."""
    return SequenceMatcher(None, text.split(), other.split(), autojunk=False).ratio()


def file_title(title: str) -> str:
    """A title as a file can be named on any system."""
    safe = _UNSAFE.sub(" ", title).strip().strip(".").strip()
    safe = " ".join(safe.split())
    while len(safe.encode()) > NAME_BYTES_MAX:
        safe = safe[:-1]
    return f"{safe}_" if _RESERVED.fullmatch(safe) else safe.strip() or "Untitled"
