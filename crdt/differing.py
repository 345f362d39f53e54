"""The smallest edits that make one sequence of another, within a bound on the work."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any, Final

from crdt.trees import Run

COMPARED_MAX: Final = 250_000
"""Pairs of elements compared to find the smallest edit; beyond, one stretch is replaced."""

Step = tuple[int, int, int, int]


def steps(old: Sequence[Any], new: Sequence[Any]) -> Iterator[Step]:
    """Stretches (from, to) of `old` to replace by stretches of `new`, last first."""

    def numbered(*sides: Sequence[Any]) -> list[list[int]]:
        known: list[Any] = []
        return [[_number(known, item) for item in side] for side in sides]

    return reversed(stretches(old, new, COMPARED_MAX, numbered))


def stretches(
    old: Sequence[Any],
    new: Sequence[Any],
    compared_max: int,
    hashable: Callable[..., Sequence[Sequence[Hashable]]] = lambda *sides: sides,
) -> list[Step]:
    """Where two sequences differ, in order: from and to in each.

    `hashable` makes two sequences of what can be hashed of what is left between equal ends; where
    more pairs than `compared_max` are left, that is one stretch.
    """
    start, most = 0, min(len(old), len(new))
    while start < most and old[start] == new[start]:
        start += 1
    end = 0
    while end < most - start and old[-1 - end] == new[-1 - end]:
        end += 1
    left, right = old[start : len(old) - end], new[start : len(new) - end]
    if not left and not right:
        return []
    if not left or not right or len(left) * len(right) > compared_max:
        return [(start, start + len(left), start, start + len(right))]
    ours, theirs = hashable(left, right)
    matcher = SequenceMatcher(None, ours, theirs, autojunk=False)
    return [
        (start + a, start + b, start + c, start + d)
        for kind, a, b, c, d in matcher.get_opcodes()
        if kind != "equal"
    ]


def text_steps(
    old: tuple[Run, ...], new: tuple[Run, ...]
) -> Iterator[tuple[int, int, Sequence[Run]]]:
    """What to do to a text, last first: at which place, how much goes, and what comes instead.

    Places and lengths are those of pycrdt: bytes of UTF-8, one for an embedded value.
    """
    left, right = list(old), list(new)
    at = 0
    while left and right and left[0] == right[0]:
        at += length_of(left[:1])
        del left[0], right[0]
    while left and right and left[-1] == right[-1]:
        del left[-1], right[-1]
    at += length_of([(_cut(left, right, 0), ())])
    _cut(left, right, -1)
    if not left and not right:
        return
    if not left or not right or _count(left) * _count(right) > COMPARED_MAX:
        yield at, length_of(left), right
        return
    before, after = _units(left), _units(right)
    for a, b, c, d in steps(before, after):
        yield at + length_of(before[:a]), length_of(before[a:b]), _joined(after[c:d])


def _cut(left: list[Run], right: list[Run], end: int) -> str:
    """Take the letters away that both sides have at their first (0) or last (-1) run."""
    if not left or not right or left[end][1] != right[end][1]:
        return ""
    ours, theirs = left[end][0], right[end][0]
    if not isinstance(ours, str) or not isinstance(theirs, str):
        return ""
    low, high = 0, min(len(ours), len(theirs))
    while low < high:
        middle = (low + high + 1) // 2
        same = ours[:middle] == theirs[:middle] if end == 0 else ours[-middle:] == theirs[-middle:]
        low, high = (middle, high) if same else (low, middle - 1)
    for side, text in ((left, ours), (right, theirs)):
        rest = text[low:] if end == 0 else text[: len(text) - low]
        side[end] = (rest, side[end][1])
        if not rest:
            del side[end]
    return ours[:low] if end == 0 else ours[len(ours) - low :]


def _count(runs: Sequence[Run]) -> int:
    return sum(len(piece) if isinstance(piece, str) else 1 for piece, _ in runs)


def length_of(runs: Sequence[Run]) -> int:
    """What runs measure in a text of pycrdt: bytes of UTF-8, one for an embedded value."""
    return sum(len(piece.encode()) if isinstance(piece, str) else 1 for piece, _ in runs)


def _units(runs: Sequence[Run]) -> list[Run]:
    """Runs letter by letter."""
    return [
        (unit, formats)
        for piece, formats in runs
        for unit in (piece if isinstance(piece, str) else [piece])
    ]


def _joined(units: Sequence[Run]) -> list[Run]:
    """Neighbouring letters with the same formats as one run."""
    runs: list[Run] = []
    letters: list[str] = []
    for place, (piece, formats) in enumerate(units):
        if not isinstance(piece, str):
            runs.append((piece, formats))
            continue
        letters.append(piece)
        after = units[place + 1] if place + 1 < len(units) else None
        if after is None or not isinstance(after[0], str) or after[1] != formats:
            runs.append(("".join(letters), formats))
            letters = []
    return runs


def _number(known: list[Any], item: Any) -> int:  # noqa: ANN401
    """A number for each distinct value: trees cannot be hashed."""
    try:
        return known.index(item)
    except ValueError:
        known.append(item)
        return len(known) - 1
