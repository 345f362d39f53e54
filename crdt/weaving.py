"""Two texts that were made of one, woven together as a document would: nobody's words are lost.

What either side deleted goes, what either side wrote stays, at the place where it was written; what
both sides did alike is done once. So it is what a Y text says that had the common text and got both
edits, without such a document having been kept for every file in between.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from crdt.differing import stretches

COMPARED_MAX: Final = 4_000_000
"""Pairs of lines, or of words in what differs, that are compared; beyond, a stretch goes whole."""

_WORDS: Final = re.compile(r"\w+|\W", re.DOTALL)


class Edit(NamedTuple):
    """From `start` up to `end` of a text goes, and `text` comes there. Places count letters."""

    start: int
    end: int
    text: str


def edits(old: str, new: str) -> list[Edit]:
    """What makes one text of another: lines, and in lines that differ words. In order."""
    found: list[Edit] = []
    first, second = old.splitlines(keepends=True), new.splitlines(keepends=True)
    places, news = _places(first), _places(second)
    for a, b, c, d in stretches(first, second, COMPARED_MAX):
        before, after = old[places[a] : places[b]], new[news[c] : news[d]]
        found += [
            Edit(places[a] + start, places[a] + end, text)
            for start, end, text in _word_edits(before, after)
        ]
    return found


def woven(base: str | None, ours: str, theirs: str) -> str:
    """Both texts in one. Without the text they were made of everything in either stays."""
    if theirs in {ours, base}:
        return ours
    if ours == base:
        return theirs
    if base is None:
        return _union(ours, theirs)
    mine = edits(base, ours)
    known = set(mine)
    return _woven(base, mine, [edit for edit in edits(base, theirs) if edit not in known])


def _woven(base: str, ours: Sequence[Edit], theirs: Sequence[Edit]) -> str:
    """The text with both edits: first all that came at a place, ours before theirs."""
    gone: list[tuple[int, int]] = sorted(
        (edit.start, edit.end) for edit in (*ours, *theirs) if edit.end > edit.start
    )
    came = sorted(
        ((edit.start, side, edit.text) for side, edits in enumerate((ours, theirs))
         for edit in edits if edit.text),
        key=lambda one: one[:2],
    )  # fmt: skip
    out: list[str] = []
    at = 0
    for start, _, text in [*came, (len(base), 2, "")]:
        out += [_left(base, at, start, gone), text]
        at = start
    return "".join(out)


def _left(base: str, start: int, end: int, gone: Sequence[tuple[int, int]]) -> str:
    """What is left of a stretch."""
    out: list[str] = []
    for first, last in gone:
        if last <= start or first >= end:
            continue
        out.append(base[start : max(start, first)])
        start = max(start, last)
    return "".join(out) + base[start : max(start, end)]


def _union(ours: str, theirs: str) -> str:
    """The lines of both, each one that they share once."""
    first, second = ours.splitlines(keepends=True), theirs.splitlines(keepends=True)
    out: list[str] = []
    at = 0
    for _, b, c, d in stretches(first, second, COMPARED_MAX):
        out += first[at:b]
        if out and d > c and not out[-1].endswith(("\n", "\r")):
            out[-1] += "\n"
        out += second[c:d]
        at = b
    return "".join(out + first[at:])


def _word_edits(old: str, new: str) -> Iterator[Edit]:
    first, second = _WORDS.findall(old), _WORDS.findall(new)
    places, news = _places(first), _places(second)
    for a, b, c, d in stretches(first, second, COMPARED_MAX):
        yield Edit(places[a], places[b], new[news[c] : news[d]])


def _places(parts: Sequence[str]) -> list[int]:
    places = [0]
    for part in parts:
        places.append(places[-1] + len(part))
    return places
