"""What a route says that it takes and gives, where a schema alone does not say it.

A JSON body or reply is declared by its msgspec type. Everything else has a word here: bytes, text,
forms, JSON of another media type, replies with headers. `server.openapi` makes the document of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Final, TypeAlias

import msgspec


@dataclass(frozen=True)
class Binary:
    """Bytes as they are, such as a file or a Yjs update."""

    _: KW_ONLY
    media: str = "application/octet-stream"
    about: str = ""


@dataclass(frozen=True)
class Text:
    """Text as it is: plain, HTML, CSV, a line protocol."""

    _: KW_ONLY
    media: str = "text/plain"
    about: str = ""


@dataclass(frozen=True)
class Json:
    """JSON under a media type of its own, or with a sentence that its schema does not have."""

    schema: Any
    _: KW_ONLY
    media: str = "application/json"
    about: str = ""


@dataclass(frozen=True)
class Form:
    """A form, its fields as a struct; fields of bytes are files."""

    fields: type[msgspec.Struct]
    _: KW_ONLY
    media: str = "multipart/form-data"
    about: str = ""


Content: TypeAlias = Any
"""A msgspec type, one of the classes above, or None for no body at all. (No narrower hint: unions
and generics of structs are types to msgspec and none to a checker.)"""


@dataclass(frozen=True)
class Reply:
    """A reply with something to say besides its body: media types to choose from, headers."""

    content: Content = None
    _: KW_ONLY
    about: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Header → what it says."""
    also: tuple[Content, ...] = ()
    """The same in other media types."""


class Unsaid:
    """Stands where a declaration was left out; the build fails for such a route."""


UNSAID: Final = Unsaid()


class Problem(msgspec.Struct, kw_only=True):
    """An error where an API has no wording of its own. Some carry further fields."""

    success: bool
    """Always false."""
    error: str
    """One stable word, for programs."""
    message: str
    """One sentence, for people."""
