"""What the rest of a site needs to know of a note: read in one pass over its lines, not rendered.

That takes a tenth of the time that rendering takes, so a site of thousands of notes knows its
titles, backlinks and words soon after they came in.
"""

from __future__ import annotations

import html
import re

import msgspec

from server.sites.rendering import frontmatter
from server.sites.rendering.frontmatter import BadFrontMatter, Front
from server.sites.rendering.note import Link, path_link, wiki_link
from server.sites.rendering.wikilinks import IMAGES, suffix_of

TEXT_MAX = 4000
"""Characters of a note that are searched."""
LINKS_MAX = 2000
"""Links of a note that are known as backlinks."""
_DESCRIPTION_MAX = 200

_FENCE = re.compile(r"\A {0,3}(?:> ?)*(`{3,}|~{3,})")
_CODE = re.compile(r"(`+)(?!`).{0,1000}?(?<!`)\1(?!`)")
_LINK = re.compile(
    r"(!?)\[\[([^\[\]\n]{1,1000})\]\]|(!?)\[([^\[\]\n]{0,1000})\]\(<?([^()<>\s]{1,1000})>?"
    r"(?:[ \t]+[^()\n]{0,300})?\)"
)
_SCHEME = re.compile(r"\A(?:[a-z][a-z0-9+.-]*:|//)", re.IGNORECASE)
_HEADING = re.compile(r"\A\s*#[ \t]+(.+?)[ \t]*#*[ \t]*(?:\n|\Z)")
_MARKUP = re.compile(
    r"^ {0,3}(?:#{1,6} |>+ ?(?:\[![\w-]+\][+-]?)?|[-*+] (?:\[.\] )?|\d+[.)] )|<[^<>\n]{1,300}>"
    r"|[*_~=]{1,3}|\$\$|\[\^[^\]\n]{1,50}\]:?|^[-|: ]+$",
    re.MULTILINE,
)


class Facts(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of one note."""

    front: Front = Front()
    error: str | None = None
    """What is wrong with its front matter."""
    heading: str | None = None
    links: tuple[Link, ...] = ()
    text: str = ""
    """Its first words, without markup."""
    picture: str | None = None
    """The first picture that it shows: an address, or a link's target."""


def examine(path: str, text: str) -> Facts:
    """Read a note. Takes about 30 us for each kB."""
    source, body = frontmatter.split(text)
    error = None
    try:
        front = frontmatter.parse(source)
    except BadFrontMatter as bad:
        front, error = Front(), str(bad)
    prose = _without_comments(_CODE.sub(" ", _without_fences(body)))
    links: dict[Link, None] = {}
    picture: list[str] = []

    def note(found: re.Match[str]) -> str:
        link, address, words = _read(path, found)
        if link is not None and len(links) < LINKS_MAX:
            links[link] = None
        is_embed = bool(found[1] or found[3])
        if is_embed and not picture and suffix_of(address) in IMAGES:
            picture.append(address if link is None or link.is_wiki else link.target)
        return "" if is_embed else words

    words = _LINK.sub(note, prose)
    heading = _HEADING.match(words)
    return Facts(
        front=front,
        error=error,
        heading=_plain(heading[1]) or None if heading else None,
        links=tuple(links),
        text=_plain(words[heading.end() if heading else 0 :][: TEXT_MAX * 2])[:TEXT_MAX],
        picture=picture[0] if picture else None,
    )


def description_of(facts: Facts) -> str:
    """What a note is about, in a sentence or two."""
    if facts.front.description:
        return facts.front.description
    if len(facts.text) <= _DESCRIPTION_MAX:
        return facts.text
    return facts.text[:_DESCRIPTION_MAX].rpartition(" ")[0] + "…"


def _without_fences(body: str) -> str:
    kept = []
    fence = ""
    for line in body.splitlines():
        mark = _FENCE.match(line)
        if fence:
            if mark and mark[1].startswith(fence) and not line[mark.end() :].strip():
                fence = ""
        elif mark:
            fence = mark[1]
        else:
            kept.append(line)
    return "\n".join(kept)


def _without_comments(text: str) -> str:
    for opening, closing in (("%%", "%%"), ("<!--", "-->")):
        kept, at = [], 0
        while (start := text.find(opening, at)) >= 0:
            end = text.find(closing, start + len(opening))
            if end < 0:
                break
            kept.append(text[at:start])
            at = end + len(closing)
        text = "".join([*kept, text[at:]])
    return text


def _read(path: str, found: re.Match[str]) -> tuple[Link | None, str, str]:
    """A link into the site, if it is one; its address as written; the words shown for it."""
    if found[2] is not None:
        target, _, alias = found[2].replace("\\|", "|").partition("|")
        return wiki_link(target), target.strip(), alias or target
    address = html.unescape(found[5])
    if _SCHEME.match(address) or address.startswith("#"):
        return None, address, found[4]
    return path_link(path, address), address, found[4]


def _plain(text: str) -> str:
    return " ".join(html.unescape(_MARKUP.sub("", text)).split())
