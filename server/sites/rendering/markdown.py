"""Markdown as notes have it: CommonMark, GFM, footnotes, and what Obsidian adds to them.

Only HTML comes out of here, and it is not to be trusted yet (`sanitising`); links into the site are
as they were written.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from itertools import pairwise
from typing import Any
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.footnote import footnote_plugin
from mdit_py_plugins.gfm_autolink import gfm_autolink_plugin

from server.sites.rendering import code
from server.sites.rendering.callouts import callouts_plugin
from server.sites.rendering.inlines import inlines_plugin
from server.sites.rendering.mathematics import to_mathml
from server.sites.rendering.slugs import Anchors
from server.sites.rendering.wikilinks import (
    IMAGES,
    SOUNDS,
    VIDEOS,
    size_of,
    suffix_of,
    wikilinks_plugin,
    youtube_of,
)

_NESTING_MAX = 40
_FRAME = 'loading="lazy" allowfullscreen="" title="'


def parser() -> MarkdownIt:
    """A parser; making one takes 2 ms, and it may be used again and again."""
    made = MarkdownIt("commonmark", {"maxNesting": _NESTING_MAX}, renderer_cls=_Renderer)
    made.enable(["table", "strikethrough"])
    made.options["tasklists"] = True
    made.use(gfm_autolink_plugin)
    made.use(footnote_plugin)
    made.use(
        dollarmath_plugin,
        allow_space=False,
        allow_digits=False,
        allow_labels=False,
        double_inline=True,
        renderer=to_mathml,
    )
    made.add_render_rule("math_inline_double", _display)
    made.use(wikilinks_plugin)
    made.use(callouts_plugin)
    made.use(inlines_plugin)
    return made


def headings_of(tokens: Sequence[Token]) -> list[tuple[int, str, str]]:
    """Level, words and anchor of each heading, in order; the anchors are noted in the tokens."""
    anchors = Anchors()
    found = []
    for token, inline in pairwise(tokens):
        if token.type == "heading_open":
            words = words_of(inline)
            anchor = anchors.of(words)
            token.attrSet("id", anchor)
            found.append((int(token.tag[1]), words, anchor))
    return found


def words_of(token: Token) -> str:
    """What a reader reads of a line."""
    parts = []
    for child in token.children or ():
        if child.type == "wikilink":
            parts.append(child.meta["alias"] or child.content)
        elif child.type in {"text", "code_inline", "math_inline"}:
            parts.append(child.content)
        elif child.type == "image":
            parts.append(words_of(child))
        elif child.type in {"softbreak", "hardbreak"}:
            parts.append(" ")
    return " ".join("".join(parts).split())


def _display(
    renderer: RendererHTML,
    tokens: Sequence[Token],
    idx: int,
    options: OptionsDict,
    env: EnvType,
) -> str:
    """`$$…$$` inside a paragraph: a block to look at, and no element that would end it."""
    del renderer, options, env
    made = to_mathml(tokens[idx].content, {"display_mode": True})
    return f'<span class="math block">{made}</span>'


class _Renderer(RendererHTML):
    """Tokens as HTML."""

    def heading_close(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        """A link to the heading at its end."""
        del options, env
        anchor = html.escape(str(tokens[idx - 2].attrGet("id") or ""))
        return (
            f' <a class="anchor" href="#{anchor}" aria-label="Link to this section">#</a>'
            f"</{tokens[idx].tag}>\n"
        )

    def table_open(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        """A wide table scrolls by itself."""
        del tokens, idx, options, env
        return '<div class="table-scroll"><table>\n'

    def table_close(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        """The end of both."""
        del tokens, idx, options, env
        return "</table></div>\n"

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """A block of code with its language."""
        del options, env
        return code.block(tokens[idx].content, unquote(tokens[idx].info))

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """An image, or whatever else its address shows."""
        del options, env
        token = tokens[idx]
        address = str(token.attrGet("src") or "")
        alt, size = _sized(self.renderInlineAsText(token.children, self.options_of(), {}))
        return _embed("src", address, alt, size, str(token.attrGet("title") or ""))

    @staticmethod
    def options_of() -> Any:  # noqa: ANN401 (an alternative text needs no option)
        """Options where none are looked at."""
        return {}

    def wikilink(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        """A wiki link or embed; which file it is is looked up later."""
        del options, env
        target, alias = tokens[idx].content, str(tokens[idx].meta["alias"])
        if not tokens[idx].meta["embed"]:
            return f'<a data-wiki="{html.escape(target)}">{html.escape(alias or target)}</a>'
        alt, size = _sized(alias)
        return _embed("data-wiki", target, alt, size, "")


def _sized(alt: str) -> tuple[str, tuple[str, str] | None]:
    """An alternative text without the size that it may end with."""
    words, bar, last = alt.rpartition("|")
    size = size_of(last.strip())
    if size is None:
        return alt, None
    return (words.strip() if bar else ""), size


def _embed(attribute: str, address: str, alt: str, size: tuple[str, str] | None, title: str) -> str:
    """What is shown in a page: a picture, a film, a sound, a document, else a link to it."""
    suffix = suffix_of(address)
    where = f'{attribute}="{html.escape(address)}"'
    name = html.escape(alt or unquote(address.rpartition("/")[2]))
    video = youtube_of(address)
    if video is not None:
        return f'<iframe class="player" src="{video}" {_FRAME}{name}"></iframe>'
    if suffix == "pdf":
        return f'<iframe class="document" {where} {_FRAME}{name}"{_measured(size)}></iframe>'
    if suffix in VIDEOS:
        return f'<video controls preload="metadata" {where}{_measured(size)}></video>'
    if suffix in SOUNDS:
        return f'<audio controls preload="metadata" {where}></audio>'
    if suffix in IMAGES or attribute == "src":
        said = f' title="{html.escape(title)}"' if title else ""
        text = html.escape(alt)
        return f'<img {where} alt="{text}" loading="lazy"{said}{_measured(size)}>'
    kind = "unsupported" if suffix and suffix not in {"md", "mdx"} else "transclusion"
    return f'<a class="{kind}" {where}>{html.escape(alt or address)}</a>'


def _measured(size: tuple[str, str] | None) -> str:
    if size is None:
        return ""
    width, height = size
    tall = f' height="{height}" data-fs-height="{height}"' if height else ""
    return f' width="{width}" data-fs-width="{width}"{tall}'
