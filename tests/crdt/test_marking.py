"""Markdown as trees of nodes."""

import pytest

from crdt.marking import blocks_of


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("# a\n\nb", ["heading", "paragraph"]),
        ("- a\n- b\n\n1. c", ["bulletList", "orderedList"]),
        ("- [ ] a\n- [x] b", ["taskList"]),
        ("- [ ] a\n- b", ["bulletList"]),
        ("> a\n\n---\n\n![p](q)", ["blockquote", "horizontalRule", "image"]),
        ("```js\na\n```", ["codeBlock"]),
        ("| a |\n| --- |\n| b |", ["table"]),
        ("- a\n\n<!-- -->\n\n- b", ["bulletList", "bulletList"]),
        ("", []),
    ],
)
def test_each_block_has_its_node(text: str, tags: list[str]) -> None:
    """As TipTap names them."""
    assert [block.tree.tag for block in blocks_of(text)] == tags


@pytest.mark.parametrize(
    "text", ["<div>x</div>", "a &amp; b", "<b>x</b> <http://x.y>", "[a]: http://x 'y'\n\n[a]"]
)
def test_what_has_no_node_is_words(text: str) -> None:
    """Nothing of HTML, entities or definitions is dropped or understood."""
    words = "\n\n".join(
        "".join(run[0] for child in block.tree.children for run in child.runs)
        for block in blocks_of(text)
    )
    assert words == text


def test_a_source_is_where_its_block_stands() -> None:
    """So that a text can be put together again as it was written."""
    text = "Title\n=====\n\n* a\n* b\n\n\n\nlast  \nline"

    assert [block.source for block in blocks_of(text)] == [
        "Title\n=====", "* a\n* b", "last  \nline",
    ]  # fmt: skip


def test_prosemirrors_names_can_be_asked_for() -> None:
    """Nodes and marks."""
    (block,) = blocks_of("- **a**\\\n  b", snake=True)

    for name in ("bullet_list", "list_item", "strong", "hard_break"):
        assert f"'{name}'" in block.key
