"""The words of a root, and the blocks that it names."""

from typing import Any

import pytest

from crdt.wording import label_of, links_in, words_of


def text(words: str) -> dict[str, Any]:
    """A run."""
    return {"type": "text", "text": words}


def node(kind: str, *content: Any, **attributes: Any) -> dict[str, Any]:
    """A node."""
    return {"type": kind, "attrs": attributes, "content": list(content)}


MENTION = node("reference", id="B1", label="Ada", type="mention")
PAGE = node("pagelink", blockKey="B2")
CASES: dict[str, tuple[Any, str]] = {
    "plain": ("as it is\n", "as it is\n"),
    "nothing": (None, ""),
    "map": ({"a": 1}, ""),
    "list": (["a"], ""),
    "paragraphs": (node("doc", node("paragraph", text("a")), node("p", text("b"))), "a\nb"),
    "empty line": (node("doc", node("p", text("a")), node("p"), node("p", text("b"))), "a\n\nb"),
    "inline": (node("doc", node("p", text("see "), MENTION, text("!"), PAGE)), "see Ada!B2"),
    "break": (node("doc", node("p", text("a"), node("hard_break"), text("b"))), "a\nb"),
    "list items": (
        node("doc", node("bulletList", node("listItem", node("p", text("a"))), node("li"))),
        "a",
    ),
    "row": (
        node("doc", node("tableRow", node("cell", node("p", text("a"))), node("c", text("b")))),
        "a\tb",
    ),
    "bad attributes": ({"type": "doc", "attrs": 3, "content": "x"}, ""),
}


@pytest.mark.parametrize(("value", "words"), CASES.values(), ids=CASES)
def test_words_of(value: Any, words: str) -> None:
    """A line for each block of text; nothing of what is no text."""
    assert words_of(value) == words


def test_links_are_found_at_any_depth() -> None:
    """With the type that the node says, or its own."""
    value = node("doc", node("quote", node("p", MENTION)), PAGE, node("reference", id=7))

    assert list(links_in(value)) == [("mention", "B1", "Ada"), ("pagelink", "B2", "B2")]
    assert list(links_in("text")) == []


def test_a_label_is_what_is_shown() -> None:
    """Its label, else its title, else the id of the block."""
    assert label_of(MENTION) == "Ada"
    assert label_of(PAGE) == "B2"
    assert label_of(node("reference")) == ""
