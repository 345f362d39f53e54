"""What a helper is asked and what it answers.

A request goes over a stream socket as four bytes of length and JSON, with the open file beside it
(SCM_RIGHTS); the answer as two lengths, JSON and the picture. A helper never opens anything itself.
"""

from __future__ import annotations

import re
from typing import Any, Final, Literal

import msgspec

from server.media.exif import Position

SIZES: Final = {"small": 256, "medium": 512, "large": 1280}
"""Pixels of the longer side at most; a smaller original is never blown up."""
ANIMATED_SIZES: Final = {"small": 160, "medium": 320, "large": 480}
PICTURE: Final = "image/webp"
"""What every picture made here is."""

STILL_AT: Final = "10%"
"""Where a picture of a video is taken when nobody says: its first frame is often black."""
_POSITION: Final = re.compile(r"([0-9]{1,7}(?:\.[0-9]{1,6})?)(%|s)?")

Task = Literal["still", "animated", "describe", "check"]

Refusal = Literal["unsupported", "missing", "broken", "too_large"]
"""No pictures of this kind; none with what is installed; it cannot be read; it is over a bound."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one piece of work may take."""

    pixels_max: int
    frames_max: int
    svg_bytes_max: int
    cpu_s: int
    output_bytes_max: int


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of work on one file."""

    task: Task
    limits: Limits
    pixels: int = 0
    """The longer side of the picture to be made."""
    position: str = ""
    """Of a video: seconds, or `N%`."""
    name: str = ""
    """Of the file; it only tells kinds of text apart."""


class Facts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a file says of itself."""

    mime: str
    family: str
    width: int | None = None
    """As it is to be seen: turned the way its orientation says."""
    height: int | None = None
    duration: float | None = None
    """Seconds."""
    pages: int | None = None
    exif: dict[str, Any] = {}
    position: Position | None = None
    """Where it was taken: only for those who may edit its workspace."""
    has_audio: bool | None = None
    codec: str | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a job; the picture's bytes come after it."""

    refused: Refusal | None = None
    reason: str = ""
    mime: str = ""
    width: int = 0
    height: int = 0
    facts: Facts | None = None


class Refused(Exception):
    """This file gets no picture, or says nothing of itself."""

    _CODES: Final = {
        "unsupported": (415, "unsupported_media"),
        "missing": (501, "media_support_missing"),
        "broken": (415, "media_broken"),
        "too_large": (415, "media_too_large"),
    }

    def __init__(self, refused: Refusal, reason: str) -> None:
        super().__init__(reason)
        self.refused: Refusal = refused
        self.reason = reason
        self.status, self.code = self._CODES[refused]


def seconds_of(position: str, duration: float | None) -> float:
    """A position, seconds or `N%`, as seconds from the start. Raises Refused for other words."""
    found = _POSITION.fullmatch(position or STILL_AT)
    if found is None or (found[2] == "%" and float(found[1]) > 100):
        raise Refused("unsupported", "a position is seconds or N%")
    value = float(found[1])
    if found[2] == "%":
        value = value / 100 * (duration or 0.0)
    # Behind the end the last frame is meant.
    return min(value, max(0.0, duration - 0.05)) if duration else value
