"""A room to play with: say what arrives in a turn, look at the effects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pycrdt import Doc, Text

from crdt import wire
from crdt.awareness import Awareness, Entry, encode
from crdt.bounds import BOUNDS, Bounds
from crdt.effects import Acknowledge, Append, Broadcast, Effect, Presence, Refuse, Send, Session
from crdt.events import JOIN, PUSH, Item, Loaded, Stored, TurnEnded
from crdt.room import Room

HALF_BROKEN = b"\1\2\x05\0\x28\1\4junk\1k\1\x7d\1\x04\0\x07\0\1x\0"
"""An update that pycrdt decodes and breaks its document with, if there is the text of client 7: a
first struct that goes in, and a second one that wants to stand inside a letter."""


class Editor:
    """A replica that types and keeps what it would send."""

    def __init__(self, client_id: int = 7) -> None:
        self.doc: Doc[Text] = Doc(client_id=client_id)
        self.text = self.doc.get("text", type=Text)
        self.updates: list[bytes] = []
        self.doc.observe(lambda event: self.updates.append(event.update))

    def type(self, text: str) -> bytes:
        """Append to the text; the update that says so."""
        self.text += text
        return self.updates[-1]

    def erase(self) -> bytes:
        """Delete the first letter; the update that says so."""
        del self.text[0]
        return self.updates[-1]


class Unreadable:
    """A document of the binding that takes updates, and panics when asked what it holds."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def get_update(self, *_: object) -> bytes:
        """What it holds."""
        raise RuntimeError("broken by the test")


class Play:
    """A room, and what it answers."""

    def __init__(self, *rows: bytes, bounds: Bounds = BOUNDS, loaded: bool = True) -> None:
        self.now = 100.0
        self.room = Room(bounds, client_id=1, awareness=lambda: Awareness(bounds))
        if loaded:
            self.tell(Loaded(rows))

    def tell(self, event: object) -> list[Effect]:
        """Let something happen."""
        return self.room.handle(event, self.now)  # type: ignore[arg-type]

    def turn(self, *items: Item) -> list[Effect]:
        """One turn with these messages."""
        return self.tell(TurnEnded(list(items)))

    def join(self, account: str = "ada", *, writes: bool = True, greets: bool = False) -> Session:
        """A new member, whose first sync is over."""
        session = Session(account, can_write=writes, greets=greets)
        self.turn(joining(session))
        session.asked = None
        return session

    def stored(self, batch: int) -> list[Effect]:
        """The store has committed a batch."""
        return self.tell(Stored(batch))

    def take(self, *items: Item) -> None:
        """A turn whose batch is stored at once."""
        self.turn(*items)
        self.stored(self.room.ledger.appended)

    def text(self) -> str:
        """What a fresh peer reads."""
        return read(self.room.document.encode())


def joining(session: Session) -> Item:
    """A session becomes a member."""
    return (session, JOIN, None, b"")


def update(session: Session, data: bytes) -> Item:
    """An update frame."""
    return (session, wire.UPDATE, data, wire.update(data))


def step1(session: Session, vector: bytes = b"\0") -> Item:
    """A first step of the handshake."""
    return (session, wire.STEP1, vector, wire.step1(vector))


def step2(session: Session, data: bytes) -> Item:
    """A second step of the handshake."""
    return (session, wire.STEP2, data, wire.step2(data))


def push(caller: Session, data: bytes) -> Item:
    """An update by REST."""
    return (caller, PUSH, data, b"push")


def version(session: Session, number: int) -> Item:
    """Y-Sweet's question for what is stored."""
    body = wire.version(bytes([number]))
    return (session, wire.VERSION, None, body)


def cursor(session: Session, *entries: tuple[int, int, bytes]) -> Item:
    """An awareness frame of (client id, clock, state)."""
    payload = encode(Entry(*entry) for entry in entries)
    return (session, wire.AWARENESS, payload, wire.awareness(payload))


def answers(effects: Iterable[Effect]) -> list[tuple[Session, bool]]:
    """Who was answered what, in order."""
    found = [effect for effect in effects if isinstance(effect, Acknowledge)]
    return [(session, ok) for effect in found for session, ok, _ in effect.items]


def refusals(effects: Iterable[Effect]) -> list[tuple[Session, str]]:
    """Who was refused, and why."""
    return [(it.session, it.reason) for it in effects if isinstance(it, Refuse)]


def sent(effects: Iterable[Effect], session: Session) -> list[bytes]:
    """What was sent to one session alone."""
    return [it.body for it in effects if isinstance(it, Send) and it.session is session]


def shown(effects: Iterable[Effect]) -> list[tuple[Session | None, bytes]]:
    """What was broadcast, with its author."""
    return [body for it in effects if isinstance(it, Broadcast) for body in it.bodies]


def stores(effects: Iterable[Effect]) -> list[bytes]:
    """The rows that were appended."""
    return [row for it in effects if isinstance(it, Append) for _, row in it.rows]


def presence(effects: Iterable[Effect]) -> list[bytes]:
    """The awareness messages to everybody."""
    return [it.body for it in effects if isinstance(it, Presence)]


def payload(body: bytes) -> bytes:
    """The update inside a step 2 or an update message."""
    return wire.decode_y(body)[1]


def read(*updates: bytes) -> str:
    """The text of a fresh replica that has these."""
    doc: Doc[Text] = Doc()
    for one in updates:
        doc.apply_update(one)
    return str(doc.get("text", type=Text))


def kinds(effects: Sequence[Effect]) -> list[str]:
    """The names of the effects, in order."""
    return [type(effect).__name__ for effect in effects]
