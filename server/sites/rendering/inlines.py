"""Small things inside a line: `==marks==`, `%%comments%%`, dashes, `^names` of blocks."""

from __future__ import annotations

import re
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.ruler import RuleOptionsType
from markdown_it.rules_block import StateBlock
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline

from server.sites.rendering.slugs import anchor_of

_DASHES = re.compile(r"(?<!-)-{2,3}(?!-)|(?<!\.)\.\.\.(?!\.)")
_SMART = {"--": "–", "---": "—", "...": "…"}  # noqa: RUF001 (a dash is meant)
_BLOCK = re.compile(r"(?:\A|[ \t])\^([A-Za-z0-9-]{1,100})\Z")
_MARK_MAX = 20_000


def inlines_plugin(md: MarkdownIt) -> None:
    """Add all of them."""
    md.inline.ruler.before("emphasis", "mark", _mark)
    md.inline.ruler.before("escape", "comment", _comment)
    md.inline.add_terminator_char("=")
    md.inline.add_terminator_char("%")
    paragraphs: RuleOptionsType = {"alt": ["paragraph", "reference", "blockquote", "list"]}
    md.block.ruler.before("fence", "comment", _comment_block, paragraphs)
    md.core.ruler.push("dashes", _dashes)
    md.core.ruler.push("blocks", _blocks)


def _mark(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 (markdown-it's own form)
    source, start = state.src, state.pos
    if not source.startswith("==", start) or source.startswith("===", start):
        return False
    end = source.find("==", start + 2, min(state.posMax, start + _MARK_MAX))
    inside = source[start + 2 : end]
    if end < 0 or not inside or inside[0].isspace() or inside[-1].isspace():
        return False
    if not silent:
        most = state.posMax
        state.pos, state.posMax = start + 2, end
        state.push("mark_open", "mark", 1)
        state.md.inline.tokenize(state)
        state.push("mark_close", "mark", -1)
        state.posMax = most
    state.pos = end + 2
    return True


def _comment(state: StateInline, silent: bool) -> bool:  # noqa: FBT001, ARG001
    if not state.src.startswith("%%", state.pos):
        return False
    end = state.src.find("%%", state.pos + 2, state.posMax)
    if end < 0:
        return False
    state.pos = end + 2
    return True


def _comment_block(state: StateBlock, first: int, last: int, silent: bool) -> bool:  # noqa: FBT001
    """Lines from one that begins with `%%` to one that ends with it."""
    if state.is_code_block(first) or not _line(state, first).startswith("%%"):
        return False
    opening = _line(state, first)
    if "%%" in opening[2:]:
        if not opening.endswith("%%") or len(opening) < 4 or opening.count("%%") > 2:
            return False  # Text follows: a comment inside a line.
        end = first
    else:
        end = first + 1
        while end < last and "%%" not in _line(state, end):
            end += 1
        if end >= last or not _line(state, end).endswith("%%"):
            return False
    if not silent:
        state.line = end + 1
    return True


def _line(state: StateBlock, number: int) -> str:
    return state.src[state.bMarks[number] + state.tShift[number] : state.eMarks[number]].rstrip()


def _dashes(state: StateCore) -> None:
    for block in state.tokens:
        in_address = False
        for token in block.children or ():
            if token.type in {"link_open", "link_close"}:
                in_address = token.type == "link_open" and token.info == "auto"
            elif token.type == "text" and not in_address:
                token.content = _DASHES.sub(lambda found: _SMART[found[0]], token.content)


def _blocks(state: StateCore) -> None:
    """A name at the end of a block is no text, but where links to it lead."""
    for block, inline in pairwise(state.tokens):
        last = inline.children[-1] if inline.type == "inline" and inline.children else None
        found = _BLOCK.search(last.content) if last and last.type == "text" else None
        if last is not None and found is not None and block.nesting == 1:
            last.content = last.content[: found.start()]
            block.attrSet("id", anchor_of(found[1]))
            block.hidden = False
