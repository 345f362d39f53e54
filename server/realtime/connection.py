"""One open WebSocket of any dialect: liveness, bounds, expiry; the dialects derive from it."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Final

from crdt.errors import UpdateError
from crdt.events import CHECKED
from crdt.extending import mypyc_attr
from server.errors import Busy
from server.outbox import Outbox
from server.realtime.codes import OVERLOADED, TIMEOUT, TOO_MANY
from server.realtime.lingering import say_goodbye
from server.websocket import WebSocketProtocol, as_protocol, encode_close

if TYPE_CHECKING:
    from server.member import Member
    from server.realtime.register import Realtime

log = logging.getLogger("plait.realtime")


_NOTHING: Final[frozenset[object]] = frozenset()
"""The one empty set: each new one takes 216 bytes, frozen or not."""
LOOK_EVERY = 5
"""Each connection is looked at once in this many sweeps, so that a sweep stays short."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Connection(WebSocketProtocol):
    """One socket. `remote` is what counts as the peer's address (`limits.network_of`)."""

    __slots__ = (
        "_bytes",
        "_held",
        "_pending",
        "_presence",
        "_second",
        "_strikes",
        "kept_bytes",
        "opened_at",
        "outbox",
        "realtime",
        "refusals",
        "remote",
    )

    def __init__(self, realtime: Realtime, transport: asyncio.Transport, remote: str) -> None:
        now = realtime.turns.clock()
        super().__init__(transport, realtime.bounds.frame_bytes_max, now)
        self.realtime = realtime
        self.remote = remote
        self.opened_at = now
        self.outbox = Outbox(transport, realtime.settings.outbox_bytes_max, now)
        self.refusals = 0
        self._held: frozenset[object] = _NOTHING
        self._pending = False
        self._second = int(now)
        self._bytes = self._presence = self._strikes = self.kept_bytes = 0

    # -- liveness -----------------------------------------------------------------------

    def clock(self) -> float:
        """Loop time."""
        return self.realtime.turns.clock()

    def opened(self, *, authenticated: bool) -> None:
        """Register; called once the transport is ours."""
        realtime = self.realtime
        realtime.connections.add(self)
        realtime.metrics.connections += 1
        if not authenticated:
            self.frame_bytes_max = min(self.frame_bytes_max, realtime.settings.preauth_bytes_max)
            self._pending = True
            realtime.pending[self.remote] = realtime.pending_of(self.remote) + 1

    def authenticated(self) -> None:
        """A document was opened: the connection no longer counts against its address."""
        if self._pending:
            self._pending = False
            self.frame_bytes_max = self.realtime.bounds.frame_bytes_max
            left = self.realtime.pending_of(self.remote) - 1
            if left > 0:
                self.realtime.pending[self.remote] = left
            else:
                self.realtime.pending.pop(self.remote, None)

    def lost(self) -> None:
        """Unregister and let the dialect clean up."""
        self.realtime.connections.discard(self)
        self.authenticated()
        self.left()

    def left(self) -> None:
        """The dialect's clean-up: leave every room."""
        raise NotImplementedError

    def members(self) -> list[Member]:
        """The sessions of this connection."""
        raise NotImplementedError

    def keepalive_frame(self) -> bytes | None:
        """A frame that keeps a silent client from reconnecting, or None where there is none."""
        raise NotImplementedError

    def check_alive(self, now: float) -> None:
        """Called every few seconds: cut stuck readers and dead peers, soothe silent clients."""
        settings = self.realtime.settings
        outbox = self.outbox
        if outbox.is_stuck(now, settings.outbox_stuck_s):
            # A heartbeat does not free a blocked sender; only aborting the transport does.
            self.realtime.metrics.aborted += 1
            self.transport.abort()
            return
        silent = now - self.received_at
        if silent > settings.idle_s and not self._held and not outbox.blocked:
            self.close(TIMEOUT, "silent")
        elif silent > settings.idle_s / 2:
            self.ping()
        # As if the next look were as late as it can be.
        due_s = settings.keepalive_s - LOOK_EVERY * settings.sweep_s
        if not outbox.blocked and now - outbox.sent_at > due_s:
            frame = self.keepalive_frame()
            if frame is not None:
                self.realtime.metrics.keepalives += 1
                self.realtime.turns.queue(outbox, frame)

    def close(self, code: int, reason: str) -> None:
        """Say why, after all that waits, the handshake's answer included; then hang up."""
        if self.closing:
            return
        outbox = self.outbox
        outbox.flush(self.clock())
        if outbox.blocked or self.transport.is_closing():
            super().close(code, reason)
            return
        self.closing = True
        self._close_timer = say_goodbye(
            self.transport, encode_close(code, reason), as_protocol(self)
        )
        # Nothing may follow a close frame.
        outbox.blocked, outbox.blocked_at = True, self.clock()

    # -- flow control -------------------------------------------------------------------

    def pause_writing(self) -> None:
        """The transport's buffer is over its mark: fall behind instead of queueing."""
        outbox = self.outbox
        if not outbox.blocked:
            outbox.blocked = True
            outbox.blocked_at = self.clock()
            outbox.waiting = 0
            self.hold("outbox", on=True)

    def resume_writing(self) -> None:
        """The peer reads again: what waited goes first, then one difference per room."""
        outbox = self.outbox
        outbox.blocked = False
        self.hold("outbox", on=False)
        self.realtime.turns.touch(outbox)
        for member in self.members():
            if member.behind is not None and member.live is not None:
                self.realtime.documents.bring_up(member)

    def hold(self, cause: object, *, on: bool) -> None:
        """Stop reading while any cause holds (own outbox, a room that cannot store fast enough)."""
        if on:
            if not self._held and not self.transport.is_closing():
                self.transport.pause_reading()
            self._held |= {cause}
        elif cause in self._held:
            self._held = (self._held - {cause}) or _NOTHING
            if not self._held and not self.transport.is_closing():
                self.transport.resume_reading()

    def inspect(self, member: Member, kind: int, data: bytes, body: bytes) -> None:
        """Decode a costly update in a helper process; nothing is read meanwhile, order holds."""
        self.stalled = True
        self.hold("inspection", on=True)
        self.realtime.tasks.spawn(self._inspected(member, kind, data, body), "inspect update")

    async def _inspected(self, member: Member, kind: int, data: bytes, body: bytes) -> None:
        try:
            await self.realtime.documents.inspect(data)
        except UpdateError as error:
            self.realtime.metrics.refuse(error.reason)
            member.incomplete = True
            member.acknowledged(body, ok=False)
            member.refused(error.reason)
        except Exception as error:
            # It was not looked at: as unsent, its sender has to come back with it.
            if not isinstance(error, Busy):
                log.exception("an update could not be looked at")
            self.realtime.metrics.refuse("unavailable")
            self.close(OVERLOADED, "try again later")
        else:
            if member.live is not None:
                member.live.put(member, kind | CHECKED, data, body)
        finally:
            self.hold("inspection", on=False)
            self.go_on()

    def spend(self, size: int) -> None:
        """Keep the connection within its budget: over it, it is not read for the second's rest."""
        self._bytes += size
        second = int(self.received_at)
        if second != self._second:
            over = self._bytes_over() or self.frames > self.realtime.settings.frames_per_s_max
            self._strikes = self._strikes + 1 if over and second == self._second + 1 else 0
            self._second, self._bytes, self.frames, self._presence = second, size, 0, 0
            if self._strikes >= self.realtime.settings.budget_strikes_max:
                self.realtime.metrics.refuse("over-budget")
                self.close(TOO_MANY, "too many frames")
        elif self.frames > self.realtime.settings.frames_per_s_max or self._bytes_over():
            self._rest_of_second()

    def showed_presence(self) -> None:
        """A presence frame came; too many of them, and it is not read for the second's rest."""
        self.realtime.metrics.awareness_in += 1
        self._presence += 1
        if self._presence > self.realtime.settings.awareness_per_s_max:
            self._rest_of_second()

    def _rest_of_second(self) -> None:
        if "budget" not in self._held:
            self.hold("budget", on=True)
            loop = asyncio.get_running_loop()
            loop.call_at(self._second + 1, partial(self.hold, "budget", on=False))

    @property
    def held_bytes(self) -> int:
        """What it keeps for documents that are not open, and of frames until one is."""
        return self.kept_bytes + (self._have + self._fragments_size if self._pending else 0)

    def _bytes_over(self) -> bool:
        return self._bytes > self.realtime.settings.bytes_per_s_max

    def count_refusal(self) -> bool:
        """One more refused frame; True when it was one too many."""
        self.refusals += 1
        return self.refusals > self.realtime.settings.refusals_max
