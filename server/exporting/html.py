"""Markdown as HTML that is safe to show, and as a page that stands for itself."""

from __future__ import annotations

import html
from collections.abc import Callable

import nh3

from server.exporting.trees import parser

_TAGS = {
    "a", "abbr", "b", "blockquote", "br", "code", "dd", "del", "details", "div", "dl", "dt", "em",
    "figcaption", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "input", "ins",
    "kbd", "li", "mark", "ol", "p", "pre", "s", "small", "span", "strong", "sub", "summary", "sup",
    "table", "tbody", "td", "th", "thead", "tr", "u", "ul",
}  # fmt: skip
_ATTRIBUTES = {
    "a": {"href", "title"},
    "img": {"src", "alt", "title"},
    "input": {"type", "checked", "disabled", "class"},
    "li": {"class"},
    "ul": {"class"},
    "ol": {"start"},
    "code": {"class"},
    "td": {"align"},
    "th": {"align"},
}
_SCHEMES = {"http", "https", "mailto", "tel", "data"}


def fragment(markdown: str, picture: Callable[[str], str] | None = None) -> str:
    """The HTML of a text; `picture` gives the address that an image is shown under."""
    made = parser().render(markdown)

    def allow(tag: str, attribute: str, value: str) -> str | None:
        if attribute == "src":
            shown = picture(value) if picture else value
            return (
                None if shown.startswith("data:") and not shown.startswith("data:image/") else shown
            )
        if value.startswith("data:"):
            return None
        if tag == "input" and attribute == "type":
            return "checkbox"
        return value

    return nh3.clean(
        made,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=allow,
        url_schemes=_SCHEMES,
        set_tag_attribute_values={"input": {"type": "checkbox", "disabled": ""}},
        link_rel="noopener noreferrer",
    )


def page(title: str, markdown: str, picture: Callable[[str], str] | None = None) -> str:
    """A whole page that needs nothing else: style inside, no script."""
    shown = html.escape(title or "Untitled")
    heading = f"<h1>{shown}</h1>" if title else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{shown}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"{heading}\n{fragment(markdown, picture)}\n</body>\n</html>\n"
    )


_STYLE = """
:root { color-scheme: light dark; }
body { max-width: 42rem; margin: 3rem auto; padding: 0 1rem;
  font: 1.1rem/1.65 "Iowan Old Style", Palatino, Charter, Georgia, serif; }
h1, h2, h3 { line-height: 1.2; }
pre, code { font: 0.92em/1.5 ui-monospace, Menlo, Consolas, monospace; }
pre { padding: 0.8rem 1rem; border: 1px solid color-mix(in srgb, currentcolor 25%, transparent);
  border-radius: 8px; overflow-x: auto; }
blockquote { margin: 1em 0; padding-left: 1em; border-left: 3px solid #1f6f66; opacity: 0.85; }
img { max-width: 100%; }
table { border-collapse: collapse; }
th, td { border: 1px solid color-mix(in srgb, currentcolor 30%, transparent);
  padding: 0.3em 0.6em; text-align: start; }
ul.contains-task-list { list-style: none; padding-left: 0.5em; }
hr { border: 0; border-top: 1px solid; margin: 2em 25%; opacity: 0.4; }
"""
