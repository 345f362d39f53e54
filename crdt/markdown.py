"""Markdown (CommonMark with GitHub's tables, task lists and strikethrough) of a block's content.

Takes the JSON that `shapes` reads. Nodes and marks are known by the names that ProseMirror, TipTap
and BlockNote give them; of an unknown node its content is written, of an unknown mark nothing.
A reference to another block becomes a link with the scheme `block:`.
"""

import re
from typing import Any, Final

from crdt.wording import LINKS, Node, attributes_of, children_of, is_inline, kind_of, label_of

_SPECIAL: Final = re.compile(r"([\\`*_\[\]<~|])")
_LINE_START: Final = re.compile(
    r"^(\s*\d{0,9})(#{1,6}(?=\s|$)|>|[-+](?=\s|$)|[.)](?=\s|$)|[-=]+\s*$)", re.MULTILINE
)
"""What would make a heading, a quotation or a list of a line that is none."""
_CELLS_MAX: Final = 10_000
"""Cells of a table up to which short rows are filled up."""
_LISTS: Final = {"bulletlist", "orderedlist", "tasklist", "checklist", "todolist"}
_LINES: Final = {"paragraph", "heading"}
_WRAPS: Final = {
    "bold": "**", "strong": "**", "italic": "*", "em": "*", "emphasis": "*",
    "strike": "~~", "strikethrough": "~~", "s": "~~",
}  # fmt: skip


BREAK: Final = "<!-- -->"
"""Stands between two lists that would be read as one."""


def markdown_of(value: Any) -> str:  # noqa: ANN401  (any value of a root)
    """The Markdown of a root: a plain text is its own, maps and lists have none."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and value.get("type") in ("doc", "text"):
        return _body(value)
    return ""


def _body(node: Node, between: str = "\n\n") -> str:
    """The content of a container: runs of inline nodes as paragraphs, the rest as blocks."""
    return between.join(part for part in parts_of(node) if part)


def parts_of(node: Node) -> list[str]:
    """The Markdown of each block of a container; a run of inline nodes is one of them."""
    parts: list[str] = []
    last = None
    for group in grouped(node):
        kind = None if is_inside(node, group[0]) else kind_of(group[0])
        part = _paragraph(group) if kind is None else _block(group[0])
        if part and kind in _LISTS and last in _LISTS:
            part = f"{BREAK}\n\n{part}"
        last = kind if part else last
        parts.append(part)
    return parts


def grouped(node: Node) -> list[list[Node]]:
    """A container's children: each block alone, neighbouring inline nodes together."""
    groups: list[list[Node]] = []
    was_inside = False
    for child in children_of(node):
        inside = is_inside(node, child)
        if inside and was_inside:
            groups[-1].append(child)
        else:
            groups.append([child])
        was_inside = inside
    return groups


def is_inside(parent: Node, child: Node) -> bool:
    """Whether a child is part of a line; of pictures the parent says it."""
    return is_inline(child) or (kind_of(child) == "image" and kind_of(parent) in _LINES)


def _block(node: Node) -> str:  # noqa: PLR0911  (a table of kinds)
    kind, attributes = kind_of(node), attributes_of(node)
    match kind:
        case "heading":
            line = re.sub(r"(?<!\\)(#+\s*)$", r"\\\1", _body(node, " ").replace("\n", " "))
            return f"{'#' * _level(attributes)} {line}"
        case "codeblock" | "code":
            return _code(node, attributes)
        case "blockquote":
            return "\n".join(f"> {line}".rstrip() for line in _body(node).split("\n"))
        case "horizontalrule" | "divider":
            return "---"
        case "image":
            return _image(attributes)
        case "table":
            return _table(node)
    if kind in _LISTS:
        return _list(node, kind)
    return _body(node)


def _image(attributes: dict[str, Any]) -> str:
    return f"![{_plain(attributes.get('alt'))}]({_address(attributes.get('src'))})"


def _level(attributes: dict[str, Any]) -> int:
    try:
        return min(6, max(1, int(attributes.get("level", 1))))
    except (TypeError, ValueError):
        return 1


