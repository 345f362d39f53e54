"""Questions about encoded updates and state vectors that need no document.

These calls touch no document, so a panic in them hurts nothing but the answer.

    state vector = varUint(n) (varUint(client id) varUint(clock))*n
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

import pycrdt

from crdt.bounds import BOUNDS, Bounds
from crdt.errors import UpdateError, WireError
from crdt.outline import CLOCK_MAX, outline
from crdt.wire.lib0 import read_var_uint, var_uint

EMPTY_UPDATE: Final = b"\0\0"
"""No struct, no deletion."""
EMPTY_STATE: Final = b"\0"
"""The state vector of a replica that has nothing."""

_MERGE_STEP: Final = 64
_CONTINUED: Final = bytes(range(0x80, 0x100))
_LONG: Final = re.compile(rb"[\x80-\xff]{7}").search
"""More than seven bytes for a number: it may be out of its range."""
_ONE_PAIR: Final = re.compile(
    rb"\x01[\x80-\xff]{0,6}[\x00-\x7f][\x80-\xff]{0,6}[\x00-\x7f]"
).fullmatch
"""What somebody has of a document in which one has typed: most by far are of this form."""


def merge(updates: Sequence[bytes]) -> bytes:
    """One update that stands for all of these, with gaps where predecessors are missing.

    pycrdt's own merge takes quadratic time (10,000 small updates: 650 ms), so we merge by dozens,
    and those again. Raises UpdateError if one of them is not an update.
    """
    level = list(updates)
    if not level:
        return EMPTY_UPDATE
    while len(level) > 1:
        level = [
            _guarded(pycrdt.merge_updates, *level[at : at + _MERGE_STEP])
            for at in range(0, len(level), _MERGE_STEP)
        ]
    return level[0]


def difference(update: bytes, state_vector: bytes) -> bytes:
    """What an update brings to a replica with this state vector; all its deletions stay in."""
    return _guarded(pycrdt.get_update, update, state_vector or EMPTY_STATE)


def state_vector_of(update: bytes) -> bytes:
    """The state vector of a replica that has this update and nothing else.

    Clients whose structs do not begin at 0 are left out: such a replica could not integrate them.
    """
    return _guarded(pycrdt.get_state, update)


def delete_only(update: bytes) -> bytes:
    """The same update without what it brings: what a replica with all its structs may lack."""
    rest = difference(update, state_vector_of(update))
    if rest[0] == 0:
        return rest
    return b"\0" + update[outline(update).delete_set_at :]


def decode_state_vector(state_vector: bytes, bounds: Bounds = BOUNDS) -> dict[int, int]:
    """Clock by client id. Raises UpdateError for what is not exactly one state vector."""
    if len(state_vector) > bounds.state_vector_bytes_max:
        raise UpdateError("too-large")
    clocks = {}
    try:
        count, at = read_var_uint(state_vector, 0) if state_vector else (0, 0)
        if count * 2 > len(state_vector):
            raise UpdateError("malformed")
        for _ in range(count):
            client, at = read_var_uint(state_vector, at)
            clocks[client], at = read_var_uint(state_vector, at)
    except WireError:
        raise UpdateError("malformed") from None
    if at != len(state_vector):
        raise UpdateError("trailing")
    return clocks


def check_state_vector(state_vector: bytes, bounds: Bounds = BOUNDS) -> None:
    """Raise UpdateError for what is not exactly one state vector; cheaper than decoding it.

    It is one number for the pairs behind it, and as many numbers as that says. What is longer than
    seven bytes for a number, or shorter than its pairs, is left to the decoder to word.
    """
    if _ONE_PAIR(state_vector) and len(state_vector) <= bounds.state_vector_bytes_max:
        return
    pairs = state_vector[0] if state_vector else 0
    numbers = len(state_vector.translate(None, _CONTINUED))
    if (
        len(state_vector) > bounds.state_vector_bytes_max
        or pairs >= 0x80
        or numbers != 2 * pairs + bool(state_vector)
        or state_vector[-1:] >= b"\x80"
        or _LONG(state_vector)
    ):
        decode_state_vector(state_vector, bounds)


def clock_of(state_vector: bytes, client: int) -> int:
    """One client's clock, without decoding the rest: a state vector may hold thousands.

    The encoded id is searched for; it is the client's where a number begins and where the count of
    numbers before it is odd, since the vector's length and pairs of id and clock precede it.
    """
    encoded = var_uint(client)
    numbers = counted = 0
    at = state_vector.find(encoded, 1)
    while at > 0:
        numbers += len(state_vector[counted:at].translate(None, _CONTINUED))
        counted = at
        if numbers & 1 and state_vector[at - 1] < 0x80:
            return read_var_uint(state_vector, at + len(encoded))[0]
        at = state_vector.find(encoded, at + 1)
    return 0


def waits(rest: bytes, state_vector: bytes) -> bool:
    """Whether something is left of an update in a replica that applied it.

    `rest` is the difference between that update and the replica's state vector. It repeats all
    deletions of the update; they wait only if they reach above the vector. Those that reach above
    all clocks there can be delete nothing, now or later.
    """
    if rest[0] != 0:
        return True
    clients, at = read_var_uint(rest, 1)
    for _ in range(clients):
        client, at = read_var_uint(rest, at)
        ranges, at = read_var_uint(rest, at)
        highest = 0
        for _range in range(ranges):
            low, at = read_var_uint(rest, at)
            length, at = read_var_uint(rest, at)
            if low + length <= CLOCK_MAX:
                highest = max(highest, low + length)
        if highest > clock_of(state_vector, client):
            return True
    return False


def _guarded(call: Callable[..., bytes], *arguments: bytes) -> bytes:
    """Call pycrdt on bytes of a peer; whatever it raises is the fault of those bytes."""
    try:
        return call(*arguments)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:  # noqa: BLE001  (pycrdt panics with a BaseException)
        raise UpdateError("malformed") from None
