"""A file that was changed afar is merged into its text, whatever was typed there meanwhile."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycrdt import Text

from crdt.document import Document
from crdt.plaintext import MARKDOWN, merge, merged, read, steps

WORDS = st.lists(st.sampled_from(["one ", "two ", "three\n", "\n", "é", "🎉"]), max_size=12).map(
    "".join
)


def document(text: str) -> Document:
    """A document with a text."""
    made = Document()
    made.edit(merge("", text))
    return made


@given(WORDS, WORDS)
def test_the_steps_make_one_text_of_the_other(old: str, new: str) -> None:
    """Done from the last to the first."""
    text = old
    for step in reversed(steps(old, new)):
        text = text[: step.start] + step.text + text[step.end :]

    assert text == new


@given(WORDS, WORDS)
def test_what_nobody_else_changed_becomes_what_came(before: str, after: str) -> None:
    """Whatever its letters take in UTF-8."""
    made = document(before)
    made.edit(merge(before, after))

    assert made.look(read) == after


@given(WORDS, WORDS, WORDS)
def test_nothing_that_was_typed_meanwhile_is_lost(before: str, after: str, typed: str) -> None:
    """A mark at either end survives any merge; what was asked for is there unless it was done."""
    made = document(f"«{before}»")
    made.edit(merge(before, after))
    made.edit(merge("", typed))

    text = made.look(read)
    assert "«" in text
    assert "»" in text


@given(WORDS, WORDS)
def test_an_edit_that_both_made_stands_there_once(before: str, after: str) -> None:
    """The same file from two devices."""
    made = document(before)
    made.edit(merge(before, after))
    made.edit(merge(before, after))

    assert made.look(read) == after


@pytest.mark.parametrize(
    ("before", "after", "now", "expected"),
    [
        ("a\nb\n", "a\nB\n", "A\nb\n", "A\nB\n"),
        ("one two", "one 2", "zero one two three", "zero one 2 three"),
        ("keep\ngone\n", "keep\n", "keep\ngone\nmore\n", "keep\nmore\n"),
        ("all of it", "", "all of it, and more", ", and more"),
        ("x\n", "x\ny\n", "x\ny\nz\n", "x\ny\nz\n"),
        ("", "new", "typed ", "typed new"),
        ("a b c", "a c", "a b! c", "a !c"),
    ],
    ids=["lines", "words", "deletion", "emptied", "half-done", "from-nothing", "inside-deleted"],
)
def test_two_edits_meet(before: str, after: str, now: str, expected: str) -> None:
    """As a reader of both would have it."""
    made = document(now)
    made.edit(merge(before, after))

    assert made.look(read) == expected


def test_what_an_editor_began_in_an_empty_file_is_its_text() -> None:
    """It chose another root, since nothing told it of this one."""
    made = document("")
    made.edit(lambda doc: doc.get(MARKDOWN, type=Text).insert(0, "typed\n"))
    made.edit(merge("", "synced\n"))

    assert sorted(made.look(read).splitlines()) == ["synced", "typed"]


def test_a_text_that_repeats_itself_is_replaced_soon() -> None:
    """To find the smallest edit of it would take minutes."""
    before = "".join(f"line {number % 100}\n" for number in range(40_000))
    after = "".join(f"line {(number * 7) % 100}\n" for number in range(40_000))
    text = before
    for step in reversed(steps(before, after)):
        text = text[: step.start] + step.text + text[step.end :]

    assert text == after


def test_a_long_text_is_merged_soon() -> None:
    """Both ends of 20,000 lines, with blank lines between, are two short steps."""
    before = "\n\n".join(f"line {number}" for number in range(10_000))
    after = before.replace("line 0\n", "first\n").replace("line 9999", "last")

    assert len(merged(before, after, before + " typed")) == 2
