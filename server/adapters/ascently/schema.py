"""Request and reply bodies, field for field as the page spells them.

Items are opaque: what the server looks at is read in `mapping`, all the rest comes back as it was.
"""

from __future__ import annotations

from msgspec import Raw, Struct

Items = list[Raw] | None


class Health(Struct, frozen=True):
    """Reply of GET /health."""

    status: str
    version: str


class Done(Struct, frozen=True):
    """Reply of what needs no other."""

    status: str = "ok"


class Changes(Struct, frozen=True):
    """What is synced, whole or in part; a list that is missing is empty."""

    gyms: Items = None
    problems: Items = None
    sessions: Items = None
    """Those whose status is `active` are not taken."""
    attempts: Items = None
    deletedItems: Items = None  # noqa: N815  (as the page spells it)
    """Tombstones: id, type and deletedAt."""


class Dataset(Changes, frozen=True):
    """GET and POST /sync; further keys are kept and come back."""

    exportedAt: str | None = None  # noqa: N815
    version: str | None = None
    formatVersion: str | None = None  # noqa: N815


class Delta(Changes, frozen=True):
    """POST /sync/delta."""

    lastSyncTime: str | None = None  # noqa: N815
    """The serverTime of the last answer; nothing: from the beginning."""


class Changed(Struct, frozen=True):
    """Its answer: what is later than lastSyncTime, or came here after it."""

    serverTime: str  # noqa: N815
    """The lastSyncTime of the next delta; each is later than all before it."""
    gyms: list[Raw]
    problems: list[Raw]
    sessions: list[Raw]
    attempts: list[Raw]
    deletedItems: list[Raw]  # noqa: N815


class ImageQuery(Struct, frozen=True):
    """Query of both image routes."""

    filename: str = ""
    """A bare name, such as `problem_abc123_0.jpg`."""
