"""What rounds of any folder have in common: what they tell, why they are refused, their batches."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

import msgspec

T = TypeVar("T")


class Busy(Exception):
    """Another process keeps this folder in step."""


class TooManyGone(Exception):
    """Most files are missing: the folder may not be the one that it was."""


class Told(msgspec.Struct):
    """What a round did, for people."""

    lines: list[str] = msgspec.field(default_factory=list)
    """Each a file and what became of it."""
    problems: list[str] = msgspec.field(default_factory=list)


def parts(things: Iterable[T], size: int) -> Iterator[list[T]]:
    """Things in lists of so many, the last one shorter."""
    part: list[T] = []
    for thing in things:
        part.append(thing)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part
