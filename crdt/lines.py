"""Edits inside one line of text of an XML document, as few as the difference of two readings.

A line is what stands in a paragraph: texts with formats, and elements between them. `Line` is the
line as it is in the document; `before` is how somebody saw it (as Markdown, which cannot say
everything) and `after` how they want to see it. Only what differs between those two is written:
letters that stay keep their identity, so what others write between them is merged, and formats and
elements that Markdown does not know stay where they are.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from pycrdt._pycrdt import Text as _Text
from pycrdt._pycrdt import XmlText as _XmlText

from crdt.restoring import Writing
from crdt.trees import TextTree, read
from crdt.units import Formats, Unit, compare, units_of

MARKS: Final = {
    "bold": "bold", "strong": "bold", "italic": "italic", "em": "italic", "emphasis": "italic",
    "strike": "strike", "strikethrough": "strike", "s": "strike", "code": "code", "link": "link",
}  # fmt: skip
"""The formats that Markdown can say, in each spelling."""


class Line:
    """The children of an XML node from `first` up to `last`, to be edited."""

    def __init__(self, writing: Writing, parent: Any, first: int, last: int) -> None:  # noqa: ANN401
        self._writing = writing
        self._parent = parent
        self._first, self._last = first, last
        self._units = units_of(
            [
                read(child, writing.transaction)
                for child in parent.children(writing.transaction)[first:last]
            ]
        )

    def edit(self, before: Sequence[Unit], after: Sequence[Unit]) -> None:
        """Write what differs between two readings of this line, from its end to its beginning."""
        places: list[int | None] = [None] * len(before)
        for kind, a, b, c, _ in compare(self._units, before):
            if kind == "equal":
                places[c : c + b - a] = range(a, b)
        for kind, a, b, c, d in reversed(compare(before, after)):
            if kind == "equal":
                self._format(places[a:b], before[a:b], after[c:d])
                continue
            going = [place for place in places[a:b] if place is not None]
            if not self._replace(going, after[c:d]):
                # Written behind what goes, so that its place is known whatever of it was there.
                seen = [place for place in places[:b] if place is not None]
                self._insert(seen[-1] + 1 if seen else 0, after[c:d])
            self._remove(going)

    # -- formats --------------------------------------------------------------------------

    def _format(
        self, places: Sequence[int | None], before: Sequence[Unit], after: Sequence[Unit]
    ) -> None:
        """Change the formats of letters that stay, neighbours with the same change at once."""
        run: list[Unit] = []
        change: Formats = {}
        for place, old, new in zip(places, before, after, strict=True):
            unit = None if place is None else self._units[place]
            wanted = {} if unit is None or unit.value is not None else _change(unit, old, new)
            is_more = run and unit and wanted == change and _follows(run[-1], unit)
            if not is_more:
                self._write_formats(run, change)
                run = []
            if unit is not None and wanted:
                run, change = [*run, unit], wanted
        self._write_formats(run, change)

    def _write_formats(self, run: Sequence[Unit], change: Formats) -> None:
        if run:
            size = run[-1].at + run[-1].size - run[0].at
            self._text(run[0]).format(
                self._writing.transaction, run[0].at, size, iter(change.items())
            )

    # -- letters and elements ---------------------------------------------------------------

    def _remove(self, places: Sequence[int]) -> None:
        transaction = self._writing.transaction
        end = len(places)
        while end:
            start = end - 1
            last = self._units[places[start]]
            if last.value is not None:
                self._parent.remove_range(transaction, self._first + last.child, 1)
                end = start
                continue
            while start and _follows(self._units[places[start - 1]], self._units[places[start]]):
                start -= 1
            unit = self._units[places[start]]
            self._text(unit).remove_range(transaction, unit.at, last.at + last.size - unit.at)
            end = start

    def _replace(self, going: Sequence[int], units: Sequence[Unit]) -> bool:
        """Write letters where letters go; whether it could be done.

        Behind the first letter of the word that goes: what others write before or behind that word
        stays before or behind the new one, whoever of them counts as the first.
        """
        first = self._units[going[0]] if going else None
        pieces = _pieces(units)
        if first is None or first.value is not None or len(pieces) != 1:
            return False
        if not isinstance(pieces[0], TextTree):
            return False
        second = self._units[going[1]] if len(going) > 1 else first
        is_word = _follows(first, second) and (first.key + second.key).isalnum()
        at = second.at if is_word else first.at
        self._writing.insert_runs(self._text(first), at, pieces[0].runs)
        moved = sum(unit.size for unit in units if unit.key[0] != "\0")
        for place in going:
            unit = self._units[place]
            if unit.child == first.child and unit.at >= at:
                self._units[place] = msgspec.structs.replace(unit, at=unit.at + moved)
        return True

    def _insert(self, place: int, units: Sequence[Unit]) -> None:
        """Write letters and elements before the unit at this place of the line."""
        if not units:
            return
        before = self._units[place - 1] if place else None
        behind = self._units[place] if place < len(self._units) else None
        child, at, is_text = self._last - self._first, 0, False
        if before is not None and before.value is None:
            child, at, is_text = before.child, before.at + before.size, True
        elif behind is not None and behind.value is None:
            child, at, is_text = behind.child, behind.at, True
        elif before is not None:
            child = before.child + 1
        elif behind is not None:
            child = behind.child
        elif self._last > self._first and not self._units:
            child, is_text = 0, isinstance(self._child(0), _XmlText | _Text)
        pieces = _pieces(units)
        if is_text and all(isinstance(piece, TextTree) for piece in pieces):
            self._writing.insert_runs(self._child(child), at, pieces[0].runs)
            return
        if is_text:
            child = self._split(child, at)
        for piece in reversed(pieces):
            self._writing.insert_child(self._parent, self._first + child, piece)

    def _split(self, child: int, at: int) -> int:
        """Make two texts of one; at which child the second begins."""
        text, transaction = self._child(child), self._writing.transaction
        tree = read(text, transaction)
        rest = [unit for unit in units_of([tree]) if unit.at >= at]
        if not rest:
            return child + 1
        if at == 0:
            return child
        text.remove_range(transaction, at, rest[-1].at + rest[-1].size - at)
        self._writing.insert_child(self._parent, self._first + child + 1, _pieces(rest)[0])
        return child + 1

    def _child(self, number: int) -> Any:  # noqa: ANN401
        return self._parent.get(self._writing.transaction, self._first + number)

    def _text(self, unit: Unit) -> Any:  # noqa: ANN401
        return self._child(unit.child)


class PlainLine(Line):
    """A text that is no part of XML, as a line of its own."""

    def __init__(self, writing: Writing, text: Any) -> None:  # noqa: ANN401
        self._writing = writing
        self._text_itself = text
        self._first, self._last = 0, 1
        self._units = units_of([read(text, writing.transaction)])

    def _child(self, number: int) -> Any:  # noqa: ANN401
        del number
        return self._text_itself


def _follows(first: Unit, second: Unit) -> bool:
    return (
        first.value is None
        and second.value is None
        and (first.child == second.child and first.at + first.size == second.at)
    )


def _change(unit: Unit, before: Unit, after: Unit) -> Formats:
    """What to write over a letter's formats: those that came, changed, or (None) went."""
    old, new = _known(before.formats), _known(after.formats)
    change: Formats = {}
    for mark in old.keys() | new.keys():
        if old.get(mark) == new.get(mark):
            continue
        there = [name for name in unit.formats if MARKS.get(name) == mark]
        if mark not in new:
            change |= dict.fromkeys(there)
            continue
        name = there[0] if there else next(n for n in after.formats if MARKS.get(n) == mark)
        kept = unit.formats.get(name)
        change[name] = {**(kept if isinstance(kept, dict) else {}), **new[mark]}
    return change


def _known(formats: Formats) -> Formats:
    """The formats that Markdown can say, by one name each."""
    return {MARKS[name]: value for name, value in formats.items() if name in MARKS}


def _pieces(units: Sequence[Unit]) -> list[Any]:
    """Units as trees: neighbouring letters as one text."""
    pieces: list[Any] = []
    runs: list[tuple[str, tuple[tuple[str, Any], ...]]] = []
    for unit in units:
        if unit.value is None:
            formats = tuple(sorted(unit.formats.items(), key=lambda item: item[0]))
            if unit.key[0] == "\0":
                continue
            if runs and runs[-1][1] == formats:
                runs[-1] = (runs[-1][0] + unit.key, formats)
            else:
                runs.append((unit.key, formats))
            continue
        if runs:
            pieces.append(TextTree(tuple(runs), is_xml=True))
            runs = []
        pieces.append(unit.value)
    if runs:
        pieces.append(TextTree(tuple(runs), is_xml=True))
    return pieces
