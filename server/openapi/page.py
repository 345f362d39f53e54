"""The page to read the document on: a list of routes, a search box, everything about each route.

It is made on the server, runs no script and asks nobody else for anything. Each route folds open;
what is looked for stands open.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from typing import Any

import msgspec
from markupsafe import Markup

from server.openapi.examples import Examples
from server.openapi.operation import Operation, article
from server.openapi.wording import breakable, prose

OPEN_MAX = 6
"""Routes found that stand open at once."""


class Found(msgspec.Struct, kw_only=True):
    """The query of the page."""

    q: str = ""
    """Words to look for in methods, paths and descriptions."""


class Page:
    """The page of one document. Each route is written once, so that a request costs a joining."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._operations = list(_operations(document))
        examples = Examples(document["components"]["schemas"])
        url = document["servers"][0]["url"]
        self._articles = {one.id: article(one, examples, url) for one in self._operations}
        self._searched = {one.id: one.searched for one in self._operations}

    def parts(self, found: Found) -> dict[str, Any]:
        """What the template of the page takes, with the routes that have every word asked for."""
        document, words = self._document, found.q.casefold().split()
        shown = [
            one for one in self._operations if all(word in self._searched[one.id] for word in words)
        ]
        is_open = bool(words) and len(shown) <= OPEN_MAX
        main = ""
        for tag in _tags(shown):
            of_tag = [one for one in shown if one.tag == tag]
            articles = self._under_headings(of_tag, is_open=is_open)
            main += f'<section id="{_anchor(tag)}">{_heading(document, tag)}{articles}</section>'
        made = {
            "about": prose(document["info"]["description"]),
            "count": _count(len(shown), len(self._operations), found.q),
            "routes": _navigation(shown),
            "found": main or "<p>No route has all of these words.</p>",
            "ways": _ways(document),
        }
        # HTML by now: every word of it went through `escape`.
        marked = {name: Markup(text) for name, text in made.items()}  # noqa: S704
        return {"version": document["info"]["version"], "query": found.q, **marked}

    def _under_headings(self, shown: list[Operation], *, is_open: bool) -> str:
        """The routes of one API under their headings."""
        made = ""
        heading: str | None = None
        for one in shown:
            if one.section != heading:
                heading = one.section
                made += f"<h3>{escape(heading or 'Routes')}</h3>"
            folded = self._articles[one.id]
            made += folded.replace("<details ", "<details open ", 1) if is_open else folded
        return made


def _operations(document: dict[str, Any]) -> Iterator[Operation]:
    for path, item in document["paths"].items():
        for method, said in item.items():
            yield Operation(method=method.upper(), path=path, said=said)


def _tags(shown: list[Operation]) -> list[str]:
    return list(dict.fromkeys(one.tag for one in shown))


def _count(shown: int, total: int, query: str) -> str:
    if not query:
        return f"{total} routes"
    return f'{shown} of {total} routes · <a href="/docs">all of them</a>'


def _navigation(shown: list[Operation]) -> str:
    made = ""
    for tag in _tags(shown):
        made += f'<h2><a href="#{_anchor(tag)}">{escape(tag)}</a></h2><ul>'
        for one in shown:
            if one.tag == tag:
                made += (
                    f'<li><a href="#{one.id}"><b class="{one.method.lower()}">{one.method}</b> '
                    f"<code>{breakable(one.path)}</code></a></li>"
                )
        made += "</ul>"
    return made


def _anchor(tag: str) -> str:
    return "api-" + re.sub(r"[^a-z0-9]+", "-", tag.casefold())


def _heading(document: dict[str, Any], tag: str) -> str:
    about = next(each["description"] for each in document["tags"] if each["name"] == tag)
    return f"<h2>{escape(tag)}</h2>{prose(about)}"


def _ways(document: dict[str, Any]) -> str:
    """What the security schemes are."""
    made = ""
    for name, scheme in document["components"]["securitySchemes"].items():
        made += f"<dt><code>{escape(name)}</code></dt><dd>{prose(scheme['description'])}</dd>"
    return made
