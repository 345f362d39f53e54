"""A push into a room in which nobody is, as devices bring them by the hundred.

A turn is made for many messages of many who see one another. Here is one update and nobody to show
it to, so what a turn gathers need not be made; what it judges, applies, stores and answers is the
same, and by the same parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crdt.document import EMPTY_UPDATE
from crdt.effects import Acknowledge, Append, Effect
from crdt.errors import DocumentBroken, UpdateError
from crdt.events import Item
from crdt.turn import Turn

if TYPE_CHECKING:
    from crdt.ledger import Rows
    from crdt.room import Room


def push_alone(room: Room, item: Item, now: float) -> list[Effect] | None:
    """What a turn with this push leads to, never nothing; None where it takes a whole turn.

    So it does for whatever is refused or known, and where something waits: nothing is changed then.
    """
    session, _, update, body = item
    applying: list[Item] = []
    try:
        document = room.document
        room.vector_before = document.state_vector()
        if update == EMPTY_UPDATE or document.has_pending:
            return None
        document.wake()  # If it breaks by that, the push is not to blame.
        applying.append(item)
        if room.intake.verdict(item, document) or document.apply_observed(update) is None:
            return None
    except UpdateError:
        return None
    except DocumentBroken as broken:
        turn = Turn(room)
        turn.applying = applying
        held = room.breakage.held([], [item], turn, broken)
        return [*room.finish(turn, now), *room.reload(held)]
    room.intake.remember(update)
    if room.document.has_pending:
        return _looked_after(room, item, now)
    room.syncs.changed()
    rows: Rows = [(session, update)]
    effects: list[Effect] = [Append(room.ledger.append(rows), rows)]
    ready = room.ledger.answer([(session, True, body)])
    return [*effects, Acknowledge(ready)] if ready else effects


def _looked_after(room: Room, item: Item, now: float) -> list[Effect]:
    """It was applied and waits for its predecessors: they are asked for."""
    turn = Turn(room)
    session, _, update, body = item
    turn.rows, turn.acks = [(session, update)], [(session, True, body)]
    turn.look_after([])
    effects = room.finish(turn, now)
    return [*effects, *room.reload([])] if turn.spoiled else effects
