"""One note as HTML: what can be made of its text alone, whatever else is in the site.

Links into the site are left open: each is a mark in the HTML and an entry in `links`. `fill` puts
the addresses in when a page is put together, so a note is read again only when its own text
changes, and a file that comes, goes or moves costs the pages that link to it a replacement.
"""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Callable
from functools import cache
from posixpath import dirname, normpath
from urllib.parse import unquote

import msgspec
from markdown_it import MarkdownIt
from markdown_it.token import Token

from server.sites.rendering import frontmatter, markdown
from server.sites.rendering.frontmatter import BadFrontMatter, Front
from server.sites.rendering.sanitising import clean
from server.sites.rendering.slugs import anchor_of
from server.sites.rendering.wikilinks import suffix_of


class Link(msgspec.Struct, frozen=True):
    """A link into the site, as it was meant."""

    target: str
    """A name or a part of a path where `is_wiki`, else a path from the root of the site; empty for
    the note itself."""
    anchor: str = ""
    is_wiki: bool = False
    query: str = ""


class Found(msgspec.Struct, frozen=True):
    """What a link leads to."""

    address: str
    is_there: bool = True
    width: int | None = None
    height: int | None = None


class Note(msgspec.Struct, frozen=True):
    """A note, read."""

    front: Front
    error: str | None
    """What is wrong with its front matter."""
    heading: str | None
    """The heading that it begins with, which is its title where the front matter has none."""
    html: str
    key: str
    """What its marks begin with."""
    links: tuple[Link, ...]
    headings: tuple[tuple[int, str, str], ...]
    """Level, words and anchor."""
    has_mermaid: bool = False


_TAG = re.compile(r'<(a|img|video|audio|source|track|iframe|input)((?: [\w:-]+="[^"]*")*)>')
_ATTRIBUTE = re.compile(r' ([\w:-]+)="([^"]*)"')
_SCHEME = re.compile(r"\A(?:[a-z][a-z0-9+.-]*:|//)", re.IGNORECASE)
_FOOTNOTE = re.compile(r"\Afn(?:ref)?[\w-]*(?::\d+)?\Z")
_ADDRESSES = ("href", "src", "poster")


def render(path: str, text: str) -> Note:
    """A note of the site, as HTML. Takes about 2.5 ms for each kB."""
    source, body = frontmatter.split(text)
    error = None
    try:
        front = frontmatter.parse(source)
    except BadFrontMatter as bad:
        front, error = Front(), str(bad)
    parser = _parser()
    env: dict[str, object] = {}
    tokens = parser.parse(body.replace("\0", "\ufffd"), env)
    heading = _heading(tokens)
    if heading is not None and front.title in {None, heading}:
        tokens = tokens[3:]
    headings = markdown.headings_of(tokens)
    made = clean(parser.renderer.render(tokens, parser.options, env))
    marks = _Marks(path, hashlib.blake2b(text.encode(), digest_size=9).hexdigest())
    return Note(
        front=front,
        error=error,
        heading=heading,
        html=_TAG.sub(marks.tag, made),
        key=marks.key,
        links=tuple(marks.links),
        headings=tuple(headings),
        has_mermaid='<pre class="mermaid">' in made,
    )


def fill(note: Note, find: Callable[[Link], Found]) -> str:
    """The HTML with the addresses of what its links lead to."""
    marked = re.compile(rf'(class="([^"]*)" )?(href|src|poster)="{note.key}-(\d+)"( width=)?')

    def put(found: re.Match[str]) -> str:
        link = note.links[int(found[4])]
        where = find(link)
        parts = []
        if found[1]:
            parts.append(f'class="{found[2]}{"" if where.is_there else " new"}"')
        parts.append(f'{found[3]}="{html.escape(where.address)}"')
        if found[5]:
            return " ".join(parts) + found[5]
        if found[3] == "src" and where.width and where.height:
            parts.append(f'width="{where.width}" height="{where.height}"')
        return " ".join(parts)

    return marked.sub(put, note.html)


@cache
def _parser() -> MarkdownIt:
    return markdown.parser()


def _heading(tokens: list[Token]) -> str | None:
    if tokens and tokens[0].type == "heading_open" and tokens[0].tag == "h1":
        return markdown.words_of(tokens[1]) or None
    return None


class _Marks:
    """Gives each address that leads into the site a mark, and what leads out its manners."""

    def __init__(self, path: str, digest: str) -> None:
        self.key = f"plait-{digest}"
        self.links: list[Link] = []
        self._source = path

    def tag(self, found: re.Match[str]) -> str:
        """A start tag of the cleaned HTML, its attributes being quoted and escaped already."""
        name = found[1]
        given = {key: html.unescape(value) for key, value in _ATTRIBUTE.findall(found[2])}
        wiki = given.pop("data-wiki", None)
        if wiki is not None:
            attribute = "href" if name == "a" else "src"
            given = self._internal(given, attribute, wiki_link(wiki))
        else:
            given = self._addresses(name, given)
        if name == "iframe" and given.get("src", "").startswith(self.key):
            # Readers of PDF do not work in a sandbox; other files bring one of their own.
            if suffix_of(self.links[-1].target) == "pdf":
                del given["sandbox"]
            else:
                given["sandbox"] = "allow-scripts allow-popups"
        ordered = sorted(given.items(), key=lambda each: (_PLACES.get(each[0], 0), each[0]))
        return (
            f"<{name}" + "".join(f' {key}="{html.escape(value)}"' for key, value in ordered) + ">"
        )

    def _addresses(self, name: str, given: dict[str, str]) -> dict[str, str]:
        for attribute in _ADDRESSES:
            address = given.get(attribute)
            if address is None:
                continue
            if _SCHEME.match(address.strip()):
                if name == "a" and address.strip().lower().startswith(("http:", "https:", "//")):
                    given.setdefault("target", "_blank")
                    given["rel"] = "noopener noreferrer"
            elif address.startswith("#"):
                given[attribute] = "#" + _anchor(address[1:])
            else:
                given = self._internal(given, attribute, path_link(self._source, address))
        return given

    def _internal(self, given: dict[str, str], attribute: str, link: Link) -> dict[str, str]:
        given[attribute] = f"{self.key}-{len(self.links)}"
        self.links.append(link)
        if attribute != "poster":
            given["class"] = f"{given.get('class', '')} internal".strip()
        return given


_PLACES = {"class": 1, "href": 2, "src": 2, "poster": 2, "width": 3, "height": 4}
"""`fill` finds class, address and width in this order, behind everything else; and the same note is
the same HTML in every process."""


def wiki_link(text: str) -> Link:
    """What stands in a wiki link before its alias."""
    target, _, anchor = text.strip().partition("#")
    return Link(target=target.strip(), anchor=_anchor(anchor), is_wiki=True)


def path_link(source: str, address: str) -> Link:
    """An address as CommonMark has it: from the folder of the note `source`, or from the root."""
    rest, _, anchor = address.partition("#")
    rest, _, query = rest.partition("?")
    target = unquote(rest).replace("\\", "/")
    whole = target if target.startswith("/") else f"{dirname(source)}/{target}"
    known = normpath("/" + whole.lstrip("/")).lstrip("/") if target else ""
    return Link(target=known, anchor=_anchor(anchor), query=query)


def _anchor(text: str) -> str:
    text = unquote(text)
    if _FOOTNOTE.match(text) or text.startswith("page="):
        return text
    return anchor_of(text.rpartition("#")[2])
