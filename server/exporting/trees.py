"""Markdown as a tree of nodes, for a writer that is not HTML."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeAlias

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.tasklists import tasklists_plugin

Node: TypeAlias = dict[str, Any]
"""`k` its kind, `c` its children, `t` its text, and what else its kind has."""

_NESTING_MAX = 12
"""Lists in quotations in lists: what is deeper is text, so that no writer recurses far."""


@cache
def parser() -> MarkdownIt:
    """CommonMark with tables, tasks and strikethrough, as our editors write it."""
    options = {"linkify": False, "html": True, "maxNesting": _NESTING_MAX * 2}
    return MarkdownIt("gfm-like", options).use(tasklists_plugin)


def tree_of(markdown: str) -> list[Node]:
    """The blocks of a Markdown text."""
    return _nodes(parser().parse(markdown))


def _nodes(tokens: list[Token]) -> list[Node]:
    top: list[Node] = []
    open_nodes = [{"c": top}]
    for token in tokens:
        if token.nesting < 0:
            # A tag that closes nothing of ours was left out when it opened.
            if len(open_nodes) > 1:
                open_nodes.pop()
            continue
        node = _node(token)
        if token.nesting > 0:
            node.setdefault("c", [])
            open_nodes[-1]["c"].append(node)
            open_nodes.append(node)
        elif token.type == "inline":
            open_nodes[-1]["c"] += _nodes(token.children or [])
        elif node["k"] != "nothing":
            open_nodes[-1]["c"].append(node)
    return top


def _node(token: Token) -> Node:  # noqa: PLR0911 (a table of kinds)
    kind = token.type.removesuffix("_open")
    match kind:
        case "text" | "code_inline":
            return {"k": kind, "t": token.content}
        case "fence" | "code_block":
            return {"k": "code", "t": token.content.rstrip("\n"), "lang": token.info.split(" ")[0]}
        case "heading":
            return {"k": kind, "level": int(token.tag[1:])}
        case "ordered_list":
            start = token.attrGet("start")
            return {"k": kind, "start": 1 if start is None else int(start)}
        case "link":
            return {"k": kind, "to": str(token.attrGet("href") or "")}
        case "image":
            return {"k": kind, "src": str(token.attrGet("src") or ""), "t": token.content}
        case "html_inline" if "task-list-item-checkbox" in token.content:
            return {"k": "task", "done": "checked" in token.content}
        case "html_inline" | "html_block":
            return {"k": "nothing"}
    return {"k": kind}
