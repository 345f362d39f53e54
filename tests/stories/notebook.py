"""People who write in notes: in files of a folder, and in an open editor. For stories."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pycrdt
from nacl.signing import SigningKey

from crdt import wire
from crdt.document import Document
from crdt.rewriting import meaning, text_of
from scripts._device.server import Server, Unreachable
from scripts._device.shelf import About, Shelf
from scripts._device.sync import Device
from tests.clients import Visitor, YClient


class Marks:
    """Words of which each is written once: what must be there in the end, and what must not."""

    def __init__(self) -> None:
        self._count = 0
        self.there: dict[str, str] = {}
        """By word who wrote it."""
        self.gone: set[str] = set()

    def new(self, author: str) -> str:
        """A word that nobody wrote before."""
        self._count += 1
        word = f"{author}{self._count}x"
        self.there[word] = author
        return word

    def own(self, author: str, text: str) -> list[str]:
        """The words in a text that somebody wrote and nobody removed."""
        return [word for word in re.findall(r"\w+", text) if self.there.get(word) == author]

    def remove(self, word: str) -> None:
        """Its author took it away."""
        del self.there[word]
        self.gone.add(word)

    def complaints(self, texts: dict[str, str]) -> list[str]:
        """What is wrong with notes that are all there is.

        A word is found by its number and its end: two who write at one place, of whom one takes
        the word beside it away, may be left without a blank between theirs.
        """
        text = " ".join(texts.values())
        wrong = [f"{w}: {text.count(w)} times" for w in self.there if text.count(w) != 1]
        return wrong + [f"{word} is back" for word in self.gone if word in text]


def edited(text: str, author: str, marks: Marks, chance: random.Random) -> str:
    """A text with one more word, line or item in it, or one of the author's own words less."""
    own = marks.own(author, text)
    if own and chance.random() < 0.2:
        word = chance.choice(own)
        marks.remove(word)
        return re.sub(rf" ?\b{word}\b", "", text)
    word = marks.new(author)
    step = chance.random()
    if step < 0.15 or not text:
        return f"{text}\n\n{chance.choice(['', '## ', '- ', '> '])}{word} begins".strip("\n")
    if step < 0.25:
        return f"{word} before all\n\n{text}"
    places = [match.end() for match in re.finditer(r"\b\w+\b", text)]
    if not places:
        return f"{text}\n\n{word}"
    at = chance.choice(places)
    return f"{text[:at]} {chance.choice([word, f'**{word}**'])}{text[at:]}"


class Folder:
    """Somebody's folder of notes, and the device that keeps it in step; a new one each round."""

    def __init__(self, path: Path, url: str, key: SigningKey, name: str) -> None:
        self.path, self.url, self.key, self.name = path, url, key, name
        path.mkdir()

    def sync(self, *, dies_before_writing: bool = False) -> list[str]:
        """One round, as the program does it; what it complained of. Raises Unreachable."""
        shelf = Shelf(self.path)
        try:
            server = Server(self.url, self.key)
            about = shelf.about()
            if about is None:
                workspace, root = server.workspace(None)
                about = About(url=self.url, workspace=workspace, root=root)
                shelf.keep_about(about)
            device = Device(shelf, about, server, lambda things, *_: iter(things))
            if dies_before_writing:
                device.look()
                device.push()
                device.pull()
                return []
            return device.round().problems
        finally:
            shelf.close()

    def try_sync(self) -> bool:
        """One round, if the server can be reached."""
        try:
            assert self.sync() == []
        except Unreachable:
            return False
        return True

    def notes(self) -> dict[str, str]:
        """What each file says."""
        return {path.name: path.read_text().rstrip("\n") for path in self.path.glob("*.md")}

    def says(self) -> dict[str, list[str]]:
        """What each note means: a device keeps its owner's way of writing Markdown."""
        return {name: meaning(text) for name, text in self.notes().items()}

    def edit(self, marks: Marks, chance: random.Random) -> None:
        """Something that a person does with files."""
        notes = self.notes()
        step = chance.random()
        if step < 0.1 or not notes:
            title = f"Note {marks.new(self.name)}"
            (self.path / f"{title}.md").write_text(f"{marks.new(self.name)} begins\n")
            del marks.there[title.removeprefix("Note ")]
        elif step < 0.15:
            old = chance.choice(sorted(notes))
            (self.path / old).rename(self.path / f"Moved {self.name} {chance.random()}.md")
        else:
            name = chance.choice(sorted(notes))
            text = edited(notes[name], self.name, marks, chance)
            (self.path / name).write_text(f"{text}\n")


class Editor:
    """An open editor of one note, as ProseMirror holds it."""

    def __init__(self, client: YClient) -> None:
        self.client = client

    @classmethod
    async def open(cls, visitor: Visitor, block: str, replica: Any = None) -> Editor:
        """Open it and wait until it is here."""
        return cls(await (await visitor.y(block, replica=replica)).sync())

    @property
    def text(self) -> str:
        """What it shows, as Markdown."""
        return text_of(Document.rebuild([self.client.replica.missing(b"\0")]))

    async def edit(self, marks: Marks, chance: random.Random) -> None:
        """Type a word behind another one."""
        doc = self.client.replica.doc
        content = doc.get("content_v0", type=pycrdt.XmlFragment)
        texts = [node for node in _walk(content) if isinstance(node, pycrdt.XmlText)]
        word = marks.new("e")

        def change() -> None:
            if texts:
                text = chance.choice(texts)
                words = "".join(piece for piece, _ in text.diff() if isinstance(piece, str))
                places = [match.end() for match in re.finditer(r"\b\w+\b", words)] or [len(words)]
                text.insert(len(words[: chance.choice(places)].encode()), f" {word} ")
            else:
                content.children.append(pycrdt.XmlElement("paragraph", {}, [pycrdt.XmlText(word)]))

        await self.client.send(wire.update(self.client.replica.edit(change)))


def _walk(node: Any) -> list[Any]:
    found = [node]
    for child in getattr(node, "children", ()):
        found += _walk(child)
    return found
