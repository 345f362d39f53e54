"""Quotes that begin with `[!type] Title`: Obsidian's callouts, foldable with `-` and `+`."""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

_ALIASES = {
    "note": "",
    "abstract": "summary tldr",
    "info": "",
    "todo": "",
    "tip": "hint important",
    "success": "check done",
    "question": "help faq",
    "warning": "caution attention",
    "failure": "fail missing",
    "danger": "error",
    "bug": "",
    "example": "",
    "quote": "cite",
}
KINDS = {name: kind for kind, aliases in _ALIASES.items() for name in (kind, *aliases.split())}
"""From each word that may stand in a callout to the kind that it looks like."""

_HEAD = re.compile(r"\A\[!([\w-]{1,40})(?:\|[^\]\n]*)?\]([+-]?)[ \t]*([^\n]*)(?:\n|\Z)")


def callouts_plugin(md: MarkdownIt) -> None:
    """Turn such quotes into callouts, before what is inside lines is read."""
    md.core.ruler.before("inline", "callouts", _callouts)


def _callouts(state: StateCore) -> None:
    found: list[Token] = []
    closing: list[str] = []
    tokens = state.tokens
    at = 0
    while at < len(tokens):
        token = tokens[at]
        if token.type == "blockquote_open":
            head = _head(tokens, at)
            closing.append("")
            if head is not None:
                closing[-1] = "details" if head[2] else "div"
                found += _opening(token, head)
                rest = tokens[at + 2].content[head.end() :]
                if rest.strip():
                    tokens[at + 2].content = rest
                    at += 1
                else:
                    at += 4  # The paragraph held the title and nothing else.
                continue
        elif token.type == "blockquote_close" and (tag := closing.pop()):
            found.append(_html(f"</div></{tag}>\n"))
            at += 1
            continue
        found.append(token)
        at += 1
    state.tokens = found


def _head(tokens: list[Token], at: int) -> re.Match[str] | None:
    if at + 3 >= len(tokens) or tokens[at + 2].type != "inline":
        return None
    return _HEAD.match(tokens[at + 2].content) if tokens[at + 1].type == "paragraph_open" else None


def _opening(quote: Token, head: re.Match[str]) -> list[Token]:
    word, fold, title = head[1].lower(), head[2], head[3].strip()
    kind = KINDS.get(word, word)
    is_open = " open" if fold == "+" else ""
    tag, part = ("details", "summary") if fold else ("div", "div")
    words = Token("inline", "", 0)
    words.content = title or head[1].replace("-", " ").capitalize()
    words.level, words.map, words.children = quote.level + 1, quote.map, []
    return [
        _html(
            f'<{tag} class="callout" data-callout="{word}" data-callout-type="{kind}"{is_open}>'
            f'<{part} class="callout-title" data-callout-title="">'
        ),
        words,
        _html(f'</{part}><div class="callout-body" data-callout-body="">\n'),
    ]


def _html(content: str) -> Token:
    token = Token("html_block", "", 0)
    token.content = content
    return token
