"""What a room does when pycrdt breaks its document: who is to blame, and what is tried again.

The broken document is discarded and rebuilt from the log (`Reload`); until then everything waits.
An update that is known to have done it is refused and kept on record. Where several were applied
at once and nobody knows which did it, each is tried again alone. What broke it by reading is tried
again once: the fault may lie in what came before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crdt import wire
from crdt.effects import Quarantine, Refuse
from crdt.errors import DocumentBroken, OutOfOrder
from crdt.events import CHECKED, EDIT, PUSH, REFUSED, Item

if TYPE_CHECKING:
    from crdt.turn import Turn


class Breakage:
    """Blames, and remembers what is to be tried with care."""

    __slots__ = ("_tried", "alone", "out_of_order")

    def __init__(self) -> None:
        self.alone = 0
        """Updates that are to be applied one by one, because one of them breaks the document."""
        self.out_of_order = False
        """Something came before its predecessor: from now on the document must be careful."""
        self._tried: Item | None = None

    def held(
        self, run: list[Item], rest: list[Item], turn: Turn, broken: DocumentBroken
    ) -> list[Item]:
        """What waits for the rebuilt document, in order; the culprit's place takes its refusal.

        `run` is what is left of a run of update frames, `rest` the inbox from the item on that was
        being handled.
        """
        held = run + rest
        if isinstance(broken, OutOfOrder):
            self.out_of_order = True
            return held
        guilty = self._find(held, turn.applying, broken.culprit)
        if guilty is None:
            return held
        session, kind, payload, body = guilty
        kind &= ~CHECKED
        session.incomplete = True
        if kind in (wire.UPDATE, wire.STEP2, PUSH):
            turn.effects.append(Quarantine(session, payload, broken.cause))
            turn.effects.append(Refuse(session, "malformed"))
        else:
            turn.effects.append(Refuse(session, "internal"))
        answered = kind in (wire.UPDATE, PUSH, EDIT) or (kind == wire.STEP2 and turn.counted)
        refusal: Item = (session, REFUSED, answered, body)
        # By what it holds: compiled code makes tuples anew.
        place = next((at for at, item in enumerate(held) if item == guilty), len(held))
        return [*held[:place], refusal, *held[place + 1 :]] if place < len(held) else held

    def _find(self, held: list[Item], applying: list[Item], culprit: int | None) -> Item | None:
        """Which item is to blame; None where that is not known yet."""
        if culprit is not None and culprit < len(applying):
            return applying[culprit]
        if len(applying) == 1:
            return applying[0]
        if applying:
            self.alone = len(applying)
            return None
        reader = held[0] if held else None
        if reader is not None and reader == self._tried:
            return reader
        self._tried = reader
        return None
