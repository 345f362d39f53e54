"""A line of text as letters and elements that can be compared, whoever wrote it and how."""

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
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


def compare(old: Sequence[Unit], new: Sequence[Unit]) -> list[tuple[str, int, int, int, int]]:
    """The stretches that are equal or not, as difflib tells them; words are kept or go whole."""
    first, second = _words(old), _words(new)
    if len(first) * len(second) <= _COMPARED_MAX:
        matcher = SequenceMatcher(None, first, second, autojunk=False)
        codes = matcher.get_opcodes()
    else:
        codes = [("replace", 0, len(first), 0, len(second))]
    starts = [_starts(first), _starts(second)]
    found: list[tuple[str, int, int, int, int]] = []
    for kind, a, b, c, d in codes:
        places = (starts[0][a], starts[0][b], starts[1][c], starts[1][d])
        found += [(kind, *places)] if kind != "replace" else _trimmed(old, new, places)
    return found


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
) -> Iterator[tuple[str, int, int, int, int]]:
    """A replaced stretch without what is equal at its ends."""
    a, b, c, d = places
    start = end = 0
    while a + start < b and c + start < d and old[a + start].key == new[c + start].key:
        start += 1
    while (
        b - end > a + start and d - end > c + start and old[b - end - 1].key == new[d - end - 1].key
    ):
        end += 1
    if start:
        yield "equal", a, a + start, c, c + start
    if a + start < b - end or c + start < d - end:
        yield "replace", a + start, b - end, c + start, d - end
    if end:
        yield "equal", b - end, b, d - end, d
