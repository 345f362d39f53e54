"""One server process without its sockets and its database: feeds rooms and carries out effects.

It does what `server/live.py`, `server/documents.py` and the dialects in `server/realtime` do, on
the pretend network and the pretend store; the rooms are the real ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from crdt import effects, events, wire
from crdt.claims import SharedAwareness
from crdt.effects import Session
from crdt.errors import WireError
from crdt.room import Phase, Room
from tests.simulation.bus import Mouth
from tests.simulation.network import CUT, Connection, Dialect
from tests.simulation.store import Landed, Refused

if TYPE_CHECKING:
    from tests.simulation.world import World

REFUSALS_MAX = 5
ROOM_IDLE_S = 2.0


class Member(Session):
    """A session: a connection's, or (without one) that of a caller who waits for the commit."""

    __slots__ = ("connection", "done", "live", "refusals", "went")

    def __init__(
        self,
        account: str,
        *,
        can_write: bool,
        greets: bool,
        connection: Connection | None = None,
        done: Callable[[bool], None] | None = None,
    ) -> None:
        super().__init__(account, can_write=can_write, greets=greets)
        self.connection = connection
        self.done = done
        self.live: LiveRoom | None = None
        self.refusals = 0
        self.went: list[tuple[int, Any, bytes]] = []
        """What it sent that is to be answered and is not yet: kind, payload, body."""

    def acknowledged(self, body: bytes, *, ok: bool) -> None:
        """Answer in the peer's dialect."""
        connection = self.connection
        if connection is None:
            assert self.done is not None
            self.done(ok)
        elif connection.peer.dialect is Dialect.HOCUSPOCUS:
            connection.to_peer(wire.sync_status(ok))
        elif ok and (echo := self._echo(connection, body)):
            connection.to_peer(echo)

    @staticmethod
    def _echo(connection: Connection, body: bytes) -> bytes:
        """What a peer gets back once something is stored, or nothing."""
        if connection.peer.dialect is not Dialect.Y_WEBSOCKET:
            return body if body[:2] == b"\x66\x04" else b""
        if body[:2] == b"\x00\x01" and body != wire.step2(b"\x00\x00"):
            return b"\x00\x02" + body[2:]
        return body if body[:2] == b"\x00\x02" else b""

    def refused(self, reason: str, world: World) -> None:
        """Close, or say so, as the dialect does."""
        self.refusals += 1
        connection = self.connection
        if connection is None or reason == "read-only":
            return
        hocuspocus = connection.peer.dialect is Dialect.HOCUSPOCUS
        if not hocuspocus or reason == "lineage" or self.refusals > REFUSALS_MAX:
            connection.node.close(connection, world)

    def dismissed(self, world: World) -> None:
        """The room is over."""
        if self.connection is not None:
            self.connection.node.close(self.connection, world)
        elif self.done is not None:
            self.done(False)


