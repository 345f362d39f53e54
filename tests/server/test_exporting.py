"""Documents to take along: what HTML and PDF show of a text, and that neither runs anything."""

from __future__ import annotations

import re

import pypdfium2
import pytest

from server.exporting import html, paper, trees

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63"
    "606060000000040001f61738550000000049454e44ae426082"
)
TEXT = """\
# A heading

Some **bold**, *slanted*, ~~gone~~ and `code`, a [link](https://example.org/x).

- [x] done
- [ ] open

3. three
   > quoted

| a | b |
| --- | --- |
| c | |

```python
print("#eval")
```

---
"""


def words_of(made: bytes) -> str:
    """The text of a PDF."""
    opened = pypdfium2.PdfDocument(made)
    return "\n".join(page.get_textpage().get_text_range() for page in opened)


def test_html_has_every_kind_that_our_editors_write() -> None:
    """Marks, tasks, lists with their start, tables, code and rules are there."""
    made = html.fragment(TEXT)

    for wanted in (
        "<h1>A heading</h1>", "<strong>bold</strong>", "<em>slanted</em>", "<s>gone</s>",
        "<code>code</code>", 'href="https://example.org/x"', 'checked="', '<ol start="3">',
        "<blockquote>", "<td>c</td>", "print(", "<hr>",
    ):  # fmt: skip
        assert wanted in made


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        '<img src=x onerror="alert(1)">',
        '<a href="javascript:alert(1)">x</a>',
        "[x](javascript:alert(1))",
        '<svg onload="alert(1)"></svg>',
        '<iframe src="https://example.org"></iframe>',
        '<form action="https://example.org"><button>x</button></form>',
        '<a href="data:text/html,<script>alert(1)</script>">x</a>',
        '<img src="data:text/html,x">',
        '<p style="position:fixed">x</p>',
        "<style>* {}</style>",
        '<input type="image" src="x" formaction="x">',
    ],
)
def test_html_runs_nothing_and_leads_nowhere_else(hostile: str) -> None:
    """Of what could run, be sent or cover the page nothing is left, title included."""
    made = html.page(hostile, hostile)
    shown = re.sub(r"<style>.*?</style>", "", made, count=1, flags=re.DOTALL)
    shown = shown.replace("&lt;", "").replace("&gt;", "")

    tags = re.findall(r"<[a-z][^>]*>", shown)
    assert not [
        tag
        for tag in tags
        if re.match(r"<(script|svg|iframe|form|button|style)", tag)
        or re.search(r"\son[a-z]+=|javascript:|data:text|style=|formaction", tag)
    ]


def test_a_pdf_says_what_the_text_says() -> None:
    """Every word is in it as text, the title first; a picture at hand is set, another is named."""
    text = TEXT + "\n![a wren](/here) ![an owl](/nowhere)\n"
    made = paper.pdf("Title *as it is* #x", text, {"/here": PNG})
    assert made is not None
    words = words_of(made)

    assert words.startswith("Title *as it is* #x")
    for wanted in ("A heading", "bold", "quoted", 'print("#eval")', "an owl", "three"):
        assert wanted in words
    assert "a wren" not in words


@pytest.mark.parametrize(
    "text",
    [
        "",
        "> " * 3000 + "deep",
        "- " * 500 + "deep",
        "#" * 500,
        '#read("/etc/passwd")',
        "![x](/broken)",
        "| " * 400,
        "<p>\n" * 200,
        "**a" * 3000,
        "\x01 \x0c \ufffe \U0001f600",
    ],
    ids=["empty", "quotes", "lists", "hashes", "source", "broken", "cells", "tags", "marks", "odd"],
)
def test_no_text_breaks_the_setting(text: str) -> None:
    """Whatever a document says a PDF comes out; a picture that is broken is left out."""
    made = paper.pdf("x", text, {"/broken": b"\x89PNG\r\n\x1a\n not one"})

    assert made is not None
    assert made.startswith(b"%PDF")


def test_a_text_is_read_no_deeper_than_a_writer_can_follow() -> None:
    """The tree of the deepest quotation is as deep as the bound, and no more."""

    def depth(nodes: list[trees.Node]) -> int:
        return 1 + max((depth(node.get("c", [])) for node in nodes), default=0)

    assert depth(trees.tree_of("> " * 3000 + "deep")) < 40
