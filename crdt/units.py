"""A line of text as letters and elements that can be compared, whoever wrote it and how."""

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from string import punctuation
from typing import Any, Final

import msgspec

from crdt.trees import ElementTree, TextTree
from crdt.wording import LINKS

_COMPARED_MAX: Final = 4_000_000
"""Pairs of words compared; beyond, the stretch between what is equal at both ends is replaced."""

Formats = dict[str, Any]


class Unit(msgspec.Struct, frozen=True):
    """A letter or an element of a line."""

    key: str
    """The letter; of an element what makes it the same one, behind a NUL."""
    formats: Formats
    value: Any = None
    """The tree of an element."""
    child: int = 0
    """Which child of the document's line it is in, from the line's first."""
    at: int = 0
    """Where it begins in that child, in bytes."""

    @property
    def size(self) -> int:
        """Bytes that it takes in its child."""
        return 1 if self.key[0] == "\0" else len(self.key.encode())


def units_of(children: Sequence[Any]) -> list[Unit]:
    """The letters and elements of trees."""
    units: list[Unit] = []
    for number, child in enumerate(children):
        if isinstance(child, TextTree):
            at = 0
            for piece, given in child.runs:
                letters = piece if isinstance(piece, str) else ["\0embed"]
                for letter in letters:
                    units.append(Unit(letter, dict(given), None, number, at))
                    at += units[-1].size
        else:
            units.append(Unit(_name(child), {}, child, number))
    return units


def _name(tree: Any) -> str:  # noqa: ANN401
    """What makes an element of a line the same as another one."""
    if isinstance(tree, ElementTree):
        kind = re.sub("[-_]", "", tree.tag).lower()
        if kind == "hardbreak":
            return "\0break"
        if kind in LINKS:
            return f"\0block {tree.attributes.get(LINKS[kind])}"
        if kind == "image":
            return f"\0image {tree.attributes.get('src')} {tree.attributes.get('alt')}"
    return "\0unknown"


Code = tuple[str, int, int, int, int]
"""What happened (equal, replace, delete, insert) to which units of the old, and of the new."""


def compare(old: Sequence[Unit], new: Sequence[Unit]) -> list[Code]:
    """The stretches that are equal or not, as difflib tells them; words are kept or go whole."""
    first, second = _words(old), _words(new)
    if len(first) * len(second) <= _COMPARED_MAX:
        matcher = SequenceMatcher(_is_filling, first, second, autojunk=False)
        codes = matcher.get_opcodes()
    else:
        codes = [("replace", 0, len(first), 0, len(second))]
    starts = [_starts(first), _starts(second)]
    found: list[Code] = []
    for kind, a, b, c, d in codes:
        places = (starts[0][a], starts[0][b], starts[1][c], starts[1][d])
        found += [(kind, *places)] if kind != "replace" else _trimmed(old, new, places)
    return list(_leftmost(old, new, found))


def _is_filling(word: str) -> bool:
    """Blanks and marks are everywhere: they are paired where the words beside them are."""
    return word.isspace() or word in punctuation


def _leftmost(old: Sequence[Unit], new: Sequence[Unit], codes: Sequence[Code]) -> Iterator[Code]:
    """The same, but a word comes and goes with the blank before it rather than the one behind it.

    So one who removes a word and one who writes a word behind it agree on whose blank is whose.
    """
    rest = list(codes)
    for number, (kind, a, b, c, d) in enumerate(rest):
        units, at, end = (new, c, d) if kind == "insert" else (old, a, b)
        before = rest[number - 1] if number else None
        is_whole = kind in {"insert", "delete"} and before is not None and before[0] == "equal"
        if is_whole and units[at - 1].key == units[end - 1].key == " ":
            assert before is not None
            rest[number - 1] = ("equal", before[1], before[2] - 1, before[3], before[4] - 1)
            rest[number] = (kind, a - 1, b - 1, c - 1, d - 1)
            follows = rest[number + 1] if number + 1 < len(rest) else None
            if follows is not None and follows[0] == "equal":
                rest[number + 1] = ("equal", follows[1] - 1, follows[2], follows[3] - 1, follows[4])
            else:
                rest.insert(number + 1, ("equal", b - 1, b, d - 1, d))
    yield from (code for code in rest if code[0] != "equal" or code[2] > code[1])


def _words(units: Sequence[Unit]) -> list[str]:
    words: list[str] = []
    for unit in units:
        is_more = words and unit.key[0] != "\0" and words[-1][0] != "\0"
        if is_more and unit.key.isalnum() and words[-1].isalnum():
            words[-1] += unit.key
        else:
            words.append(unit.key)
    return words


def _starts(words: Sequence[str]) -> list[int]:
    starts = [0]
    for word in words:
        starts.append(starts[-1] + (1 if word[0] == "\0" else len(word)))
    return starts


def _trimmed(
    old: Sequence[Unit], new: Sequence[Unit], places: tuple[int, int, int, int]
) -> Iterator[Code]:
    """A replaced stretch without what is equal at its ends.

    Within a word only where letters merely came or merely went: of a word that became another one
    no letter stays, or what others write at its end would stand in the middle of the new one.
    """
    a, b, c, d = places
    most = min(b - a, d - c)
    start = end = 0
    while start < most and old[a + start].key == new[c + start].key:
        start += 1
    while end < most - start and old[b - end - 1].key == new[d - end - 1].key:
        end += 1
    if a + start < b - end and c + start < d - end:
        while start and (_cuts(old, a + start, b) or _cuts(new, c + start, d)):
            start -= 1
        while end and (_cuts(old, b - end, b) or _cuts(new, d - end, d)):
            end -= 1
    if start:
        yield "equal", a, a + start, c, c + start
    if a + start < b - end or c + start < d - end:
        yield "replace", a + start, b - end, c + start, d - end
    if end:
        yield "equal", b - end, b, d - end, d


def _cuts(units: Sequence[Unit], place: int, last: int) -> bool:
    """Whether this place, behind the first of a stretch that ends at `last`, is inside a word."""
    return place < last and units[place - 1].key.isalnum() and units[place].key.isalnum()
