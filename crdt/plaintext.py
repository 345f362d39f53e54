"""A document that is one text, such as a Markdown file: read, and merged with what came from afar.

The text is the root `content_v0`, a Y.Text, which is its own Markdown (or `markdown_v0`, where an
editor began an empty one). Somebody who has the text as
a file changes the file; what is written is what differs between the text as he had it and as he
wants it, in the places where that stands by now. So what others typed meanwhile stays, and an edit
that both have made stands there once.
"""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Any, Final

import msgspec
import pycrdt

from crdt.blocks import Change
from crdt.rewriting import CONTENT

MARKDOWN: Final = "markdown_v0"
"""Where an editor for Markdown writes in a document that holds nothing yet."""
_COMPARED_MAX: Final = 250_000
"""Pairs of words of one stretch that are compared; beyond, the stretch is replaced."""
_LINES_COMPARED_MAX: Final = 1_000_000
"""Pairs of equal lines that are looked at, likewise."""
_WORDS: Final = re.compile(r"\w+|\s+|.", re.DOTALL)


class Step(msgspec.Struct, frozen=True):
    """A stretch of a text, in letters, and what comes in its place."""

    start: int
    end: int
    text: str


def read(doc: "pycrdt.Doc[Any]") -> str:
    """The text. For use inside `Document.look` and `Document.edit`."""
    return str(_root(doc))


def version(doc: "pycrdt.Doc[Any]") -> bytes:
    """The state vector: another one after whatever was written, deletions apart."""
    return doc.get_state()


def merge(before: str, after: str) -> Change:
    """The change that does to the text what made `after` of `before`."""

    def change(doc: "pycrdt.Doc[Any]") -> None:
        text = _root(doc)
        now = str(text)
        for step in reversed(merged(before, after, now)):
            at = len(now[: step.start].encode())
            if step.end > step.start:
                del text[at : at + len(now[step.start : step.end].encode())]
            if step.text:
                text.insert(at, step.text)

    return change


def _root(doc: "pycrdt.Doc[Any]") -> pycrdt.Text:
    """The text; of an empty one an editor does not know the root, and begins another."""
    begun: pycrdt.Text = doc.get(MARKDOWN, type=pycrdt.Text)
    if len(begun):
        return begun
    text: pycrdt.Text = doc.get(CONTENT, type=pycrdt.Text)
    return text


def merged(before: str, after: str, now: str) -> list[Step]:
    """What to do to `now`, first to last: what made `after` of `before`, without what is done."""
    theirs = steps(before, after)
    if before == now:
        return theirs
    ours = steps(before, now)
    done = {(step.start, step.end): step.text for step in ours}
    places = _Places(ours)
    found: list[Step] = []
    for step in theirs:
        present = done.get((step.start, step.end))
        if present is None:
            found += places.moved(step)
        elif not present.startswith(step.text):
            # Both replaced the same: what one has beyond the other is added.
            rest = step.text.removeprefix(present)
            found += places.moved(Step(step.end, step.end, rest))
    return found


def steps(old: str, new: str) -> list[Step]:
    """The stretches to replace to make one text of another: whole lines, then words in them."""
    if old == new:
        return []
    left, right = old.splitlines(keepends=True), new.splitlines(keepends=True)
    first, last = 0, 0
    most = min(len(left), len(right))
    while first < most and left[first] == right[first]:
        first += 1
    while last < most - first and left[-1 - last] == right[-1 - last]:
        last += 1
    starts = _starts(left)
    left, right = left[first : len(left) - last], right[first : len(right) - last]
    found = []
    for a, b, c, d in _changed(left, right):
        found += _in_lines(starts[first + a], "".join(left[a:b]), "".join(right[c:d]))
    return found


def _changed(left: list[str], right: list[str]) -> list[tuple[int, int, int, int]]:
    """The stretches of lines that differ; one, where to look closer would take too long."""
    repeated = Counter(right)
    # Lines that stand there everywhere, such as empty ones, are no anchors: difflib's autojunk.
    often = len(right) // 100 + 1 if len(right) >= 200 else len(right)
    if sum(n for line in left if (n := repeated[line]) <= often) > _LINES_COMPARED_MAX:
        return [(0, len(left), 0, len(right))]
    codes = SequenceMatcher(None, left, right).get_opcodes()
    return [(a, b, c, d) for kind, a, b, c, d in codes if kind != "equal"]


def _in_lines(at: int, old: str, new: str) -> list[Step]:
    left, right = _WORDS.findall(old), _WORDS.findall(new)
    if not left or not right or len(left) * len(right) > _COMPARED_MAX:
        return [Step(at, at + len(old), new)]
    starts = _starts(left)
    matcher = SequenceMatcher(None, left, right, autojunk=False)
    return [
        Step(at + starts[a], at + starts[b], "".join(right[c:d]))
        for kind, a, b, c, d in matcher.get_opcodes()
        if kind != "equal"
    ]


def _starts(pieces: Sequence[str]) -> list[int]:
    """Where each piece begins, and where the last one ends."""
    places = [0]
    for piece in pieces:
        places.append(places[-1] + len(piece))
    return places


class _Places:
    """Where the letters of a text stand after some steps."""

    def __init__(self, done: Sequence[Step]) -> None:
        self._done = done
        self._ends = [step.end for step in done]
        self._shifts = [0]
        for step in done:
            shift = self._shifts[-1] + len(step.text) - (step.end - step.start)
            self._shifts.append(shift)

    def moved(self, step: Step) -> list[Step]:
        """A step in the text as it is now: what is gone by now is not deleted again."""
        found, at, gone = [], step.start, self._overlapping(step)
        for other in gone:
            if other.start > at:
                found.append(self._span(at, other.start))
            at = max(at, other.end)
        if at < step.end:
            found.append(self._span(at, step.end))
        place = self._place(step.start)
        if found and found[0].start == place:
            return [Step(place, found[0].end, step.text), *found[1:]]
        return [Step(place, place, step.text), *found] if step.text else found

    def _overlapping(self, step: Step) -> list[Step]:
        first = bisect_right(self._ends, step.start)
        found = []
        for other in self._done[first:]:
            if other.start >= step.end:
                break
            found.append(other)
        return found

    def _span(self, start: int, end: int) -> Step:
        """A stretch of letters that are all still there."""
        return Step(self._place(start), self._place(end - 1) + 1, "")

    def _place(self, at: int) -> int:
        """Where the letter at a place stands; of one that is gone, behind what took its place."""
        number = bisect_right(self._ends, at)
        if number < len(self._done) and self._done[number].start <= at:
            step = self._done[number]
            return step.start + self._shifts[number] + len(step.text)
        return at + self._shifts[number]