def _code(node: Node, attributes: dict[str, Any]) -> str:
    text = "".join(str(run.get("text", "")) for run in children_of(node))
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    language = re.sub(r"[\s`]", "", str(attributes.get("language") or ""))
    return f"{fence}{language}\n{text}\n{fence}"


def _list(node: Node, kind: str) -> str:
    lines: list[str] = []
    start = attributes_of(node).get("start", attributes_of(node).get("order", 1))
    number = start if isinstance(start, int) else 1
    for at, item in enumerate(children_of(node), number):
        marker = f"{at}. " if kind == "orderedlist" else "- "
        checked = attributes_of(item).get("checked")
        if kind_of(item) in ("taskitem", "checklistitem") or isinstance(checked, bool):
            marker += "[x] " if checked in (True, "true") else "[ ] "
        indent = " " * (len(marker) if kind == "orderedlist" else 2)
        body = _item(item)
        lines.append(marker + body.replace("\n", f"\n{indent}"))
    return "\n".join(line.rstrip() for line in lines)


def _item(node: Node) -> str:
    """The content of an item: what follows its first line closely is a list."""
    text = ""
    for group, part in zip(grouped(node), parts_of(node), strict=True):
        if part and text:
            text += "\n" if kind_of(group[0]) in _LISTS else "\n\n"
        text += part
    return text


def _table(node: Node) -> str:
    rows = [
        [_body(cell, " ").replace("\n", " ") for cell in children_of(row)]
        for row in children_of(node)
    ]
    width = max((len(row) for row in rows), default=0)
    if width * len(rows) > _CELLS_MAX:
        width = (
            0  # Somebody wrote one long row and many short ones: they stay as short as they are.
        )
    lines = [f"| {' | '.join(row + [''] * (width - len(row)))} |" for row in rows]
    lines.insert(1, "|" + " --- |" * (width or len(rows[0]) if rows else 0))
    return "\n".join(lines) if rows else ""


def _paragraph(line: list[Node]) -> str:
    text = "".join(_inline(node) for node in _joined(line))
    return _LINE_START.sub(r"\1\\\2", text)


def _joined(line: list[Node]) -> list[Node]:
    """A line in which neighbouring texts with the same marks are one."""
    found: list[Node] = []
    for node in line:
        last = found[-1] if found else {}
        if kind_of(node) == kind_of(last) == "text" and node.get("marks") == last.get("marks"):
            found[-1] = {**last, "text": f"{last.get('text', '')}{node.get('text', '')}"}
        else:
            found.append(node)
    return found


def _inline(node: Node) -> str:
    match kind_of(node):
        case "text":
            return _run(str(node.get("text", "")), node.get("marks") or [])
        case "hardbreak":
            return "\\\n"
        case "image":
            return _image(attributes_of(node))
    kind = kind_of(node)
    if kind in LINKS:
        target = attributes_of(node).get(LINKS[kind])
        return f"[{_plain(label_of(node))}]({_address(f'block:{target}')})"
    return ""


def _run(text: str, marks: list[Node]) -> str:
    kinds = {kind_of(mark): mark for mark in marks}
    core = text.strip()
    if not core or not kinds:
        return _plain(text)
    before, after = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    if "code" in kinds:
        ticks = "`" * (1 + max((len(run) for run in re.findall("`+", core)), default=0))
        pad = " " if core.startswith("`") or core.endswith("`") else ""
        core = f"{ticks}{pad}{core}{pad}{ticks}"
    else:
        core = _plain(core)
    for sign in dict.fromkeys(_WRAPS[kind] for kind in kinds if kind in _WRAPS):
        core = f"{sign}{core}{sign}"
    if "link" in kinds:
        core = f"[{core}]({_address(attributes_of(kinds['link']).get('href'))})"
    return f"{before}{core}{after}"


def _plain(value: object) -> str:
    """Text in which nothing means anything to Markdown."""
    return _SPECIAL.sub(r"\\\1", value) if isinstance(value, str) else ""


def _address(value: object) -> str:
    """A link's target: one word without parentheses that could end it."""
    text = str(value) if isinstance(value, str) else ""
    return re.sub(r"[\s()<>\\]", lambda match: f"%{ord(match[0]):02X}", text)
