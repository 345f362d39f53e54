"""A session: one connection's membership of one room."""

from __future__ import annotations

from crdt.extending import mypyc_attr


@mypyc_attr(allow_interpreted_subclasses=True)
class Session:
    """One connection's membership of one room, as far as the room must know it.

    The shell derives its own class and adds what it needs to reach the peer.
    """

    __slots__ = ("account", "asked", "behind", "can_write", "greets", "incomplete", "left")

    def __init__(self, account: str, *, can_write: bool, greets: bool) -> None:
        self.account = account
        """Whose awareness ids these are; any stable text."""
        self.can_write = can_write
        self.greets = greets
        """The server speaks first (y-websocket, Y-Sweet): step 1 at once, and not again
        after the peer's own step 1 as Hocuspocus does."""
        self.behind: bytes | None = None
        """State vector of what was sent before the outbox ran full; None: up to date."""
        self.asked: list[bool] | None = None
        """For each step 1 of ours that is unanswered: is its step 2 to be acknowledged?"""
        self.incomplete = False
        """Something it sent was refused: not all that it has is stored, from then on."""
        self.left = False
