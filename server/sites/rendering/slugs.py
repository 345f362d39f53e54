"""From a file's path to the address of its page, and from a heading to its anchor.

A page's slug is its path without `.md`, a last `README` or `index` dropped, case kept. In an
address a space is `+`; both `+` and `%20` are understood in return.
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote, unquote

NOTES = (".md", ".mdx")
_FOLDED = frozenset({"readme", "index"})
_SAFE = "!$&'()*,;=:@~"
_NOT_IN_ANCHORS = re.compile(r"[^\w\- ]", re.UNICODE)
_NUMBERS = re.compile(r"(\d+)")


def is_note(path: str) -> bool:
    """Whether a file is Markdown, so has a page."""
    return path.lower().endswith(NOTES)


def without_suffix(path: str) -> str:
    """A note's path without `.md` or `.mdx`; another file's path as it is."""
    lower = path.lower()
    for suffix in NOTES:
        if lower.endswith(suffix):
            return path[: -len(suffix)]
    return path


def slug_of(path: str) -> str:
    """Where the page of a note is, below the site; the root is the empty text."""
    stem = without_suffix(path)
    folder, _, name = stem.rpartition("/")
    return folder if name.lower() in _FOLDED else stem


def is_folded(path: str) -> bool:
    """Whether a note stands for its folder."""
    return without_suffix(path).rpartition("/")[2].lower() in _FOLDED


def encode(path: str) -> str:
    """A slug or path as part of an address."""
    return "/".join(quote(part, safe=_SAFE).replace("%20", "+") for part in path.split("/"))


def decodings(raw: str) -> list[str]:
    """What a requested path may mean, the likelier first; none where it is no UTF-8."""
    try:
        plain = unquote(raw, errors="strict")
        spaced = unquote(raw.replace("+", " "), errors="strict")
    except UnicodeDecodeError:
        return []
    return [spaced] if spaced == plain else [spaced, plain]


def anchor_of(heading: str) -> str:
    """A heading as an anchor, the way GitHub makes them."""
    text = unicodedata.normalize("NFC", heading).strip().lower()
    return _NOT_IN_ANCHORS.sub("", text).replace(" ", "-")


class Anchors:
    """The anchors of one page: of headings that are alike, later ones get a number."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def of(self, heading: str) -> str:
        """The anchor of the next heading."""
        anchor = stem = anchor_of(heading) or "section"
        while anchor in self._seen:
            self._seen[stem] += 1
            anchor = f"{stem}-{self._seen[stem]}"
        self._seen[anchor] = 0
        return anchor


def natural(text: str) -> list[tuple[int, int, str]]:
    """A key that puts `2` before `10`, and does not look at case."""
    return [
        (0, int(part), "") if part.isdecimal() and len(part) < 20 else (1, 0, part)
        for part in _NUMBERS.split(text.lower())
        if part
    ]
