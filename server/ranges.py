"""Conditions and ranges of a request for bytes, as RFC 9110 (13 and 14) has them. Pure.

One range is answered with 206. Several are answered with the whole, which the RFC allows and which
spares us the known attacks with many small or overlapping ones.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import NamedTuple

HEADER_LETTERS_MAX = 4096
"""A longer Range or list of tags is as if it were not there."""

_RANGES = re.compile(r"bytes=[ \t]*(.*)", re.IGNORECASE | re.DOTALL)
_ONE = re.compile(r"(\d*)-(\d*)", re.ASCII)
_DIGITS_MAX = 18
_TAG = re.compile(r'[ \t]*((?:W/)?"[^"\x00-\x20\x7f]*")[ \t]*(?:,|$)')


class Verdict(Enum):
    """What to answer."""

    WHOLE = 200
    PART = 206
    NOT_MODIFIED = 304
    FAILED = 412
    UNSATISFIABLE = 416


class Answer(NamedTuple):
    """What to answer, and which bytes: from `start` up to `end`."""

    verdict: Verdict
    start: int
    end: int


class Thing(NamedTuple):
    """What is asked for."""

    size: int
    etag: str
    """A strong one, in its quotes."""
    modified: datetime


def judge(headers: Mapping[str, str], thing: Thing, *, is_get: bool = True) -> Answer:
    """What a GET (or HEAD) with these headers gets. Header names are looked up without case."""
    verdict = _conditions(headers, thing)
    if verdict is not Verdict.WHOLE:
        return Answer(verdict, 0, 0)
    whole = Answer(Verdict.WHOLE, 0, thing.size)
    asked = headers.get("Range")
    if not is_get or asked is None or not _if_range(headers.get("If-Range"), thing):
        return whole
    found = ranges(asked, thing.size)
    if found is None:
        return whole
    if not found:
        return Answer(Verdict.UNSATISFIABLE, 0, 0)
    return Answer(Verdict.PART, *found[0]) if len(found) == 1 else whole


def ranges(text: str, size: int) -> list[tuple[int, int]] | None:
    """The ranges of a header that lie in `size` bytes; None for what is no such header."""
    match = _RANGES.fullmatch(text.strip(" \t"))
    if match is None or len(text) > HEADER_LETTERS_MAX:
        return None
    found = []
    for part in match[1].split(","):
        one = _ONE.fullmatch(part.strip(" \t"))
        if one is None or part.strip(" \t") == "-":
            return None
        first, last = (_number(digits) for digits in one.groups())
        if first is not None and last is not None and last < first:
            return None
        if first is None:
            assert last is not None
            first, last = max(0, size - last), size - 1 if last else -1
        end = size if last is None else min(last + 1, size)
        if first < end:
            found.append((first, end))
    return found


def _number(digits: str) -> int | None:
    if not digits:
        return None
    return int(digits) if len(digits) <= _DIGITS_MAX else 10**_DIGITS_MAX


def _conditions(headers: Mapping[str, str], thing: Thing) -> Verdict:
    """RFC 9110, 13.2.2, without the steps for Range."""
    match, since = headers.get("If-Match"), headers.get("If-Unmodified-Since")
    if match is not None:
        if not _has_tag(match, thing.etag, weak=False):
            return Verdict.FAILED
    elif since is not None and (at := _moment(since)) is not None and _second(thing) > at:
        return Verdict.FAILED
    none, since = headers.get("If-None-Match"), headers.get("If-Modified-Since")
    if none is not None:
        if _has_tag(none, thing.etag, weak=True):
            return Verdict.NOT_MODIFIED
    elif since is not None and (at := _moment(since)) is not None and _second(thing) <= at:
        return Verdict.NOT_MODIFIED
    return Verdict.WHOLE


def _has_tag(text: str, etag: str, *, weak: bool) -> bool:
    text = text.strip(" \t")
    if text == "*":
        return True
    if len(text) > HEADER_LETTERS_MAX:
        return False
    tags = _TAG.findall(text)
    return etag in ([tag.removeprefix("W/") for tag in tags] if weak else tags)


def _if_range(text: str | None, thing: Thing) -> bool:
    """Whether the range counts: a strong tag that is ours, or our very date."""
    if text is None:
        return True
    text = text.strip(" \t")
    if text.startswith(('"', "W/")):
        return text == thing.etag
    at = _moment(text)
    return at is not None and at == _second(thing)


def _second(thing: Thing) -> datetime:
    """When it was modified, as precisely as a header says it."""
    return thing.modified.astimezone(UTC).replace(microsecond=0)


def _moment(text: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
