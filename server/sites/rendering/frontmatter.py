"""The YAML between two lines of `---` at the start of a note: read, checked, never run.

Everything in it is optional, and of a wrong type it counts as not said; only YAML that cannot be
read at all is an error, because then nobody can tell what was meant.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any

import msgspec
import yaml

BYTES_MAX = 64 * 1024
"""Characters of front matter; more of it is an error."""
_LIST_MAX = 100
_TEXT_MAX = 2000
_OPENINGS_MAX = 1000
_DEEP = re.compile(r"(?:[-?:] +){100}")
_FENCE = re.compile(
    r"\A\ufeff?---[ \t]*\r?\n(.*?)(?:^|\r?\n)---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE
)


class BadFrontMatter(ValueError):
    """Front matter that is no YAML, or no mapping; says where."""


class Front(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a note says about itself."""

    title: str | None = None
    description: str | None = None
    date: str | None = None
    """In ISO form where it is a date, else as it was written."""
    authors: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    image: str | None = None
    permalink: str | None = None
    """Without slashes at its ends."""
    publish: bool = True
    syntax: str | None = None
    layout: str | None = None
    toc: bool | None = None
    sidebar: bool | None = None
    hero: bool | None = None
    cta: tuple[tuple[str, str], ...] = ()
    """Buttons of a hero: label and address."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Plain values only; libyaml's parser where it is there, which is ten times as fast."""

    def flatten_mapping(self, node: object) -> None:
        """Merges (`<<`) are not followed: a page of them can stand for gigabytes."""


def split(text: str) -> tuple[str, str]:
    """The front matter, empty where there is none, and what follows it."""
    found = _FENCE.match(text)
    return (found[1], text[found.end() :]) if found else ("", text.removeprefix("\ufeff"))


def parse(source: str) -> Front:
    """What front matter says. Raises BadFrontMatter."""
    if not source.strip():
        return Front()
    if len(source) > BYTES_MAX:
        raise BadFrontMatter(f"it is longer than {BYTES_MAX} characters")
    if source.count("[") + source.count("{") > _OPENINGS_MAX or _DEEP.search(source):
        raise BadFrontMatter("it is nested too deeply")  # libyaml has a stack, and no bound.
    try:
        value = yaml.load(source, Loader=_Loader)  # noqa: S506 (made from SafeLoader)
    except yaml.YAMLError as error:
        raise BadFrontMatter(_sentence(error)) from error
    except (ValueError, TypeError, OverflowError, RecursionError, AttributeError) as error:
        raise BadFrontMatter(str(error) or "it is nested too deeply") from error
    if value is None:
        return Front()
    if not isinstance(value, dict):
        raise BadFrontMatter("it must be fields with values")
    return _front(value)


def _front(value: dict[Any, Any]) -> Front:
    return Front(
        title=_text(value.get("title")),
        description=_text(value.get("description")),
        date=_date(value.get("date")),
        authors=_texts(value.get("authors", value.get("author"))),
        tags=_texts(value.get("tags")),
        image=_text(value.get("image")),
        permalink=(_text(value.get("permalink")) or "").strip("/ ") or None,
        publish=value.get("publish") is not False,
        syntax=_text(value.get("syntaxMode")),
        layout=_text(value.get("layout")),
        toc=_flag(value.get("showToc")),
        sidebar=_flag(value.get("showSidebar")),
        hero=_flag(value.get("showHero")),
        cta=_buttons(value.get("cta")),
    )


def _sentence(error: yaml.YAMLError) -> str:
    """YAML's own words, on one line and with the line in the note."""
    mark = getattr(error, "problem_mark", None)
    problem = str(getattr(error, "problem", None) or getattr(error, "reason", None) or error)
    where = f" (line {mark.line + 2}, column {mark.column + 1})" if mark else ""
    return " ".join(problem.split())[:300] + where


def _text(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float | date):
        return None
    return " ".join(str(value).split())[:_TEXT_MAX] or None


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list):
        value = [value]
    return tuple(text for each in value[:_LIST_MAX] if (text := _text(each)))


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _date(value: object) -> str | None:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    text = _text(value)
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).isoformat() if len(text) > 10 else _day(text)
    except ValueError:
        return text[:100]


def _day(text: str) -> str:
    return date.fromisoformat(text).isoformat()


def _buttons(value: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, list):
        return ()
    return tuple(
        (label, href)
        for each in value[:_LIST_MAX]
        if isinstance(each, dict)
        and (label := _text(each.get("label")))
        and (href := _text(each.get("href")))
    )
