"""Synthetic writing: typists whose updates are one character each, and a long writing session."""

import json
import random
from typing import Any

from pycrdt import Doc, Text, TransactionEvent

from .codec import awareness_frame, var_uint
from .ledger import client_id

ROOT = "content"
"""The shared text that typists write into."""
BASE_CLIENT = 1_999_999_973
PROSE = """the quick brown fox jumps over a lazy dog while every realtime editor keeps its cursor
in place and the server forwards each small change to all other people who look at this document
right now"""
WORDS = PROSE.split()
CHECKED_UPDATES = 300
Edit = tuple[int, int, str]
"""Position, characters deleted there, text inserted there."""


def prose(characters: int, chance: random.Random) -> str:
    """Words, exactly as many characters as asked for."""
    words: list[str] = []
    size = 0
    while size < characters:
        words.append(chance.choice(WORDS))
        size += len(words[-1]) + 1
    return " ".join(words)[:characters].ljust(characters)


def base_update(characters: int, chance: random.Random) -> bytes:
    """A document of some prose."""
    document: Doc[Any] = Doc(client_id=BASE_CLIENT)
    document.get(ROOT, type=Text).insert(0, prose(characters, chance))
    return document.get_update()


def typing(
    slots: int, updates: int, base_characters: int = 2000, seed: int = 1
) -> tuple[bytes, list[list[bytes]]]:
    """A base document, and for each slot the updates of a typist who writes into it.

    Update k of a slot inserts one character behind update k - 1.
    """
    chance = random.Random(seed)  # noqa: S311 - repeatable prose, not a secret
    base = base_update(base_characters, chance)
    typists = []
    for slot in range(slots):
        position = base_characters * (slot + 1) // (slots + 1)
        text = prose(updates, chance)
        made = _typed(base, slot, position, text[:CHECKED_UPDATES])
        typists.append(made if updates <= CHECKED_UPDATES else _continued(slot, made, text))
    return base, typists


def _typed(base: bytes, slot: int, position: int, text: str) -> list[bytes]:
    """What pycrdt sends for each character typed."""
    document: Doc[Any] = Doc(client_id=client_id(slot))
    document.apply_update(base)
    shared = document.get(ROOT, type=Text)
    out: list[bytes] = []

    def keep(event: TransactionEvent) -> None:
        out.append(event.update)

    subscription = document.observe(keep)
    for at, character in enumerate(text):
        shared.insert(position + at, character)
    document.unobserve(subscription)
    return out


def _continued(slot: int, made: list[bytes], text: str) -> list[bytes]:
    """The rest written out directly, 30 times faster.

    Updates differ only in clock and letter; the ones pycrdt made check the template.
    """
    number = var_uint(client_id(slot))
    head, middle = b"\x01\x01" + number, b"\xc4" + number
    clock = len(made) - 1
    start = len(head) + len(var_uint(clock)) + len(middle) + len(var_uint(clock - 1))
    right_origin = made[-1][start:-3]
    quick = [
        head + var_uint(k) + middle + var_uint(k - 1) + right_origin
        + b"\x01" + letter.encode() + b"\x00"
        for k, letter in enumerate(text)
        if k
    ]  # fmt: skip
    if quick[: len(made) - 1] != made[1:]:
        raise RuntimeError("the update template does not match what pycrdt writes")
    return made[:1] + quick


def cursor_message(slot: int, clock: int) -> bytes:
    """An awareness message as a text editor with a cursor sends it."""
    user = client_id(slot)

    def place(at: int) -> dict[str, object]:
        return {"type": None, "tname": ROOT, "item": {"client": user, "clock": at}, "assoc": 0}

    state = {
        "user": {"name": f"Person {slot}", "color": "#30bced", "colorLight": "#30bced33"},
        "cursor": {"anchor": place(clock * 3), "head": place(clock * 3 + 1)},
    }
    return awareness_frame(user, clock, json.dumps(state, separators=(",", ":")).encode())


def writing_session(edits: int, seed: int = 7) -> list[Edit]:
    """One author's session: bursts of typing, backspaces, jumps of the cursor.

    Three edits in ten delete, as in the published histories of papers.
    """
    chance = random.Random(seed)  # noqa: S311 - repeatable prose, not a secret
    out: list[Edit] = []
    length = cursor = 0
    while len(out) < edits:
        if chance.random() < 0.03 and length:
            near = max(0, min(length, cursor + chance.randint(-200, 200)))
            cursor = near if chance.random() < 0.7 else chance.randint(0, length)
        if chance.random() < 0.7:
            for _ in range(min(cursor, chance.randint(1, 17))):
                cursor -= 1
                length -= 1
                out.append((cursor, 1, ""))
        for _ in range(chance.randint(1, 28)):
            out.append((cursor, 0, chance.choice("etaoin shrdlu")))
            cursor += 1
            length += 1
    return out[:edits]