class LiveRoom:
    """A room, its inbox and the way to the store and to its members."""

    def __init__(self, node: Node, document: str, room: Room) -> None:
        self.node = node
        self.world = node.world
        self.document = document
        self.room = room
        self.inbox: list[events.Item] = []
        self.head = 0
        self.idle_since: float | None = None
        self.callers: dict[Member, None] = {}

    def put(self, member: Member, kind: int, payload: Any, body: bytes) -> None:
        """Something arrived; it is handled when the turn ends."""
        self.world.promises.asked(member, kind, payload, body)
        self.inbox.append((member, kind, payload, body))

    def tell(self, event: events.Event) -> None:
        """Let one thing happen to the room."""
        self.perform(self.room.handle(event, self.world.now))

    def turn(self) -> None:
        """Hand the inbox over."""
        if self.inbox:
            inbox, self.inbox = self.inbox, []
            self.tell(events.TurnEnded(inbox))

    @property
    def reading(self) -> bool:
        """A read of the store for it is on its way."""
        return any(job.live is self for job in self.node.jobs)

    def leave(self, member: Member) -> None:
        """A session is gone; what it sent before is handled when the turn ends."""
        member.live = None
        self.tell(events.Left(member))

    def members(self) -> list[Member]:
        """Who is here, those included who wait for the load."""
        waiting = [item[0] for item in self.inbox if item[1] == events.JOIN]
        return [*self.room.sessions, *self.room.waiting.sessions(), *waiting]  # type: ignore[list-item]

    def perform(self, wanted: Iterable[effects.Effect]) -> None:
        """Carry out what the room asked for, in order."""
        self._carry_out(wanted)
        self.node.mouth.show(self)

    def _carry_out(self, wanted: Iterable[effects.Effect]) -> None:
        for effect in wanted:
            match effect:
                case effects.Append(batch, rows):
                    self.world.promises.counts["appended"] += 1
                    updates = [update for _, update in rows]
                    self.world.store.submit(
                        self.node.number, self.document, updates,
                        lambda answer, batch=batch: self._settled(batch, answer),
                    )  # fmt: skip
                case effects.Broadcast():
                    self._broadcast(effect)
                case effects.Acknowledge(items):
                    for session, ok, body in items:
                        self.world.promises.answered(self.document, session, body, ok=ok)
                        session.acknowledged(body, ok=ok)
                case effects.Send(session, body):
                    if body[:2] == b"\0\0" and session.asked and not session.asked[-1]:
                        self.world.promises.counts["asked"] += 1
                    if session.connection is not None:
                        session.connection.to_peer(body)
                case effects.Presence(body):
                    self._presence(body)
                case _:
                    self._rare(effect)

    def _rare(self, effect: effects.Effect) -> None:
        match effect:
            case effects.Refuse(session, reason):
                self.world.promises.refused(session, reason)
                session.refused(reason, self.world)
            case effects.Quarantine(_, update):
                self.world.promises.quarantined(update)
            case effects.CloseAll(_, sessions):
                if self.room.phase is Phase.OVER:
                    self.node.forget(self)
                for session in sessions:
                    session.dismissed(self.world)
            case effects.Reload():
                self.world.promises.counts["reloaded"] += 1
                self.node.load(self)
            case _:
                raise AssertionError(f"an effect the shell does not know: {effect!r}")

    def _settled(self, batch: int, answer: Landed | Refused) -> None:
        if isinstance(answer, Refused):
            self.tell(events.Fenced(batch, answer.reason))
            return
        rows = self.room.ledger.in_flight.get(batch, [])
        updates = [update for _, update in rows]
        self.node.mouth.committed(self, answer.first, answer.last, updates)
        self.tell(events.Stored(batch))

    def _broadcast(self, effect: effects.Broadcast) -> None:
        authors = {author for author, _ in effect.bodies}
        for session in list(self.room.sessions):
            connection: Connection = session.connection  # type: ignore[attr-defined]
            if session.behind is not None:
                continue
            if connection.blocked:
                self.world.promises.counts["fell behind"] += 1
                self.tell(events.FellBehind(session))
            elif effect.merged is not None and session not in authors:
                self.world.promises.counts["merged"] += 1
                connection.to_peer(effect.merged)
            else:
                for author, body in effect.bodies:
                    if author is not session:
                        connection.to_peer(body)

    def show(self, body: bytes) -> None:
        """Somebody on another node moved, came or went."""
        self.perform([effects.Presence(body)])

    def _presence(self, body: bytes) -> None:
        for session in self.room.sessions:
            connection: Connection = session.connection  # type: ignore[attr-defined]
            if not connection.blocked:
                connection.to_peer(body)


class Job:
    """A read of the store on its way: first it looks, some time later the room is told."""

    def __init__(self, live: LiveRoom, *, whole: bool) -> None:
        self.live = live
        self.whole = whole
        self.found: tuple[list[bytes], int] | None = None

    def look(self) -> None:
        """What is committed at this moment."""
        log = self.live.world.store.log(self.live.document)
        self.found = log.read() if self.whole else log.rows_after(self.live.head)

    def tell(self) -> None:
        """Hand it over."""
        assert self.found is not None
        live = self.live
        rows, head = self.found
        if live.room.phase is Phase.OVER:
            return
        live.head = max(live.head, head)
        live.world.promises.counts["loaded" if self.whole else "caught up"] += 1
        live.tell(events.Loaded(rows) if self.whole else events.Remote(rows))
        live.node.mouth.go_on(live)
        if live.document in live.node.late:
            live.node.late.discard(live.document)
            live.node.poll()


