"""The smallest edits between two sequences."""

from typing import Any

import pytest

from crdt.differing import length_of, steps, text_steps


@pytest.mark.parametrize(
    ("old", "new"),
    [("", "a"), ("abc", "abc"), ("abcd", "xbcy"), ("aaa", "aa"), ("a" * 900, "b" * 900)],
)
def test_steps_turn_one_sequence_into_the_other(old: str, new: str) -> None:
    """Applied in their order, last first."""
    letters = list(old)
    for a, b, c, d in steps(old, new):
        letters[a:b] = new[c:d]

    assert "".join(letters) == new


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ([("aXc", ())], [("abc", ())], [(1, 1, [("b", ())])]),
        ([("éXé", ())], [("éé", ())], [(2, 1, [])]),
        ([("ab", ())], [("a", ()), ("b", (("bold", True),))], [(1, 1, [("b", (("bold", True),))])]),
        ([("aa", ())], [("a", ())], [(1, 1, [])]),
        ([], [("a", ())], [(0, 0, [("a", ())])]),
        ([("a", ()), ({"e": 1}, ())], [({"e": 1}, ())], [(0, 1, [])]),
    ],
)
def test_text_steps(old: Any, new: Any, expected: Any) -> None:
    """Places and lengths in bytes of UTF-8."""
    assert list(text_steps(tuple(old), tuple(new))) == expected


def test_a_length_is_that_of_pycrdt() -> None:
    """Bytes of UTF-8, one for an embedded value."""
    assert length_of([("é😀", ()), ({"e": 1}, ())]) == 7
