"""Markdown as trees of the nodes that editors write: what `markdown` writes, read again.

CommonMark with GitHub's tables, task lists and strikethrough. HTML, entities and definitions of
links have no node in a document: they are words like others, so that nothing is dropped. A link
with the scheme `block:` is a reference to another block.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec
from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from crdt.markdown import BREAK
from crdt.trees import ElementTree, Formats, Run, TextTree

_READER: Final = (
    MarkdownIt("commonmark", {"html": False})
    .enable(["table", "strikethrough"])
    .disable(["reference", "html_block", "html_inline", "entity", "autolink"])
)
_SNAKE: Final = {
    "bulletList": "bullet_list", "orderedList": "ordered_list", "listItem": "list_item",
    "codeBlock": "code_block", "horizontalRule": "horizontal_rule", "hardBreak": "hard_break",
    "tableRow": "table_row", "tableHeader": "table_header", "tableCell": "table_cell",
    "taskList": "task_list", "taskItem": "task_item", "bold": "strong", "italic": "em",
}  # fmt: skip
"""The names that ProseMirror's own schemas give, where TipTap's differ."""
_MARKS: Final = {"strong": "bold", "em": "italic", "s": "strike"}
_TASK: Final = {"[ ] ": False, "[x] ": True, "[X] ": True}
SNAKE: Final = frozenset(_SNAKE.values())


class Block(msgspec.Struct, frozen=True):
    """One block of a Markdown text."""

    source: str
    tree: ElementTree

    @property
    def key(self) -> str:
        """Equal for blocks that mean the same, however they are written."""
        return repr(self.tree)


def blocks_of(text: str, *, snake: bool = False) -> list[Block]:
    """The blocks of a text, in order; `snake` asks for ProseMirror's names instead of TipTap's."""
    lines = text.split("\n")
    marking = _Marking(snake=snake)
    found = []
    for node in SyntaxTreeNode(_READER.parse(text)).children:
        first, last = node.map or (0, 0)
        source = "\n".join(lines[first:last]).strip("\n")
        if source.strip() != BREAK:
            found += [Block(source, tree) for tree in marking.blocks([node])]
    return found


class _Marking:
    """Makes trees of markdown-it's nodes."""

    def __init__(self, *, snake: bool) -> None:
        self._names = _SNAKE if snake else {}

    def _element(
        self, tag: str, children: Iterable[Any] = (), **attributes: str | int
    ) -> ElementTree:
        return ElementTree(self._names.get(tag, tag), attributes, tuple(children))

    def blocks(self, nodes: list[SyntaxTreeNode]) -> Iterator[ElementTree]:
        """Blocks, in order."""
        for node in nodes:
            yield self._block(node)

    def _block(self, node: SyntaxTreeNode) -> ElementTree:  # noqa: PLR0911  (a table of kinds)
        match node.type:
            case "heading":
                return self._element("heading", self._inline(node), level=int(node.tag[1:]))
            case "fence" | "code_block":
                language = node.info.split()[0] if node.info.split() else ""
                about = {"language": language} if language else {}
                return self._element("codeBlock", _text(node.content.removesuffix("\n")), **about)
            case "blockquote":
                return self._element("blockquote", self.blocks(node.children))
            case "hr":
                return self._element("horizontalRule")
            case "bullet_list" | "ordered_list":
                return self._list(node)
            case "table":
                rows = [row for part in node.children for row in part.children]
                return self._element("table", map(self._row, rows))
        return self._paragraph(node)

    def _paragraph(self, node: SyntaxTreeNode) -> ElementTree:
        children = list(self._inline(node))
        match children:
            case [ElementTree(tag="image") as image]:
                return image
        return self._element("paragraph", children)

    def _list(self, node: SyntaxTreeNode) -> ElementTree:
        items = [self._element("listItem", self.blocks(item.children)) for item in node.children]
        if node.type == "ordered_list":
            start = int(node.attrs.get("start", 1))
            return self._element("orderedList", items, **({"start": start} if start != 1 else {}))
        tasks = [self._task(item) for item in items]
        whole = [task for task in tasks if task is not None]
        if whole and len(whole) == len(items):
            return self._element("taskList", whole)
        return self._element("bulletList", items)

    def _task(self, item: ElementTree) -> ElementTree | None:
        """The item as one that can be checked, if it begins with a box."""
        first = item.children[0] if item.children else None
        if not isinstance(first, ElementTree) or first.tag != "paragraph" or not first.children:
            return None
        text = first.children[0]
        if not isinstance(text, TextTree) or not isinstance(text.runs[0][0], str):
            return None
        words, formats = text.runs[0]
        checked = _TASK.get(words[:4])
        if checked is None or formats:
            return None
        runs = ((words[4:], formats), *text.runs[1:]) if words[4:] else text.runs[1:]
        rest = [TextTree(runs, is_xml=True)] if runs else []
        told = self._element("paragraph", [*rest, *first.children[1:]])
        return self._element("taskItem", [told, *item.children[1:]], checked=checked)

    def _row(self, row: SyntaxTreeNode) -> ElementTree:
        cells = [
            self._element(
                "tableHeader" if cell.type == "th" else "tableCell",
                [self._element("paragraph", self._inline(cell))],
            )
            for cell in row.children
        ]
        return self._element("tableRow", cells)

    # -- inside a line ----------------------------------------------------------------------

    def _inline(self, node: SyntaxTreeNode) -> Iterator[Any]:
        """Texts and elements of a line, in order."""
        runs: list[Run] = []
        for piece, formats in self._pieces(node.children, {}):
            if isinstance(piece, ElementTree):
                if runs:
                    yield TextTree(tuple(runs), is_xml=True)
                    runs = []
                yield piece
            elif runs and runs[-1][1] == formats:
                runs[-1] = (runs[-1][0] + piece, formats)
            elif piece:
                runs.append((piece, formats))
        if runs:
            yield TextTree(tuple(runs), is_xml=True)

    def _pieces(self, nodes: list[SyntaxTreeNode], formats: dict[str, Any]) -> Iterator[Run]:
        for node in nodes:
            match node.type:
                case "inline":
                    yield from self._pieces(node.children, formats)
                case "softbreak":
                    yield "\n", _sorted(formats)
                case "hardbreak":
                    yield self._element("hardBreak"), ()
                case "code_inline":
                    yield node.content, _sorted({**formats, "code": {}})
                case "image":
                    about = {"src": str(node.attrs.get("src", "")), "alt": node.content}
                    yield self._element("image", **about), ()
                case "link":
                    yield from self._link(node, formats)
                case "strong" | "em" | "s":
                    name = _MARKS[node.type]
                    mark: dict[str, Any] = {self._names.get(name, name): {}}
                    yield from self._pieces(node.children, {**formats, **mark})
                case _:
                    yield node.content, _sorted(formats)

    def _link(self, node: SyntaxTreeNode, formats: dict[str, Any]) -> Iterator[Run]:
        target = str(node.attrs.get("href", ""))
        if target.startswith("block:"):
            label = "".join(str(piece) for piece, _ in self._pieces(node.children, {}))
            about = {"id": target.removeprefix("block:"), "label": label, "type": "mention"}
            yield self._element("reference", **about), ()
        else:
            yield from self._pieces(node.children, {**formats, "link": {"href": target}})


def _sorted(formats: dict[str, Any]) -> Formats:
    return tuple(sorted(formats.items(), key=lambda item: item[0]))


def _text(content: str) -> list[TextTree]:
    return [TextTree(((content, ()),), is_xml=True)] if content else []
