"""A block's content as Markdown that can be edited: what changed in the text, written as few edits.

Somebody saw the content as a text (`text_of`), changed the text, and gives both back. Blocks of it
that mean the same as before are not touched, whatever Markdown cannot say of them. Of a block that
changed only the words, formats and attributes are written that differ between the two texts. So
nothing is replaced as a whole that others may be writing in, and nothing is lost that is no part of
Markdown.

    content_v0   XmlFragment: paragraphs and other nodes, as TipTap or ProseMirror name them
                 or Text: the text is its own Markdown
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any, Final

import msgspec
import pycrdt
from pycrdt._pycrdt import XmlElement as _Element

from crdt import markdown
from crdt.blocks import Change
from crdt.document import Document
from crdt.lines import Line, PlainLine
from crdt.marking import SNAKE, blocks_of
from crdt.pairing import pair
from crdt.restoring import Writing
from crdt.shapes import Node, reader
from crdt.trees import plain
from crdt.units import units_of
from crdt.wording import kind_of

CONTENT: Final = "content_v0"
Trees = Sequence[Any]

_INSIDE: Final = "inside"
_LINES: Final = {"paragraph", "heading", "codeblock"}
_ROWS: Final = {"bulletlist", "orderedlist", "tasklist", "table", "tablerow"}
_SAME: Final = {"code": "codeblock", "divider": "horizontalrule", "checklist": "tasklist",
                "todolist": "tasklist", "checklistitem": "taskitem"}  # fmt: skip


def text_of(document: Document) -> str:
    """The content as Markdown. Raises DocumentBroken."""
    return document.look(lambda doc: "\n\n".join(part for part in _parts(doc) if part))


def is_plain(document: Document) -> bool:
    """Whether the content is a Text, which is its own Markdown. Raises DocumentBroken."""
    return document.look(lambda doc: reader(doc).kind(CONTENT)) == "text"


def rewrite(before: str, after: str) -> Change:
    """The change that makes the content what `after` says, where `before` was what it said."""
    return lambda doc: _Rewriting(doc).run(before, after)


def meaning(text: str) -> list[str]:
    """Equal for two texts that say the same in Markdown."""
    return [block.key for block in blocks_of(text)]


def adopt(text: str, written: str) -> str:
    """`text`, with every block spelled as in `written` that means the same there."""
    old, new = blocks_of(written), blocks_of(text)
    matcher = SequenceMatcher(None, [b.key for b in old], [b.key for b in new], autojunk=False)
    pieces = [block.source for block in new]
    for a, c, size in matcher.get_matching_blocks():
        pieces[c : c + size] = [block.source for block in old[a : a + size]]
    joined = "\n\n".join(pieces)
    return joined if meaning(joined) == [block.key for block in new] else text


def _parts(doc: "pycrdt.Doc[Any]") -> list[str]:
    value = reader(doc).root(CONTENT)
    if isinstance(value, dict) and value.get("type") == "doc":
        return markdown.parts_of(value)
    return [markdown.markdown_of(value)]


class _Unlike(Exception):
    """The document is built otherwise than the text: the node has to be replaced as a whole."""


class _Group(msgspec.Struct, frozen=True):
    """Children of a node that are one block of it."""

    first: int
    last: int
    """Behind the last."""
    is_line: bool
    """Texts and inline elements that stand there without a paragraph around them."""
    keys: list[str]
    """What its Markdown means; nothing where Markdown cannot show it."""


class _Rewriting:
    """One change, inside the transaction of an edit."""

    def __init__(self, doc: "pycrdt.Doc[Any]") -> None:
        self._writing = Writing(doc)
        self._transaction = self._writing.transaction
        self._reader = reader(doc)
        self._snake = False

    def run(self, before: str, after: str) -> None:
        """Write what differs."""
        raw, transaction = self._writing.raw, self._transaction
        value = self._reader.root(CONTENT)
        if self._reader.kinds[CONTENT] == "text":
            text = raw.get_or_insert_text(transaction, CONTENT)
            PlainLine(self._writing, text).edit(*(units_of([plain(t)]) for t in (before, after)))
            return
        self._snake = any(name in SNAKE for name in _names(value)) if value else False
        seen, wanted = (
            [block.tree for block in blocks_of(text, snake=self._snake)] for text in (before, after)
        )
        self._row(raw.get_or_insert_xml_fragment(transaction, CONTENT), seen, wanted)

    # -- a row of blocks ----------------------------------------------------------------------

    def _row(self, parent: Any, seen: Trees, wanted: Trees) -> None:  # noqa: ANN401
        """Edit the blocks in a node: they were seen as one thing and are to be another."""
        groups = self._groups(parent)
        owners = _owners(groups, seen)
        many = {o for o, count in Counter(owners).items() if o is not None and count > 1}
        inside: dict[int, list[tuple[Any, Any]]] = {}
        todo: list[tuple[int, Any, Any]] = []
        last = -1
        pairs = [(i, j, None if i is None else owners[i]) for i, j in pair(seen, wanted)]
        for place, (i, j, its) in enumerate(pairs):
            owner = its
            was, now = None if i is None else seen[i], None if j is None else wanted[j]
            if i is None and last in many and _next_owner(pairs, place) == last:
                owner = last
            if owner in many:
                if owner not in inside:
                    todo.append((owner, _INSIDE, None))
                inside.setdefault(owner, []).append((was, now))
            elif owner is None:
                if now is not None and was != now:
                    todo.append((last, None, now))
            elif was != now:
                todo.append((owner, was, now))
            last = last if owner is None else owner
        for owner, was, now in reversed(todo):
            group = groups[owner] if owner >= 0 else None
            if was == _INSIDE:
                self._inside(parent, groups[owner], inside[owner])
            else:
                self._one(parent, group, was, now)

    def _groups(self, parent: Any) -> list[_Group]:  # noqa: ANN401
        tag = _tag(parent) if isinstance(parent, _Element) else "doc"
        found: list[tuple[int, int, bool, list[Node]]] = []
        for at, child in enumerate(parent.children(self._transaction)):
            is_text = not isinstance(child, _Element)
            nodes = self._reader.runs(child) if is_text else [self._reader.element(child)]
            is_line = is_text or markdown.is_inside({"type": tag}, nodes[0])
            if is_line and found and found[-1][2]:
                first, _, _, before = found[-1]
                found[-1] = (first, at + 1, True, before + nodes)
            else:
                found.append((at, at + 1, is_line, nodes))
        return [
            _Group(first, last, is_line, self._keys({"type": "doc", "content": nodes}, is_line))
            for first, last, is_line, nodes in found
        ]

    def _keys(self, node: Node, is_line: bool) -> list[str]:  # noqa: FBT001
        if is_line:
            node = {"type": "doc", "content": [{**node, "type": "paragraph"}]}
        text = "\n\n".join(part for part in markdown.parts_of(node) if part)
        return [repr(block.tree) for block in blocks_of(text, snake=self._snake)]

    def _inside(self, parent: Any, group: _Group, pairs: list[tuple[Any, Any]]) -> None:  # noqa: ANN401
        """Several blocks of the text are one node that Markdown does not know."""
        seen = [was for was, _ in pairs if was is not None]
        wanted = [now for _, now in pairs if now is not None]
        if seen == wanted:
            return
        node = None if group.is_line else parent.get(self._transaction, group.first)
        if wanted and node is not None and _kind(_tag(node)) not in _LINES | _ROWS:
            self._row(node, seen, wanted)
            return
        for tree in reversed(wanted):
            self._writing.insert_child(parent, group.last, tree)
        parent.remove_range(self._transaction, group.first, group.last - group.first)

    def _one(self, parent: Any, group: _Group | None, was: Any, now: Any) -> None:  # noqa: ANN401
        """Insert a block behind a group, remove the group, or edit it."""
        if group is None or was is None:
            self._writing.insert_child(parent, 0 if group is None else group.last, now)
            return
        if now is not None:
            try:
                self._block(parent, group, was, now)
            except _Unlike:
                self._writing.insert_child(parent, group.last, now)
            else:
                return
        parent.remove_range(self._transaction, group.first, group.last - group.first)

    # -- one block ------------------------------------------------------------------------------

    def _block(self, parent: Any, group: _Group, was: Any, now: Any) -> None:  # noqa: ANN401
        kind = _kind(was.tag)
        if kind != _kind(now.tag):
            raise _Unlike
        if group.is_line:
            line = Line(self._writing, parent, group.first, group.last)
            line.edit(units_of(was.children), units_of(now.children))
            return
        self._element(parent.get(self._transaction, group.first), was, now)

    def _element(self, element: Any, was: Any, now: Any) -> None:  # noqa: ANN401
        kind = _kind(was.tag)
        if _kind(_tag(element)) != kind:
            raise _Unlike
        for name in was.attributes.keys() | now.attributes.keys():
            value = now.attributes.get(name)
            if was.attributes.get(name) != value and value is None:
                element.remove_attribute(self._transaction, name)
            elif was.attributes.get(name) != value:
                element.insert_attribute(self._transaction, name, value)
        if kind in _LINES:
            count = len(element.children(self._transaction))
            line = Line(self._writing, element, 0, count)
            line.edit(units_of(was.children), units_of(now.children))
        elif kind in _ROWS:
            self._items(element, was.children, now.children)
        elif was.children != now.children:
            self._row(element, was.children, now.children)

    def _items(self, parent: Any, seen: Trees, wanted: Trees) -> None:  # noqa: ANN401
        """Edit the items of a list, the rows of a table, or the cells of a row."""
        items = parent.children(self._transaction)
        if len(items) != len(seen) or not all(isinstance(item, _Element) for item in items):
            raise _Unlike
        last = -1
        todo = []
        for i, j in pair(seen, wanted):
            last = last if i is None else i
            if i is None or j is None or seen[i] != wanted[j]:
                todo.append((last, i, j))
        for place, i, j in reversed(todo):
            if i is None:
                self._writing.insert_child(parent, place + 1, wanted[j or 0])
            elif j is None:
                parent.remove_range(self._transaction, i, 1)
            else:
                self._element(items[i], seen[i], wanted[j])


def _owners(groups: Sequence[_Group], seen: Trees) -> list[int | None]:
    """Which group of the document each block of the text stands for."""
    keys = [(key, number) for number, group in enumerate(groups) for key in group.keys]
    owners: list[int | None] = [None] * len(seen)
    old = [repr(tree) for tree in seen]
    matcher = SequenceMatcher(None, old, [key for key, _ in keys], autojunk=False)
    for _, a, b, c, d in matcher.get_opcodes():
        # Not equal, and as many: Markdown could not say all of them, such as a bold blank.
        if b - a == d - c:
            owners[a:b] = [number for _, number in keys[c:d]]
    return owners


def _next_owner(pairs: Sequence[tuple[Any, Any, int | None]], place: int) -> int | None:
    return next((owner for i, _, owner in pairs[place:] if i is not None), None)


def _names(node: Any) -> Iterator[str]:  # noqa: ANN401
    """The names of all nodes and marks."""
    rest = [node]
    while rest:
        one = rest.pop()
        if isinstance(one, dict):
            yield str(one.get("type"))
            rest += [*one.get("content", ()), *one.get("marks", ())]


def _kind(tag: str) -> str:
    kind = kind_of({"type": tag})
    return _SAME.get(kind, kind)


def _tag(element: Any) -> str:  # noqa: ANN401
    return element.tag() or ""
