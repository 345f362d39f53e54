"""Markdown of each node and mark."""

from typing import Any

import pytest

from crdt.markdown import markdown_of
from tests.crdt.test_wording import MENTION, node, text


def marked(words: str, *marks: Any) -> dict[str, Any]:
    """A run with marks."""
    return {
        "type": "text",
        "text": words,
        "marks": [{"type": m} if isinstance(m, str) else m for m in marks],
    }


LINK = {"type": "link", "attrs": {"href": "http://x/a b)"}}
ITEM = node("listItem", node("p", text("a")), node("bulletList", node("listItem", text("b"))))
CASES: dict[str, tuple[Any, str]] = {
    "paragraphs": ((node("p", text("a")), node("p", text("b"))), "a\n\nb"),
    "heading": ((node("heading", text("a*b"), level=2),), "## a\\*b"),
    "heading level": ((node("heading", text("a"), level="x"),), "# a"),
    "bold": ((node("p", text("a "), marked("b ", "bold"), text("c")),), "a **b** c"),
    "both": ((node("p", marked("x", "strong", "em")),), "***x***"),
    "code": ((node("p", marked("a*`b", "code")),), "``a*`b``"),
    "code at the edge": ((node("p", marked("`b", "code")),), "`` `b ``"),
    "strike": ((node("p", marked("x", "strike")),), "~~x~~"),
    "unknown mark": ((node("p", marked("x", "sparkle")),), "x"),
    "link": ((node("p", marked("x", LINK)),), "[x](http://x/a%20b%29)"),
    "blank bold": ((node("p", marked(" ", "bold")),), " "),
    "reference": ((node("p", MENTION),), "[Ada](block:B1)"),
    "break": ((node("p", text("a"), node("hardBreak"), text("b")),), "a\\\nb"),
    "bullets": ((node("bullet_list", ITEM, node("li", text("c"))),), "- a\n  - b\n- c"),
    "numbers": ((node("orderedList", ITEM, start=9),), "9. a\n   - b"),
    "tasks": (
        (node("taskList", node("taskItem", text("a"), checked=True), node("taskItem", text("b"))),),
        "- [x] a\n- [ ] b",
    ),
    "quote": ((node("blockquote", node("p", text("a")), node("p", text("b"))),), "> a\n>\n> b"),
    "fence": ((node("codeBlock", text("a```b"), language="py"),), "````py\na```b\n````"),
    "rule": ((node("horizontalRule"),), "---"),
    "image": ((node("image", alt="a]", src="x y"),), "![a\\]](x%20y)"),
    "table": (
        (node("table", node("tr", node("th", text("a|b")), node("th")), node("tr", node("td"))),),
        "| a\\|b |  |\n| --- | --- |\n|  |  |",
    ),
    "unknown node": ((node("box", node("p", text("a"))),), "a"),
    "empty table": ((node("table"),), ""),
}


@pytest.mark.parametrize(("content", "markdown"), CASES.values(), ids=CASES)
def test_markdown_of(content: tuple[Any, ...], markdown: str) -> None:
    """What a reader of Markdown takes for the same."""
    assert markdown_of(node("doc", *content)) == markdown


@pytest.mark.parametrize(
    ("words", "markdown"),
    [
        ("# no heading", "\\# no heading"),
        ("1. no list", "1\\. no list"),
        ("- no list", "\\- no list"),
        ("> no quote", "\\> no quote"),
        ("---", "\\---"),
        ("#tag and 1.5", "#tag and 1.5"),
        ("a_b <i> [x] `c` \\", "a\\_b \\<i> \\[x\\] \\`c\\` \\\\"),
    ],
)
def test_text_means_only_itself(words: str, markdown: str) -> None:
    """Signs that would mean something to Markdown are escaped, where they would."""
    assert markdown_of(node("doc", node("p", text(words)))) == markdown


def test_a_plain_text_is_its_own_markdown() -> None:
    """Editors of plain text write Markdown in it; maps and lists have none."""
    assert markdown_of("# a\n*b*") == "# a\n*b*"
    assert markdown_of({"k": 1}) == markdown_of([1]) == markdown_of(None) == ""
