"""A block's content edited as Markdown: few edits, and nothing lost that Markdown cannot say."""

from typing import Any

import pycrdt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crdt.blocks import Change
from crdt.document import Document
from crdt.rewriting import CONTENT, adopt, meaning, rewrite, text_of

WORDS = st.lists(
    st.sampled_from(
        ["a", "milk", "*x*", "**two words**", "`code`", "é😀", "[l](http://x)", "1.", "#"]
    ),
    min_size=1, max_size=6,
).map(" ".join)  # fmt: skip
BLOCKS = st.one_of(
    WORDS,
    WORDS.map(lambda w: f"## {w}"),
    st.lists(WORDS, min_size=1, max_size=3).map(lambda ws: "\n".join(f"- {w}" for w in ws)),
    st.lists(WORDS, min_size=1, max_size=3).map(lambda ws: "\n".join(f"1. {w}" for w in ws)),
    st.lists(WORDS, min_size=1, max_size=2).map(lambda ws: "\n".join(f"- [x] {w}" for w in ws)),
    WORDS.map(lambda w: f"> {w}"),
    WORDS.map(lambda w: f"```py\n{w}\n```"),
    st.tuples(WORDS, WORDS).map(lambda ws: f"| {ws[0]} | b |\n| --- | --- |\n| {ws[1]} | d |"),
    st.just("---"),
    st.just("![a picture](pictures/a.png)"),
    st.tuples(WORDS, WORDS).map(lambda ws: f"{ws[0]}\\\n{ws[1]} [A](block:01J9ZV3M8Q4R5S6T7V)"),
)  # fmt: skip
TEXTS = st.lists(BLOCKS, max_size=6).map("\n\n".join)


def written(text: str) -> Document:
    """A document with this content."""
    document = Document(client_id=5)
    document.edit(rewrite("", text))
    return document


def fork(document: Document, client: int) -> Document:
    """Somebody else's replica."""
    return Document.rebuild([document.encode()], client_id=client)


def merge(*documents: Document) -> None:
    """Bring replicas together."""
    for one in documents:
        for other in documents:
            one.apply_observed(other.encode())


@given(TEXTS, TEXTS)
def test_what_is_written_reads_as_it_was_written(before: str, after: str) -> None:
    """Into an empty content, and over another one."""
    document = written(before)
    seen = text_of(document)
    assert meaning(seen) == meaning(before)

    document.edit(rewrite(seen, after))

    assert meaning(text_of(document)) == meaning(after)


@given(TEXTS, TEXTS)
def test_a_text_that_means_the_same_writes_nothing(before: str, after: str) -> None:
    """Not even when somebody spells it otherwise."""
    document = written(before)
    assert document.edit(rewrite(before, text_of(document))) is None
    assert document.edit(rewrite(after, after)) is None


@given(TEXTS, TEXTS)
def test_what_others_wrote_is_kept_where_only_one_block_is_edited(first: str, second: str) -> None:
    """Blocks are added at either end of a document by two who do not see each other."""
    middle = "the middle"
    one = written(middle)
    two = fork(one, 9)
    one.edit(rewrite(middle, f"{first}\n\n{middle}"))
    two.edit(rewrite(middle, f"{middle}\n\n{second}"))
    merge(one, two)

    assert text_of(one) == text_of(two)
    assert sorted(meaning(text_of(one))) == sorted(
        [*meaning(first), *meaning(middle), *meaning(second)]
    )


