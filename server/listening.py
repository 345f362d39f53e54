"""Who listens to which workspace, and what is known of it meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from server.telling import Sides

if TYPE_CHECKING:
    from auth.principal import Principal, Role


class Reader(Protocol):
    """Who is told: one document's session on a socket."""

    @property
    def principal(self) -> Principal:
        """Who is asking, by the newest token."""

    @property
    def is_ready(self) -> bool:
        """Whether it can take notices now, or is slow."""

    def tell(self, text: str) -> None:
        """Send one notice."""


class Subscription:
    """One reader of one workspace."""

    __slots__ = ("marker", "reader", "unwatch")

    def __init__(self, reader: Reader, marker: int) -> None:
        self.reader = reader
        self.marker = marker
        """The stamp up to which it was told."""
        self.unwatch: Callable[[], None] | None = None


class Place:
    """A workspace that somebody listens to."""

    def __init__(self, scope: str, members: dict[str, Role]) -> None:
        self.scope = scope
        self.members = members
        """As they were when that was last looked at."""
        self.subscriptions: dict[Reader, Subscription] = {}
        self.stirred = asyncio.Event()
        self.is_written = False
        """Something was committed here since it was last settled."""
        self.is_moved = False
        """A right may have changed."""
        self.seen = 0
        """The latest stamp that anybody here was told."""
        self.sides = Sides()

    def wrote(self) -> None:
        """Something in it was committed."""
        self.is_written = True
        self.stirred.set()

    def moved(self) -> None:
        """A right in it, or of somebody who listens, may have changed."""
        self.is_moved = True
        self.stirred.set()
