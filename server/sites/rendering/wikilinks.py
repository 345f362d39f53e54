"""`[[target#heading|alias]]` and `![[target|200x100]]`, as Obsidian writes them.

What is linked is only noted here, as `data-wiki`: which file it is depends on the site, and is
looked up when a page is put together (`vault`, `note`).
"""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline

IMAGES = frozenset(["png", "jpg", "jpeg", "gif", "svg", "webp", "avif", "bmp", "ico", "apng"])
VIDEOS = frozenset(["mp4", "webm", "mov", "mkv", "ogv"])
SOUNDS = frozenset(["mp3", "wav", "ogg", "m4a", "flac", "3gp", "aac", "opus"])
TARGET_MAX = 1000
"""Characters of a link; more than that are text."""

_SIZE = re.compile(r"\A(\d{1,5})(?:x(\d{1,5}))?\Z")
_YOUTUBE_ID = re.compile(r"\A[\w-]{6,20}\Z")
_YOUTUBE_HOSTS = frozenset({"youtube.com", "www.youtube.com", "m.youtube.com", "music.youtube.com"})
_SUFFIX = re.compile(r"\.([A-Za-z0-9]{1,12})\Z")


def wikilinks_plugin(md: MarkdownIt) -> None:
    """Read wiki links before CommonMark's."""
    md.inline.ruler.before("link", "wikilink", _rule)


def _rule(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 (markdown-it's own form)
    source, start = state.src, state.pos
    is_embed = source.startswith("![[", start)
    if not is_embed and not source.startswith("[[", start):
        return False
    begin = start + (3 if is_embed else 2)
    end = source.find("]]", begin, begin + TARGET_MAX)
    if end < 0 or end + 2 > state.posMax:
        return False
    inside = source[begin:end]
    if not inside.strip() or "\n" in inside or "[[" in inside:
        return False
    if not silent:
        target, _, alias = inside.replace("\\|", "|").partition("|")
        token = state.push("wikilink", "", 0)
        token.content = target.strip()
        token.meta = {"alias": alias.strip(), "embed": is_embed}
    state.pos = end + 2
    return True


def suffix_of(path: str) -> str:
    """What a path's last dot begins, in small letters; empty for a note without suffix."""
    found = _SUFFIX.search(path.partition("#")[0].partition("?")[0])
    return found[1].lower() if found else ""


def size_of(text: str) -> tuple[str, str] | None:
    """Width and height of `200` and `200x100`; a height that is not said is empty."""
    found = _SIZE.match(text)
    return (found[1], found[2] or "") if found else None


def youtube_of(url: str) -> str | None:
    """The address that shows a video of YouTube inside a page, if it is one; without cookies."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"}:
            return None
        host, path = (parts.hostname or "").lower(), parts.path
        if host == "youtu.be":
            found = path.strip("/")
        elif host in _YOUTUBE_HOSTS and path == "/watch":
            found = parse_qs(parts.query).get("v", [""])[0]
        elif host in _YOUTUBE_HOSTS and path.startswith(("/embed/", "/shorts/", "/live/")):
            found = path.split("/")[2]
        else:
            return None
    except ValueError:
        return None
    return f"https://www.youtube-nocookie.com/embed/{found}" if _YOUTUBE_ID.match(found) else None
