"""Feeds documents mutated updates that passed the check, in a process that may die of it.

    python -m tests.crdt.hostile SEED SESSIONS

A session is one Document that gets some dozens of updates: honest ones, and mutants of them. After
each turn it must encode, and what it encodes must rebuild to the same; a Document that broke must
say so in every call and is rebuilt without the culprit. Prints counts as JSON.
"""

import json
import random
import sys
from collections import Counter

from crdt import structure
from crdt.document import Document
from crdt.errors import DocumentBroken, UpdateError
from crdt.wire import var_uint
from tests.crdt.samples import CASES, HISTORIES, REAL

BYTES = (
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    10,
    0x27,
    0x28,
    0x44,
    0x7F,
    0x80,
    0x81,
    0x84,
    0xC4,
    0xFF,
    117,
)


def mutate(update: bytes, chance: random.Random) -> bytes:
    """Change, cut, double or cross a few bytes."""
    out = bytearray(update)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(out) + 1)
        kind = chance.randrange(7)
        if kind == 0 and at < len(out):
            out[at] ^= 1 << chance.randrange(8)
        elif kind <= 2 and at < len(out):
            out[at] = chance.choice(BYTES)
        elif kind == 3:
            out[at:at] = bytes(chance.choices(BYTES, k=chance.randint(1, 4)))
        elif kind == 4:
            del out[at : at + chance.randint(1, 5)]
        elif kind == 5:
            other = chance.choice(REAL)
            out[at:] = other[min(at, len(other)) :]
        else:
            out[at : at + 1] = var_uint(chance.choice((0, 1, 5, 300, 1 << 20, (1 << 32) - 2)))
    return bytes(out)


def session(chance: random.Random, counts: Counter[str]) -> None:
    """One document's life under attack."""
    case = HISTORIES[chance.choice(list(HISTORIES))]
    base = case.updates[: chance.randint(1, 40)] if case.updates else []
    log = list(base)
    document = Document.rebuild(log)
    pool = [*base, *chance.choice(list(CASES.values())).updates] or REAL
    for _ in range(chance.randint(1, 12)):
        turn = []
        for _ in range(chance.randint(1, 12)):
            update = chance.choice(pool)
            if chance.random() < 0.8:
                update = mutate(update, chance)
            try:
                structure.check(update)
            except UpdateError as error:
                counts[f"refused {error.reason}"] += 1
            else:
                turn.append(update)
        counts["passed"] += len(turn)
        document = play(document, turn, log, chance, counts)


def play(
    document: Document,
    turn: list[bytes],
    log: list[bytes],
    chance: random.Random,
    counts: Counter[str],
) -> Document:
    """One turn as a room plays it; answers the document to go on with."""
    try:
        if len(turn) == 1 and chance.random() < 0.5:
            if document.apply_observed(turn[0]) is not None:
                log += turn
        else:
            results = document.apply_turn(turn)
            counts["refused by integration"] += sum(error is not None for error in results)
            log += [update for update, error in zip(turn, results, strict=True) if error is None]
        look(document, counts)
    except UpdateError:
        counts["refused by integration"] += 1
    except DocumentBroken as broken:
        counts["broken"] += 1
        assert document.broken
        for call in (document.encode, document.state_vector, lambda: document.apply_turn([])):
            try:
                call()
            except DocumentBroken:
                continue
            raise AssertionError("a broken document answered") from None
        return recover(turn, broken, log, counts)
    return document


def look(document: Document, counts: Counter[str]) -> None:
    """All that a room asks of a document; and that it survives being stored."""
    whole = document.encode()
    document.diff(document.state_vector())
    document.turn_update  # noqa: B018  (merging may fail)
    if document.has_pending:
        counts["turns with pending"] += 1
    again = Document.rebuild([whole])
    if not document.has_pending:
        counts["rebuilt otherwise"] += structure.decode_state_vector(
            again.state_vector()
        ) != structure.decode_state_vector(document.state_vector())
    counts["poison"] += len(document.take_poison())


def recover(
    turn: list[bytes], broken: DocumentBroken, log: list[bytes], counts: Counter[str]
) -> Document:
    """Rebuild from the log, with the rest of the turn but its culprit."""
    rest = [update for index, update in enumerate(turn) if index != broken.culprit]
    while True:
        rows = [*log, *(rest if broken.culprit is not None else ())]
        try:
            document = Document.rebuild(rows)
        except DocumentBroken as again:
            counts["broken again"] += 1
            if again.culprit is None:
                raise
            row = rows[again.culprit]
            log[:] = [kept for kept in log if kept != row]
            rest = [kept for kept in rest if kept != row]
        else:
            log[:] = rows
            return document


def main() -> None:
    """Play sessions and print what came of them."""
    seed, sessions = int(sys.argv[1]), int(sys.argv[2])
    counts: Counter[str] = Counter()
    for number in range(seed, seed + sessions):
        session(random.Random(number), counts)
        counts["sessions"] += 1
    sys.stdout.write(json.dumps(counts) + "\n")


if __name__ == "__main__":
    main()