class Node:
    """The rooms of one process."""

    def __init__(self, number: int, world: World) -> None:
        self.number = number
        self.world = world
        self.rooms: dict[str, LiveRoom] = {}
        self.mouth = Mouth(self)
        self.late: set[str] = set()
        """Documents of which rows came before they could be taken."""
        self.jobs: list[Job] = []
        self.over: list[LiveRoom] = []
        """Rooms that ended in the middle of a turn: the rest of it is still to be turned away."""

    # -- rooms --------------------------------------------------------------------------

    def room(self, document: str) -> LiveRoom:
        """The room of a document; who asks first starts the load."""
        live = self.rooms.get(document)
        if live is None:
            world = self.world
            room = world.room_type(
                world.plan.bounds,
                client_id=world.rng.getrandbits(31),
                awareness=partial(SharedAwareness, world.plan.bounds, node=self.mouth.name),
            )
            live = self.rooms[document] = LiveRoom(self, document, room)
            self.load(live)
        return live

    def load(self, live: LiveRoom) -> None:
        """Read the whole document for a room."""
        self.jobs.append(Job(live, whole=True))

    def catch_up(self, live: LiveRoom) -> None:
        """Another node wrote in between: read what this room has not seen."""
        self.jobs.append(Job(live, whole=False))

    def poll(self) -> None:
        """See whether other nodes wrote: what tells nodes of each other is only a hint."""
        for live in self.rooms.values():
            behind = live.head < self.world.store.log(live.document).head
            if behind and live.room.phase is Phase.LIVE and not live.reading:
                self.catch_up(live)

    def forget(self, live: LiveRoom) -> None:
        """The room is over, or nobody needs it."""
        if self.rooms.get(live.document) is live:
            del self.rooms[live.document]
        self.jobs = [job for job in self.jobs if job.live is not live]
        self.over.append(live)

    def give_up(self, live: LiveRoom) -> None:
        """The document cannot be loaded: everybody in the room is told, nothing is written."""
        self.forget(live)
        live.tell(events.Fenced(0, "load-failed"))
        live.turn()

    def step(self, job: Job, *, fails: bool) -> None:
        """Let a read go on."""
        if fails and job.whole:
            self.give_up(job.live)
        elif job.found is None:
            job.look()
        else:
            self.jobs.remove(job)
            job.tell()

    def turn(self) -> None:
        """One turn of the event loop is over."""
        over, self.over = self.over, []
        for live in [*over, *self.rooms.values()]:
            live.turn()

    def tick(self) -> None:
        """What the shell's timers do."""
        now = self.world.now
        self.mouth.tick()
        for live in list(self.rooms.values()):
            if live.room.sessions or live.room.cursors.due is not None:
                live.idle_since = None
                live.tell(events.Ticked())
            elif live.inbox or not live.room.idle or live.room.phase is not Phase.LIVE:
                live.idle_since = None
            elif live.idle_since is None:
                live.idle_since = now
            elif now - live.idle_since > ROOM_IDLE_S:
                self.forget(live)

    # -- connections ----------------------------------------------------------------------

    def receive(self, connection: Connection) -> None:
        """The next frame of a connection arrives, or its end."""
        frame = connection.up.popleft()
        if frame is CUT:
            self.close(connection, self.world)
            return
        member = connection.member or self._accept(connection)
        try:
            messages = self._decode(connection.peer.dialect, frame)
        except WireError:
            self.close(connection, self.world)
            return
        for kind, payload, body in messages:
            if member.live is not None:
                member.live.put(member, kind, payload, body)

    def _accept(self, connection: Connection) -> Member:
        peer = connection.peer
        member = Member(
            peer.account,
            can_write=peer.can_write,
            greets=peer.dialect is not Dialect.HOCUSPOCUS,
            connection=connection,
        )
        connection.member = member
        live = self.room(peer.document)
        live.idle_since = None
        member.live = live
        if not live.room.sessions:
            self.mouth.ask(live.document)
        live.put(member, events.JOIN, None, b"")
        return member

    @staticmethod
    def _decode(dialect: Dialect, frame: bytes) -> list[tuple[int, Any, bytes]]:
        if dialect is Dialect.HOCUSPOCUS:
            kind, payload = wire.decode_hocuspocus(frame, 0)
            return [(kind, payload, frame)]
        try:
            kind, payload = wire.decode_y(frame)
        except WireError as error:
            if error.reason != "trailing":
                raise
            encoders = {wire.STEP1: wire.step1, wire.STEP2: wire.step2, wire.UPDATE: wire.update}
            return [
                (kind, payload, encoders[kind](payload) if kind in encoders else b"")
                for kind, payload in wire.decode_y_all(frame)
            ]
        return [(kind, payload, frame)]

    def close(self, connection: Connection, world: World) -> None:
        """End a connection at this end."""
        if not connection.server_open:
            return
        connection.close_at_server(world.rng)
        member = connection.member
        if member is not None and member.live is not None:
            member.live.leave(member)

    def unblock(self, connection: Connection) -> None:
        """A slow reader can take frames again."""
        connection.blocked = False
        member = connection.member
        if member is not None and member.behind is not None and member.live is not None:
            member.live.tell(events.Drained(member))

    # -- callers that are no members ------------------------------------------------------

    def call(
        self, document: str, kind: int, payload: Any, account: str, done: Callable[[bool], None]
    ) -> None:
        """A REST push, or an edit by the server itself; `done` says whether it is committed."""
        live = self.room(document)

        def settled(ok: bool) -> None:
            live.callers.pop(caller, None)
            done(ok)

        caller = Member(account, can_write=True, greets=False, done=settled)
        live.callers[caller] = None
        live.put(caller, kind, payload, b"")
