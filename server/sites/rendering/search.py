"""Finding notes by words: all of them must be there; a title counts more than the text."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from server.sites.rendering.vault import File

QUERY_MAX = 200
"""Characters of a question that are looked at."""
HITS_MAX = 30
_WORDS_MAX = 8
_AROUND = 80


class Hit(msgspec.Struct, frozen=True):
    """A note that was found."""

    path: str
    title: str
    excerpt: str
    score: int


class Indexed(msgspec.Struct, frozen=True):
    """A note, ready to be searched."""

    file: File
    title: str
    words: str


def indexed(file: File) -> Indexed:
    """A note in small letters."""
    tags = " ".join(file.facts.front.tags) if file.facts else ""
    text = file.facts.text if file.facts else ""
    return Indexed(file=file, title=file.title.lower(), words=f"{tags} {text}".lower())


def words_of(query: str) -> list[str]:
    """What is looked for."""
    return query[:QUERY_MAX].lower().split()[:_WORDS_MAX]


def score(note: Indexed, words: list[str]) -> int:
    """How well a note fits; 0: not all words are there."""
    total = 0
    for word in words:
        at = note.title.find(word)
        if at >= 0:
            total += 100 if note.title == word else 60 if at == 0 else 40
        elif word in note.words:
            total += 10 + min(5, note.words.count(word))
        elif word in note.file.path.lower():
            total += 5
        else:
            return 0
    return total


def best(found: Iterator[tuple[int, Indexed]], words: list[str]) -> list[Hit]:
    """The hits that fit best."""
    hits = sorted(found, key=lambda each: (-each[0], each[1].title, each[1].file.path))[:HITS_MAX]
    return [
        Hit(
            path=note.file.path,
            title=note.file.title,
            excerpt=_excerpt(note.file.facts.text if note.file.facts else "", words),
            score=points,
        )
        for points, note in hits
    ]


def _excerpt(text: str, words: list[str]) -> str:
    lower = text.lower()
    places = [at for word in words if (at := lower.find(word)) >= 0]
    start = max(0, min(places, default=0) - _AROUND // 2)
    shown = text[start : start + 2 * _AROUND]
    return ("…" if start else "") + shown + ("…" if start + len(shown) < len(text) else "")
