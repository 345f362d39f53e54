"""Two texts that were made of one, woven together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crdt.weaving import edits, woven

TEXTS = st.text(alphabet="ab é\n🙂", max_size=24)
BASE = "one\ntwo three\nfour\n"


@pytest.mark.parametrize(
    ("ours", "theirs", "both"),
    [
        ("ONE\ntwo three\nfour\n", "one\ntwo three\nFOUR\n", "ONE\ntwo three\nFOUR\n"),
        ("one\nTWO three\nfour\n", "one\ntwo THREE\nfour\n", "one\nTWO THREE\nfour\n"),
        ("zero\n" + BASE, BASE + "five\n", "zero\n" + BASE + "five\n"),
        ("one\nfour\n", "one\ntwo three\nfour\nfive\n", "one\nfour\nfive\n"),
        ("one\nTWO three\nfour\n", "one\nTWO three\nfour\n", "one\nTWO three\nfour\n"),
        ("one\nTWO three\nfour\nx\n", "one\nTWO three\nfour\ny\n", "one\nTWO three\nfour\nx\ny\n"),
        ("", BASE + "five\n", "five\n"),
        (BASE, "", ""),
    ],
    ids=["lines", "words", "ends", "deleted", "alike", "alike and not", "all gone", "only theirs"],
)
def test_what_either_side_did_is_done(ours: str, theirs: str, both: str) -> None:
    """In different places, in one line, the same on both sides."""
    assert woven(BASE, ours, theirs) == both


@pytest.mark.parametrize(
    ("ours", "theirs", "both"),
    [
        ("milk\nbread\n", "milk\neggs\n", "milk\nbread\neggs\n"),
        ("milk\nbread", "milk\neggs", "milk\nbread\neggs"),
        ("", "a\n", "a\n"),
        ("a\n", "", "a\n"),
    ],
)
def test_without_a_base_every_line_of_both_stays(ours: str, theirs: str, both: str) -> None:
    """And those that they share are there once."""
    assert woven(None, ours, theirs) == both


@given(TEXTS, TEXTS)
def test_edits_make_one_text_of_another(old: str, new: str) -> None:
    """Applied from the last to the first."""
    text = old
    for edit in reversed(edits(old, new)):
        text = text[: edit.start] + edit.text + text[edit.end :]

    assert text == new


@given(TEXTS, TEXTS)
def test_one_side_alone_is_what_it_says(base: str, text: str) -> None:
    """Who did nothing changes nothing."""
    assert woven(base, text, base) == woven(base, base, text) == woven(base, text, text) == text


@given(TEXTS, TEXTS, TEXTS)
def test_nothing_that_came_is_lost(base: str, ours: str, theirs: str) -> None:
    """Each side's new letters are in the outcome, as often as on one side at least."""
    both = woven(base, ours, theirs)
    for letter in set(ours + theirs):
        came = max(
            sum(
                e.text.count(letter) - base[e.start : e.end].count(letter)
                for e in edits(base, side)
            )
            for side in (ours, theirs)
        )
        gone = sum(
            base[e.start : e.end].count(letter)
            for side in (ours, theirs)
            for e in edits(base, side)
        )
        assert both.count(letter) >= base.count(letter) + came - gone


def test_a_long_text_is_woven_by_lines() -> None:
    """However much lies between the edits, and however often a line repeats."""
    base = "".join(f"line {number % 50}\n" for number in range(3000))
    lines = base.splitlines(keepends=True)
    ours = "".join([*lines[:10], "mine\n", *lines[10:]])
    theirs = "".join([*lines[:-10], "yours\n", *lines[-10:]])

    assert woven(base, ours, theirs) == "".join(
        [*lines[:10], "mine\n", *lines[10:-10], "yours\n", *lines[-10:]]
    )
