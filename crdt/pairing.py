"""What became of which: two rows of blocks, old and new, paired in their order."""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Any, Final

from crdt.trees import ElementTree, TextTree

_COMPARED_MAX: Final = 10_000
"""Pairs of blocks whose words are compared; beyond, they are paired one by one in their order."""
_WORD: Final = re.compile(r"\w+")

Pair = tuple[int | None, int | None]


def pair(old: Sequence[Any], new: Sequence[Any]) -> list[Pair]:
    """Each block of either row once, in order: with its partner, or with None."""
    matcher = SequenceMatcher(None, [repr(t) for t in old], [repr(t) for t in new], autojunk=False)
    found: list[Pair] = []
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            found += zip(range(a, b), range(c, d), strict=True)
        else:
            found += [
                (None if i is None else a + i, None if j is None else c + j)
                for i, j in _alike(old[a:b], new[c:d])
            ]
    return found


def _alike(old: Sequence[Any], new: Sequence[Any]) -> list[Pair]:
    """Blocks that changed, paired so that together they have most words in common."""
    if len(old) * len(new) > _COMPARED_MAX:
        most = min(len(old), len(new))
        rest = [(i, None) for i in range(most, len(old))] + [
            (None, j) for j in range(most, len(new))
        ]
        return [*((i, i) for i in range(most)), *rest]
    left, right = [_words(tree) for tree in old], [_words(tree) for tree in new]
    best = [[0.0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i in reversed(range(len(old))):
        for j in reversed(range(len(new))):
            both = _score(old[i], new[j], left[i], right[j])
            best[i][j] = max(best[i + 1][j], best[i][j + 1], both + best[i + 1][j + 1])
    found: list[Pair] = []
    i = j = 0
    while i < len(old) and j < len(new):
        both = _score(old[i], new[j], left[i], right[j])
        if both > 0 and best[i][j] == both + best[i + 1][j + 1]:
            found.append((i, j))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            found.append((i, None))
            i += 1
        else:
            found.append((None, j))
            j += 1
    found += [(k, None) for k in range(i, len(old))]
    return found + [(None, k) for k in range(j, len(new))]


def _score(old: Any, new: Any, left: set[str], right: set[str]) -> float:  # noqa: ANN401
    if not isinstance(old, ElementTree) or not isinstance(new, ElementTree) or old.tag != new.tag:
        return 0.0
    return 0.1 + len(left & right) / max(1, len(left | right))


def _words(tree: Any) -> set[str]:  # noqa: ANN401
    """The words in a tree."""
    found: set[str] = set()
    rest = [tree]
    while rest:
        one = rest.pop()
        if isinstance(one, ElementTree):
            rest += one.children
        elif isinstance(one, TextTree):
            for piece, _ in one.runs:
                found.update(_WORD.findall(piece) if isinstance(piece, str) else ())
    return found
