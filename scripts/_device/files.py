"""The files of a device: what was done to them goes into the documents, and back."""

import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

from crdt import blocks
from crdt.ids import make_ulid
from crdt.titling import retitle
from scripts._device.note import Note, likeness
from scripts._device.rounds import Told, TooManyGone
from scripts._device.shelf import About, Shelf

VANISHED_MAX: Final = 5
"""So many files may vanish in one round without a question, and more while half are left."""
ALIKE: Final = 0.6
"""How much of a vanished file a new one must say to be the same note."""

T = TypeVar("T")
Track = Callable[[Iterable[T], str, int], Iterator[T]]
"""Shows how far a row of things is, with what is done and how many there are."""


class Files:
    """The notes of a folder and their files."""

    def __init__(self, shelf: Shelf, about: About, track: Track[Any]) -> None:
        self._shelf = shelf
        self._about = about
        self._track = track
        self.notes = {kept.block: Note(kept) for kept in shelf.notes()}
        self.told = Told()
        self._inodes: dict[str, int] = {}

    # -- look at the files --------------------------------------------------------------------

    def look(self, *, may_vanish: bool = False) -> None:
        """Take what was done to the files into the documents."""
        files = self._read_files()
        for note in self.notes.values():
            if note.kept.writing is not None:
                note.resolve(files.get(note.kept.writing[0]))
                self._shelf.keep(note.kept)
        named = {n.kept.file: n for n in self.notes.values() if n.kept.file is not None}
        missing = {name: note for name, note in named.items() if name not in files}
        new = {name: text for name, text in files.items() if name not in named}
        self._find_renamed(missing, new)
        if len(missing) > VANISHED_MAX and len(missing) * 2 > len(named) and not may_vanish:
            raise TooManyGone(f"{len(missing)} of {len(named)} notes are gone from the folder")
        for name, text in files.items():
            if name in named and name not in missing and text != named[name].kept.text:
                named[name].take_text(text)
                self.keep(named[name], f"{name}: your edits")
        for name, text in new.items():
            self._add(name, text)
        for name, note in missing.items():
            note.edit(blocks.trash(_now_ms()))
            note.kept.file = None
            self.keep(note, f"{name}: into the trash")

    def _read_files(self) -> dict[str, str]:
        files = {}
        for path in sorted(self._shelf.folder.glob("*.md")):
            if path.name.startswith(".") or not path.is_file():
                continue
            self._inodes[path.name] = path.stat().st_ino
            try:
                files[path.name] = _clean(path.read_bytes().decode())
            except UnicodeDecodeError:
                self.told.problems.append(f"{path.name} is not UTF-8 and stays as it is")
                for note in self.notes.values():
                    if note.kept.file == path.name:
                        files[path.name] = note.kept.text
        return files

    def _find_renamed(self, missing: dict[str, Note], new: dict[str, str]) -> None:
        """A file that is gone and a new one that says nearly the same are one note, renamed.

        As is one that is the same file on the disk and has kept some of its words: it was edited
        too. The inode alone says little: it is given to another file as soon as it is free.
        """
        alike = []
        for name, text in new.items():
            for old, note in missing.items():
                score = likeness(text, note.kept.text)
                is_same = score > 0 and note.kept.inode == self._inodes[name]
                if is_same or score >= ALIKE:
                    alike.append((is_same, score, old, name))
        for _, _, old, name in sorted(alike, reverse=True):
            if old not in missing or name not in new:
                continue
            note = missing.pop(old)
            note.kept.file, note.kept.named = name, Path(name).stem
            note.edit(retitle(Path(name).stem))
            note.take_text(new.pop(name))
            self.keep(note, f"{old}: is {name} now")

    def _add(self, name: str, text: str) -> None:
        stem = Path(name).stem
        for note in self.notes.values():
            kept = note.kept
            if kept.file is None and kept.named == stem and kept.text == text and note.is_gone:
                note.edit(blocks.restore())
                kept.file = name
                self.keep(note, f"{name}: out of the trash")
                return
        block = make_ulid(_now_ms(), secrets.token_bytes(10))
        note = self.notes[block] = Note.new(block, stem, text, name)
        self.keep(note, f"{name}: new")

    # -- write the files --------------------------------------------------------------------------

    def show(self) -> None:
        """Write what changed into the files."""
        pending = [note for note in self.notes.values() if note.kept.pending]
        for note in self._track(pending, "writing", len(pending)):
            self._show(note)

    def _show(self, note: Note) -> None:
        kept, folder = note.kept, self._shelf.folder
        old = None if kept.file is None else folder / kept.file
        if old is not None and (not old.exists() or said(old) != kept.text):
            return  # Somebody is writing in it: the next round takes that first.
        if note.is_gone:
            if old is not None:
                old.unlink()
                self.told.lines.append(f"{old.name}: into the trash, elsewhere")
            kept.file, kept.base, kept.pending = None, None, False
            kept.text, kept.named = note.shown(), note.title
            self._shelf.keep(kept)
            return
        text, name = note.shown(), kept.file
        if name is None and not text and kept.block == self._about.root:
            return
        if name is None or note.title != kept.named:
            name = self._free_name(note.title, kept.file)
        if name != kept.file or text != kept.text:
            kept.writing = (name, text)
            self._shelf.keep(kept)
            if not self._write(note, old, folder / name, text):
                kept.file, kept.writing = name, None
                self._shelf.keep(kept)
                return
            self.told.lines.append(f"{name}: {'new' if old is None else 'changed'}, elsewhere")
        note.written(name, text)
        kept.named, kept.inode = note.title, (folder / name).stat().st_ino
        self._shelf.keep(kept)

    def _write(self, note: Note, old: Path | None, new: Path, text: str) -> bool:
        """Write a note's file under its name; false where somebody saved it just now."""
        data = f"{text}\n".encode() if text else b""
        if old is None:
            self._shelf.write(new, data)
            return True
        if old != new:
            old.rename(new)
        return self._shelf.replace(
            new, data, lambda said: _clean(said.decode(errors="replace")) == note.kept.text
        )

    def _free_name(self, title: str, present: str | None) -> str:
        """A name that no other file has, on systems that do not tell capitals apart too."""
        taken = {path.name.casefold() for path in self._shelf.folder.iterdir()}
        taken |= {n.kept.file.casefold() for n in self.notes.values() if n.kept.file is not None}
        taken.discard((present or "").casefold())
        number, name = 1, f"{title}.md"
        while name.casefold() in taken:
            number += 1
            name = f"{title} ({number}).md"
        return name

    def keep(self, note: Note, line: str = "") -> None:
        """Keep a note, and tell people of it."""
        if note.kept.file in self._inodes:
            note.kept.inode = self._inodes[note.kept.file]
        self._shelf.keep(note.kept)
        if line:
            self.told.lines.append(line)
        if note.kept.problem:
            self.told.problems.append(f"{note.kept.file or note.kept.named}: {note.kept.problem}")


def said(path: Path) -> str:
    """What a file says."""
    return _clean(path.read_bytes().decode(errors="replace"))


def _clean(data: str) -> str:
    return data.replace("\r\n", "\n").rstrip("\n")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
