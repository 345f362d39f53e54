"""Blocks of code, coloured by Pygments; `mermaid` becomes a drawing in the reader's browser."""

from __future__ import annotations

import html
import re

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

COLOURED_MAX = 50_000
"""Characters of a block that are coloured; a longer one is shown plain."""
_NAME = re.compile(r"[^\w+#.-]")
_FORMATTER: HtmlFormatter[str] = HtmlFormatter(nowrap=True)


def block(source: str, info: str) -> str:
    """A block of code as HTML."""
    words = info.split()
    language = _NAME.sub("", words[0].lower())[:40] if words else ""
    if language == "mermaid":
        return f'<pre class="mermaid">{html.escape(source)}</pre>\n'
    shown = f' class="language-{html.escape(language)}"' if language else ""
    return f"<pre><code{shown}>{_coloured(source, language)}</code></pre>\n"


def _coloured(source: str, language: str) -> str:
    if not language or len(source) > COLOURED_MAX:
        return html.escape(source)
    try:
        lexer = get_lexer_by_name(language, stripnl=False)
    except ClassNotFound:
        return html.escape(source)
    return str(highlight(source, lexer, _FORMATTER))
