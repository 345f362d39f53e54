"""A push into a room in which nobody is, as devices bring them by the hundred.

A turn is made for many messages of many who see one another. Here is one update and nobody to show
it to, so what a turn gathers need not be made; what it judges, applies, stores and answers is the
same, and by the same parts. Who brings many takes `is_ready`, `take` and what they lead to apart,
and hears of the commit by the number of the batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from crdt.document import EMPTY_UPDATE
from crdt.effects import Acknowledge, Append, Effect
from crdt.errors import DocumentBroken, UpdateError
from crdt.events import Item
from crdt.turn import Turn

if TYPE_CHECKING:
    from crdt.room import Room

WHOLE_TURN: Final = 0
"""Instead of a batch: it takes a whole turn, and nothing was changed."""
WAITS: Final = -1
"""Instead of a batch: it was applied and waits for its predecessors; see `looked_after`."""


def push_alone(room: Room, item: Item, now: float) -> list[Effect] | None:
    """What a turn with this push leads to, never nothing; None where it takes a whole turn.

    So it does for whatever is refused or known, and where something waits: nothing is changed then.
    """
    suspects: list[Item] = []
    try:
        if not is_ready(room, item[2]):
            return None
        suspects.append(item)
        batch = take(room, item)
    except DocumentBroken as broken:
        return broke(room, item, suspects, broken, now)
    if batch == WAITS:
        return looked_after(room, item, now)
    if batch == WHOLE_TURN:
        return None
    effects: list[Effect] = [Append(batch, room.ledger.in_flight[batch])]
    ready = room.ledger.answer([(item[0], True, item[3])])
    return [*effects, Acknowledge(ready)] if ready else effects


def is_ready(room: Room, update: bytes) -> bool:
    """Whether an update may be taken alone; the document is awake then.

    Raises DocumentBroken, and then no push is to blame.
    """
    document = room.document
    room.vector_before = document.state_vector()
    if update == EMPTY_UPDATE or document.has_pending:
        return False
    document.wake()
    return True


def take(room: Room, item: Item) -> int:
    """Judge and apply a push where nothing waits: the batch of its row, WHOLE_TURN or WAITS.

    Raises DocumentBroken, and then it is the suspect.
    """
    session, _, update, _ = item
    document = room.document
    try:
        if room.intake.verdict(item, document) is not None:
            return WHOLE_TURN
        if document.apply_observed(update) is None:
            return WHOLE_TURN
    except UpdateError:
        return WHOLE_TURN
    room.intake.remember(update)
    if document.has_pending:
        return WAITS
    room.syncs.changed()
    return room.ledger.append([(session, update)])


def looked_after(room: Room, item: Item, now: float) -> list[Effect]:
    """It was applied and waits for its predecessors: they are asked for."""
    turn = Turn(room)
    session, _, update, body = item
    turn.rows, turn.acks = [(session, update)], [(session, True, body)]
    turn.look_after([])
    effects = room.finish(turn, now)
    return [*effects, *room.reload([])] if turn.spoiled else effects


def broke(
    room: Room, item: Item, suspects: list[Item], broken: DocumentBroken, now: float
) -> list[Effect]:
    """The document broke over it: it is built anew."""
    turn = Turn(room)
    turn.applying = suspects
    held = room.breakage.held([], [item], turn, broken)
    return [*room.finish(turn, now), *room.reload(held)]
