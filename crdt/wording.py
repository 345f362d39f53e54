"""The words of a block, from the JSON that `shapes` reads: what search finds and lists show.

A line for each block of text; references and page links stand there with their labels.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

Node = dict[str, Any]

LINKS: Final = {"reference": "id", "mention": "id", "pagelink": "blockKey"}
"""Inline nodes that name another block, and the attribute that does it."""
_INLINE: Final = {"text", "hardbreak", "embed", "emoji", *LINKS}


def kind_of(node: Node) -> str:
    """A node's type in one spelling: `bullet_list`, `bulletList` and `bullet-list` are the same."""
    kind = node.get("type", "")
    return _kind(kind) if isinstance(kind, str) else ""


@lru_cache(1024)
def _kind(name: str) -> str:
    return name.replace("-", "").replace("_", "").lower()


def attributes_of(node: Node) -> dict[str, Any]:
    """A node's or a mark's attributes, if they are any."""
    attributes = node.get("attrs")
    return attributes if isinstance(attributes, dict) else {}


def children_of(node: Node) -> list[Node]:
    """A node's content."""
    content = node.get("content")
    return content if isinstance(content, list) else []


def is_inline(node: Node) -> bool:
    """Whether a node stands inside a line."""
    return kind_of(node) in _INLINE


def label_of(node: Node) -> str:
    """What is shown in the place of an inline node that names another block."""
    attributes = attributes_of(node)
    for name in ("label", "title", "text", LINKS.get(kind_of(node), "id")):
        value = attributes.get(name)
        if isinstance(value, str) and value:
            return value
    return ""


def links_in(value: Any) -> Iterator[tuple[str, str, str]]:  # noqa: ANN401  (any value of a root)
    """Every inline node below a value that names another block: its type, the block, its label."""
    if not isinstance(value, dict):
        return
    rest = [value]
    while rest:
        node = rest.pop()
        kind = kind_of(node)
        if kind in LINKS:
            target = attributes_of(node).get(LINKS[kind])
            if isinstance(target, str) and target:
                said = attributes_of(node).get("type")
                yield (
                    kind if not isinstance(said, str) or not said else said,
                    target,
                    label_of(node),
                )
        rest += children_of(node)[::-1]


def words_of(value: Any) -> str:  # noqa: ANN401  (any value of a root)
    """The text of a root: of XML and text as it reads, nothing of maps and lists."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and value.get("type") in ("doc", "text"):
        return "\n".join(_lines(value)).strip("\n")
    return ""


def _lines(node: Node) -> Iterator[str]:
    children = children_of(node)
    if kind_of(node) == "tablerow":
        yield "\t".join(" ".join(_lines(cell)) for cell in children)
        return
    line: list[str] = []
    for child in children:
        if is_inline(child):
            line.append(_inline(child))
            continue
        if line:
            yield "".join(line)
            line = []
        yield from _lines(child)
    if line or not children:
        yield "".join(line)


def _inline(node: Node) -> str:
    match kind_of(node):
        case "text":
            return str(node.get("text", ""))
        case "hardbreak":
            return "\n"
    return label_of(node)
