"""One document on a Hocuspocus socket: how its session is answered, refused and let go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auth.errors import AuthError
from crdt import wire
from crdt.ids import DocumentName
from server import websocket
from server.errors import Busy, TooManyRequests
from server.member import Member
from server.realtime.asking import Asking
from server.realtime.codes import close_code
from storage.errors import StorageError

if TYPE_CHECKING:
    from auth.principal import Principal
    from server.realtime.hocuspocus import HocuspocusConnection

DENIED = "permission-denied"
_STORED, _REFUSED = (wire.sync_status(ok) for ok in (True, False))
_TRANSIENT = ("load-failed", "overloaded", "internal", "restart")
"""Reasons that pass: the socket is closed, and the provider comes back by itself."""
_ENDING = ("lineage", "deleted")


class HocuspocusMember(Member):
    """One document on a Hocuspocus socket, from its first frame on."""

    __slots__ = (
        "address",
        "asked_token",
        "asking",
        "connection",
        "principal",
        "status_no",
        "status_ok",
        "wants_ping",
    )

    def __init__(
        self,
        connection: HocuspocusConnection,
        principal: Principal,
        address: str,
        prefix: bytes,
        *,
        can_write: bool,
    ) -> None:
        super().__init__(
            principal.account,
            can_write=can_write,
            greets=False,
            outbox=connection.outbox,
            prefix=prefix,
            device=principal.device,
        )
        self.connection = connection
        self.principal = principal
        self.address = address
        self.asked_token = False
        self.asking: Asking | None = None
        """What it asks of the notices; None until it does."""
        self.wants_ping = False
        self.status_ok = websocket.encode(prefix + _STORED)
        self.status_no = websocket.encode(prefix + _REFUSED)

    def acknowledged(self, body: bytes, *, ok: bool) -> None:
        """One SyncStatus, after the commit."""
        del body
        connection = self.connection
        frame = self.status_ok if ok else self.status_no
        connection.realtime.turns.answer(connection.outbox, frame)

    def refused(self, reason: str) -> None:
        """The status says no already; a peer that keeps sending such things is cut off."""
        connection = self.connection
        if reason in _ENDING:
            connection.deny(self.prefix, reason)
        elif reason.startswith("vector-") or (reason != "read-only" and connection.count_refusal()):
            # A step 1 has no status: without an end its provider would wait for ever.
            connection.close(close_code(reason), reason)

    def dismissed(self, reason: str) -> None:
        """The room is over: this document is denied, or for a passing fault the socket closed."""
        if reason in _TRANSIENT:
            self.connection.close(close_code(reason), reason)
        else:
            self.connection.deny(self.prefix, reason)

    def hold(self, cause: object, *, on: bool) -> None:
        """Stop or go on reading from the socket."""
        self.connection.hold(cause, on=on)

    def rights_changed(self, *, can_write: bool) -> None:
        """Tell the provider its new scope."""
        if can_write != self.can_write:
            self.can_write = can_write
            self.say_scope()

    def say_scope(self) -> None:
        """Tell the provider that it is let in, and whether it may write."""
        scope = "read-write" if self.can_write else "readonly"
        frame = websocket.encode(self.prefix + wire.authenticated(scope))
        self.connection.realtime.turns.queue(self.connection.outbox, frame)

    async def renew(self, token: str) -> None:
        """A token for a document that is open: the same person's newer one, or the end of it."""
        connection = self.connection
        realtime = connection.realtime
        try:
            name = DocumentName.parse(self.address.split("\0", 1)[0], connection.workspace)
            principal, _, _ = await realtime.entrance.enter(name, token, create=False)
            if not connection.has(self):
                return
            if principal.account != self.account:
                connection.deny(self.prefix, DENIED)
                return
            self.asked_token = False
            self.principal = principal
            await realtime.documents.renew(self, principal)
        except (AuthError, TooManyRequests) as error:
            realtime.metrics.refuse(getattr(error, "reason", "unauthorized"))
            if connection.has(self):
                connection.deny(self.prefix, DENIED)
        except (StorageError, Busy):
            return

    # -- notices ------------------------------------------------------------------------

    @property
    def is_ready(self) -> bool:
        """Whether notices may be queued: not for a reader that is slow."""
        return not self.connection.outbox.blocked

    def tell(self, text: str) -> None:
        """Send a stateless message."""
        connection = self.connection
        if not connection.closing:
            frame = websocket.encode(self.prefix + wire.stateless(text))
            connection.realtime.turns.queue(connection.outbox, frame)

    def said(self, text: str) -> None:
        """A stateless message came: it may ask for notices of a workspace, or for no more."""
        notices = self.connection.realtime.notices
        if notices is None:
            return
        if self.asking is None:
            self.asking = Asking(notices, self)
        self.asking.said(text)

    def gone(self) -> None:
        """The document was left."""
        if self.asking is not None:
            self.asking.end()

    def ask_token(self) -> None:
        """Ask for a fresh token (providers 3.3 and newer answer)."""
        if not self.asked_token:
            self.asked_token = True
            frame = websocket.encode(self.prefix + wire.token_request())
            self.connection.realtime.turns.queue(self.connection.outbox, frame)
