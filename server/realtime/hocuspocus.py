"""Hocuspocus providers 2 to 4: many documents on one socket, each authenticated by a frame.

Protocol: every frame is varString(address), a message number, a payload; the address is the
document's name, or name NUL session (providers 4). Per document: the client sends its token and
goes on at once, so frames wait until the token is checked. Exactly one SyncStatus answers each
step 2 and each update, after the commit: the provider counts them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from auth.errors import AuthError
from auth.principal import Role
from crdt import structure, wire
from crdt.errors import BadName, WireError
from crdt.ids import DocumentName
from server import websocket
from server.errors import Busy, TooManyRequests
from server.inspecting.breaker import Closed
from server.member import Member
from server.realtime.codes import MALFORMED, RESET, TIMEOUT, close_code
from server.realtime.connection import Connection
from server.realtime.hocuspocus_member import DENIED, HocuspocusMember
from server.realtime.lobby import Lobby, Waiting, known
from storage.errors import StorageError

if TYPE_CHECKING:
    from auth.principal import Principal
    from server.entrance import Entry
    from server.realtime.register import Realtime

SYNC_KINDS = (wire.STEP1, wire.STEP2, wire.UPDATE, wire.AWARENESS, wire.QUERY_AWARENESS)
KEPT_KINDS = (*SYNC_KINDS, wire.STATELESS)
SERVER_ONLY = (wire.BROADCAST_STATELESS, wire.AUTH_DENIED, wire.AUTHENTICATED, wire.SYNC_STATUS)


class HocuspocusConnection(Connection):
    """A Hocuspocus socket."""

    __slots__ = ("_lobby", "_members", "_recent", "_rest", "handshake", "workspace")

    dialect = "hocuspocus"

    def __init__(
        self,
        realtime: Realtime,
        transport: asyncio.Transport,
        remote: str,
        principal: Principal | None,
        workspace: str | None,
    ) -> None:
        super().__init__(realtime, transport, remote)
        self.handshake = principal
        """Who showed a token at the handshake; documents without a token of their own use it."""
        self.workspace = workspace
        """`workspaceId` of the URL, for names of the form block/{id}."""
        self._members: dict[bytes, HocuspocusMember] = {}
        self._lobby = Lobby()
        self._recent: HocuspocusMember | None = None
        self._rest: deque[tuple[HocuspocusMember, bytes]] | None = None
        """Frames of documents that were let in, behind one that is being looked at."""

    # -- frames -------------------------------------------------------------------------

    def message(self, payload: bytes) -> None:
        """One frame: to its document's room, or to the queue of a document not let in yet."""
        realtime = self.realtime
        realtime.metrics.frames_in += 1
        realtime.metrics.bytes_in += len(payload)
        member = self._recent
        try:
            if member is not None and payload.startswith(member.prefix):
                at = len(member.prefix)
            elif payload in (wire.PING_FRAME, wire.PONG_FRAME):
                if payload == wire.PING_FRAME:
                    realtime.turns.queue(self.outbox, websocket.encode(wire.PONG_FRAME))
                return
            else:
                address, at = wire.read_address(payload, realtime.bounds)
                member = self._members.get(payload[:at])
                if member is None:
                    self._stranger(address, payload, at)
                    return
                self._recent = member
            kind, data = wire.decode_hocuspocus(payload, at, realtime.bounds)
        except WireError as error:
            realtime.metrics.refuse(error.reason)
            self.close(MALFORMED, f"malformed frame: {error.reason}")
            return
        if kind == wire.UPDATE:
            assert isinstance(data, bytes)
            live = member.live
            if live is not None:
                if len(data) > structure.MIDDLING_BYTES and structure.is_costly(data):
                    self.inspect(member, kind, data, payload[at:])
                else:
                    live.put(member, kind, data, payload[at:])
        else:
            self._other(member, kind, data, payload[at:])

    def _other(
        self, member: HocuspocusMember, kind: int, data: bytes | str | wire.AuthToken, body: bytes
    ) -> None:
        live = member.live
        if kind in SYNC_KINDS and live is not None:
            assert isinstance(data, bytes)
            if kind == wire.AWARENESS:
                self.showed_presence()
            if kind in (wire.UPDATE, wire.STEP2) and structure.is_costly(data):
                self.inspect(member, kind, data, body)
            else:
                live.put(member, kind, data, body)
        elif kind == wire.AUTH_TOKEN:
            assert isinstance(data, wire.AuthToken)
            self.realtime.tasks.spawn(member.renew(data.token), "renew token")
        elif kind == wire.CLOSE:
            self.detach(member)
        elif kind == wire.STATELESS:
            assert isinstance(data, str)
            member.said(data)
        elif kind in SERVER_ONLY:
            self.realtime.metrics.refuse("server-only")
            self.close(MALFORMED, "a message that only servers send")

    # -- letting documents in -----------------------------------------------------------

    def _stranger(self, address: str, payload: bytes, at: int) -> None:
        """A frame for a document that is not let in: its token, or something to keep meanwhile."""
        prefix, realtime = payload[:at], self.realtime
        kind, data = wire.decode_hocuspocus(payload, at, realtime.bounds)
        if kind == wire.CLOSE:
            self._forget_waiting(prefix)
            return
        waiting = self._lobby.get(prefix)
        if waiting is None:
            settings = realtime.settings
            if len(self._lobby) + len(self._members) >= settings.documents_per_connection_max:
                self.close(RESET, "too many documents on one socket")
                return
            waiting = self._lobby.add(prefix, self.clock())
        if kind == wire.AUTH_TOKEN:
            assert isinstance(data, wire.AuthToken)
            if waiting.task is not None:
                return
            entry = None if self.closing else known(realtime, address, self.workspace, data.token)
            if entry is not None:
                self._let_in(address, prefix, data, waiting, entry)
            else:
                work = self._admit(address, prefix, data, waiting)
                waiting.task = realtime.tasks.spawn(work, "admit document")
            return
        self._set_by(waiting, kind, payload[at:])
        if waiting.task is None and self.handshake is not None and kind in SYNC_KINDS:
            # Provider 2 sends no token frame when it has none; the handshake's one counts.
            work = self._admit(address, prefix, None, waiting)
            waiting.task = realtime.tasks.spawn(work, "admit document")

    def _set_by(self, waiting: Waiting, kind: int, body: bytes) -> None:
        lobby, settings = self._lobby, self.realtime.settings
        lobby.keep(waiting, kind, body)
        self.kept_bytes = lobby.bytes
        if lobby.bytes > settings.preauth_bytes_max or lobby.frames > settings.preauth_frames_max:
            self.realtime.metrics.refuse("preauth-full")
            self.close(RESET, "too much before authentication")

    async def _admit(
        self, address: str, prefix: bytes, token: wire.AuthToken | None, waiting: Waiting
    ) -> None:
        """Check the token and the right, then let the document in and hand its frames over."""
        realtime = self.realtime
        if realtime.draining:
            return  # This socket is told to come back in a moment; until then nothing new.
        try:
            name = DocumentName.parse(address.split("\0", 1)[0], self.workspace)
            shown = token.token if token is not None else ""
            entry = await realtime.entrance.enter(name, shown or self.handshake or "", create=True)
            realtime.documents.guard.admit(entry.principal)
            realtime.documents.room(entry.record)
        except (AuthError, BadName, TooManyRequests, Closed) as error:
            realtime.metrics.refuse(getattr(error, "reason", "bad-name"))
            if self._lobby.get(prefix) is waiting:  # Else another token is looked at by now.
                self.deny(prefix, error.reason if isinstance(error, Closed) else DENIED)
            return
        except (StorageError, Busy):
            realtime.metrics.refuse("unavailable")
            self.close(close_code("load-failed"), "try again later")
            return
        if not self.closing and self._lobby.get(prefix) is waiting:
            self._let_in(address, prefix, token, waiting, entry)

    def _let_in(
        self,
        address: str,
        prefix: bytes,
        token: wire.AuthToken | None,
        waiting: Waiting,
        entry: Entry,
    ) -> None:
        """Make it a member of the document's room, and hand its frames over."""
        principal, record, role = entry
        self._forget_waiting(prefix)
        self.authenticated()
        member = HocuspocusMember(self, principal, address, prefix, can_write=role >= Role.EDITOR)
        member.wants_ping = token is not None and token.provider_version is not None
        self._members[prefix] = member
        member.say_scope()
        self.realtime.documents.join(member, record, principal)
        kept = [(member, body) for kind, body in waiting.frames if kind in KEPT_KINDS]
        if kept:
            self._rest = self._rest or deque()
            self._rest.extend(kept)
            self._take_rest()

    def _take_rest(self) -> None:
        """Handle what waited for its document, as far as no message has to be looked at first."""
        bounds = self.realtime.bounds
        while self._rest and not self.stalled and not self.closing:
            member, body = self._rest.popleft()
            at = len(member.prefix)
            kind, data = wire.decode_hocuspocus(member.prefix + body, at, bounds)
            self._other(member, kind, data, body)
        self._rest = self._rest or None  # An empty one takes 700 bytes.

    def go_on(self) -> None:
        """Handle what came behind a message that was looked at, in order."""
        self.stalled = False
        self._take_rest()
        if not self.stalled:
            super().go_on()

    def deny(self, prefix: bytes, reason: str) -> None:
        """Refuse one document; the others on this socket are not touched."""
        self._forget_waiting(prefix)
        frame = websocket.encode(prefix + wire.denied(reason))
        self.realtime.turns.queue(self.outbox, frame)
        member = self._members.get(prefix)
        if member is not None:
            self.detach(member)

    def detach(self, member: HocuspocusMember) -> None:
        """This document leaves; coming back needs a token again."""
        self._members.pop(member.prefix, None)
        self._recent = None
        member.gone()
        self.opened_at = self.clock()  # Without a document the deadline for one runs anew.
        if member.live is not None:
            self.realtime.documents.leave(member)

    def _forget_waiting(self, prefix: bytes) -> None:
        self._lobby.forget(prefix)
        self.kept_bytes = self._lobby.bytes

    # -- liveness -----------------------------------------------------------------------

    def check_alive(self, now: float) -> None:
        """Also: a document that never shows its token ends the socket."""
        super().check_alive(now)
        deadline = self.realtime.settings.auth_deadline_s
        if not self._members and now - self.opened_at > deadline and not self._lobby:
            self.close(TIMEOUT, "no document was opened")
        elif self._lobby.is_overdue(now, deadline):
            self.close(TIMEOUT, "no token came")

    def left(self) -> None:
        """Leave every room."""
        members, self._members = list(self._members.values()), {}
        self._recent = None
        self._lobby.close()
        for member in members:
            member.gone()
            if member.live is not None:
                self.realtime.documents.leave(member)

    def has(self, member: HocuspocusMember) -> bool:
        """Whether this document is still open here."""
        return self._members.get(member.prefix) is member

    def members(self) -> list[Member]:
        """Every document that is let in."""
        return list(self._members.values())

    def keepalive_frame(self) -> bytes | None:
        """An empty awareness frame for any one document; providers leave after 30 s of silence."""
        for prefix in self._members:
            return websocket.encode(prefix + wire.awareness(b"\x00"))
        return None
