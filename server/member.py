"""A session as the shell knows it: where its frames go and how it is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crdt.extending import mypyc_attr
from crdt.session import Session

if TYPE_CHECKING:
    from server.live import LiveRoom
    from server.outbox import Outbox


@mypyc_attr(allow_interpreted_subclasses=True)
class Member(Session):
    """A session as the shell knows it: where its frames go and how it is answered."""

    __slots__ = ("device", "live", "outbox", "prefix")

    def __init__(
        self,
        account: str,
        *,
        can_write: bool,
        greets: bool,
        outbox: Outbox | None,
        prefix: bytes = b"",
        device: str | None = None,
    ) -> None:
        super().__init__(account, can_write=can_write, greets=greets)
        self.outbox = outbox
        """None for a caller that is no connection (REST)."""
        self.prefix = prefix
        """Address that stands before every message to this session (Hocuspocus), or nothing."""
        self.device = device
        self.live: LiveRoom | None = None

    def acknowledged(self, body: bytes, *, ok: bool) -> None:
        """The message `body` is durable, or refused."""
        raise NotImplementedError

    def refused(self, reason: str) -> None:
        """The peer did what it may not."""
        raise NotImplementedError

    def dismissed(self, reason: str) -> None:
        """The room is over: deleted, rebuilt, unloadable, or the right was taken away."""
        raise NotImplementedError

    def hold(self, cause: object, *, on: bool) -> None:
        """Stop (or go on) reading from the peer, because `cause` cannot keep up."""

    def rights_changed(self, *, can_write: bool) -> None:
        """What the peer may do has changed while it is here."""
        self.can_write = can_write

    def ask_token(self) -> None:
        """The peer's token ends soon; dialects that can, ask for a new one."""