@pytest.mark.parametrize(
    ("base", "one", "two", "both"),
    [
        ("one two three", "ONE two three", "one two THREE", "ONE two THREE"),
        ("one two three", "**one** two three", "one two and three", "**one** two and three"),
        ("one two three", "**one** two three", "**one** two three", "**one** two three"),
        ("- a\n- b", "- a\n- c\n- b", "- a\n- b!", "- a\n- c\n- b!"),
        ("> said", "> said so", "> he said", "> he said so"),
        ("# T\n\ntext", "# Title\n\ntext", "# T\n\nmore text", "# Title\n\nmore text"),
        ("- [ ] a b", "- [x] a b", "- [ ] a c b", "- [x] a c b"),
        ("| a |\n| --- |\n| x |", "| a |\n| --- |\n| x y |", "| b a |\n| --- |\n| x |",
         "| b a |\n| --- |\n| x y |"),
        ("x [A](block:01A) y", "x [A](block:01A) yes", "oh x [A](block:01A) y",
         "oh x [A](block:01A) yes"),
        ("a p82x", "a p104x", "a p82x q138x", "a p104x q138x"),
        ("**p82x**", "**p104x**", "**p82x** q138x", "**p104x** q138x"),
        ("the cat sat", "the cut sat", "the cat, big, sat", "the cut, big, sat"),
        ("the cat sat", "the cats sat", "the big cat sat", "the big cats sat"),
        ("a first end", "a first new end", "a end", "a new end"),
        ("a first", "a first new", "a", "a new"),
        ("one two", "one new", "one, two", "one, new"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("other", [3, 9])
def test_edits_of_two_in_one_block_are_merged_and_nothing_is_doubled(
    base: str, one: str, two: str, both: str, other: int
) -> None:
    """Words, formats, items, boxes, cells: each edit is as small as what changed."""
    first = written(base)
    second = fork(first, other)
    first.edit(rewrite(base, one))
    second.edit(rewrite(base, two))
    merge(first, second)

    assert text_of(first) == text_of(second) == both


def test_a_block_that_markdown_cannot_say_is_edited_where_it_stands() -> None:
    """A blank with a format comes back without it; the paragraph is the same one."""
    document = written("*first **second*** line")
    seen = text_of(document)
    assert meaning(seen) != meaning("*first **second*** line")

    document.edit(rewrite("*first **second*** line", "*first **second*** long line"))

    assert text_of(document) == seen.replace(" line", " long line")


def edit(document: Document, change: Change) -> None:
    """As an editor does it."""
    document.edit(change)


def rich(doc: Any) -> None:
    """What Markdown cannot say: colours, underlines, a callout, a formula, an alignment."""
    content = doc.get(CONTENT, type=pycrdt.XmlFragment)
    words = pycrdt.XmlText("red plain under")
    content.children.append(pycrdt.XmlElement("paragraph", {"align": "right"}, [words]))
    words.format(0, 3, {"color": {"hex": "#f00"}})
    words.format(10, 15, {"underline": {}})
    content.children.append(pycrdt.XmlElement("formula", {"tex": "x^2"}))
    callout = pycrdt.XmlElement("callout", {"icon": "!"})
    content.children.append(callout)
    for text in ("first", "second"):
        callout.children.append(pycrdt.XmlElement("paragraph", {}, [pycrdt.XmlText(text)]))


def xml(document: Document) -> str:
    """All of it."""
    return document.look(lambda doc: str(doc.get(CONTENT, type=pycrdt.XmlFragment)))


def test_what_markdown_cannot_say_stays_where_it_is() -> None:
    """Formats on the words that stay, attributes, unknown nodes, and the node around blocks."""
    document = Document(client_id=5)
    edit(document, rich)
    seen = text_of(document)
    assert seen == "red plain under\n\nfirst\n\nsecond"

    document.edit(rewrite(seen, "red **very** plain under!\n\nfirst\n\nbetween\n\nsecond!\n\nlast"))

    assert text_of(document) == ("red **very** plain under!\n\nfirst\n\nbetween\n\nsecond!\n\nlast")
    after = xml(document)
    assert '<paragraph align="right"><color hex="#f00">red</color>' in after
    assert "<underline>under</underline>!" in after
    assert '<formula tex="x^2"></formula>' in after
    assert after.index("first") < after.index("between") < after.index("</callout>")
    assert after.index("last") > after.index("</callout>")


def test_a_text_root_is_its_own_markdown() -> None:
    """Letters that stay keep their identity there too."""
    document = Document(client_id=5)
    document.edit(lambda doc: doc.get(CONTENT, type=pycrdt.Text).insert(0, "# no heading\n\n\nend"))
    other = fork(document, 9)
    seen = text_of(document)
    assert seen == "# no heading\n\n\nend"

    document.edit(rewrite(seen, "# no title\n\n\nend"))
    other.edit(rewrite(seen, "# no heading\n\n\nthe end"))
    merge(document, other)

    assert text_of(document) == text_of(other) == "# no title\n\n\nthe end"


def test_a_document_with_prosemirrors_names_keeps_them() -> None:
    """New nodes are named as those that are there."""
    document = Document(client_id=5)

    def write(doc: Any) -> None:
        item = pycrdt.XmlElement(
            "list_item", {}, [pycrdt.XmlElement("paragraph", {}, [pycrdt.XmlText("a")])]
        )
        doc.get(CONTENT, type=pycrdt.XmlFragment).children.append(
            pycrdt.XmlElement("bullet_list", {}, [item])
        )

    edit(document, write)
    document.edit(rewrite("- a", "- **a**\n- b"))

    assert text_of(document) == "- **a**\n- b"
    assert "<list_item><paragraph>b</paragraph></list_item>" in xml(document)
    assert "<strong>a</strong>" in xml(document)


def test_the_spelling_of_somebody_is_kept_for_blocks_that_did_not_change() -> None:
    """Only what came in is spelled as here."""
    mine = "* a\n* b\n\n\nTitle\n=====\n\nold"

    assert adopt("- a\n- b\n\n# Title\n\nnew", mine) == "* a\n* b\n\nTitle\n=====\n\nnew"


@given(TEXTS, TEXTS)
def test_adopting_a_spelling_changes_no_meaning(text: str, written_as: str) -> None:
    """Whatever stands around it."""
    assert meaning(adopt(text, written_as)) == meaning(text)
