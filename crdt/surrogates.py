"""Keeps pycrdt from cutting a character in two.

Clocks of text count UTF-16 units, and characters beyond 16 bits take two. An editor may cut between
them: it deletes one unit of an emoji, or inserts between the two. Yjs then puts U+FFFD in place of
each half, so that all clocks stay. pycrdt 0.14 keeps the whole character on one side and nothing
on the other: clocks shift in all that it encodes, later joiners stop at them, and some documents
cannot be loaded again at all. That is how random honest histories with emoji end.

So a character that is to be cut is replaced by two U+FFFD in the bytes before pycrdt sees the cut,
in the update that brought it or in the document. Both ways lead to what Yjs has.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from crdt.errors import UpdateError
from crdt.merging import clock_of
from crdt.outline import Outline, Place, outline
from crdt.wire.lib0 import read_var_bytes, var_string, var_uint

may_hold_pairs: Final = re.compile(rb"[\xf0-\xf4][\x80-\xbf]{3}").search
"""Whether bytes may hold a character beyond 16 bits. Without one there is nothing to cut."""

_LONG_BYTES: Final = 4096
_ROLES: Final = bytes(
    1 if 0x80 <= byte < 0xC0 else 2 if 0xF0 <= byte < 0xF5 else 0 for byte in range(256)
)
"""Of each byte, whether it goes on a character of UTF-8 (1) or begins one beyond 16 bits (2)."""


_NUMBER: Final = rb"(?:[\x00-\x7f]|[\x80-\xff]{1,7}[\x01-\x7f])"
_ID: Final = rb"(" + _NUMBER + _NUMBER + rb")"
_ONE_INSERT: Final = re.compile(
    rb"\x01\x01"
    + _NUMBER
    + _NUMBER
    + rb"(?:\x84"
    + _ID
    + rb"|\x44"
    + _ID
    + rb"|\xc4"
    + _ID
    + _ID
    + rb")"
).match
"""What typing makes: one text with an origin, a right origin, or both."""


class Pairs:
    """Where the characters of two units lie in one document, and where waiting updates cut."""

    def __init__(self) -> None:
        self._middles: set[Place] = set()
        """Cut just before these places, a character falls apart."""
        self._firsts: set[bytes] = set()
        """The ids of their first units, encoded: an origin there cuts."""
        self._seconds: set[bytes] = set()
        """The ids of their second units, encoded: a right origin there cuts."""
        self._cuts: set[Place] = set()
        """Where updates cut that wait for their predecessors."""

    def concerned(self, updates: Sequence[bytes]) -> bool:
        """Whether any of these may cut, or be cut: cheap, and false for most documents."""
        if len(updates) == 1 and len(updates[0]) > _LONG_BYTES:
            # A snapshot: a third of the time that the pattern takes.
            wide = b"\2\1\1\1" in updates[0].translate(_ROLES)
        else:
            wide = any(map(may_hold_pairs, updates))
        return wide or (bool(self._middles) and any(map(self._may_cut, updates)))

    def enter(self, updates: list[bytes], state_vector: bytes) -> tuple[list[bytes], set[Place]]:
        """Prepare updates for the document, which has this state vector.

        Answers them with the characters replaced that they bring and that are cut, and the places
        of characters which the document has and must replace before.
        """
        middles: set[Place] = set()
        cuts = set(self._cuts)
        for update in updates:
            read = _read(update)
            if read is not None:
                cuts |= read.cuts
                middles |= _middles(update, read)
        # An update is also cut where what is known of it ends: a client that typed the halves one
        # by one sent U+FFFD for each, and sends them as one character later.
        cuts |= {(client, clock_of(state_vector, client)) for client in {at[0] for at in middles}}
        known, new = cuts & self._middles, cuts & middles
        self._add(middles - new)
        for client, clock in known:
            self._middles.discard((client, clock))
            self._firsts.discard(var_uint(client) + var_uint(clock - 1))
            self._seconds.discard(var_uint(client) + var_uint(clock))
        if new:
            updates = [replace(update, new) for update in updates]
        return updates, known

    def note(self, update: bytes) -> None:
        """Characters came into the document by an edit of this server."""
        read = _read(update) if may_hold_pairs(update) else None
        if read is not None:
            self._add(_middles(update, read))

    def wait(self, update: bytes) -> None:
        """An update waits: what it cuts may come later."""
        read = _read(update)
        if read is not None:
            self._cuts |= read.cuts

    def _add(self, middles: set[Place]) -> None:
        for client, clock in middles:
            owner = var_uint(client)
            self._firsts.add(owner + var_uint(clock - 1))
            self._seconds.add(owner + var_uint(clock))
        self._middles |= middles

    def _may_cut(self, update: bytes) -> bool:
        """Whether an update might cut a known character; certain only for single inserts."""
        typed = _ONE_INSERT(update)
        if typed is None:
            return True
        at = typed.end()
        size = update[at] if at < len(update) else 0x80
        if size >= 0x80 or update[at + 1 + size :] != b"\0":
            return True
        left, right, both_left, both_right = typed.groups()
        return (left or both_left) in self._firsts or (right or both_right) in self._seconds


def replace(update: bytes, middles: set[Place]) -> bytes:
    """The same update with U+FFFD twice for each character that falls apart at these places."""
    read = _read(update) if may_hold_pairs(update) else None
    if read is None:
        return update
    parts = []
    done = 0
    for client, clock, at in read.texts:
        text, end = read_var_bytes(update, at)
        chars = list(text.decode())
        cut = False
        for index, place in enumerate(_places(chars, clock)):
            if (client, place) in middles and chars[index] > "\uffff":
                chars[index] = "\ufffd\ufffd"
                cut = True
        if cut:
            parts += [update[done:at], var_string("".join(chars))]
            done = end
    return b"".join((*parts, update[done:])) if parts else update


def _places(chars: list[str], clock: int) -> Iterable[int]:
    """The clock of each character's second unit, if it had one."""
    for char in list(chars):
        yield clock + 1
        clock += 2 if char > "\uffff" else 1


def _middles(update: bytes, read: Outline) -> set[Place]:
    """Where the characters that an update brings fall apart."""
    middles = set()
    for client, clock, at in read.texts:
        chars = list(read_var_bytes(update, at)[0].decode())
        for char, place in zip(chars, _places(chars, clock), strict=True):
            if char > "\uffff":
                middles.add((client, place))
    return middles


def _read(update: bytes) -> Outline | None:
    try:
        return outline(update, cuts=True)
    except UpdateError:  # Its refusal comes from elsewhere; nothing of it will be cut.
        return None
