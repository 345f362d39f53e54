"""Whether updates may bring the same structs: such a batch must not be given to pycrdt whole.

Where two updates of a batch wait for their predecessors and overlap, pycrdt 0.14 cuts one of them
where it already hung the other one into the document, and frees what the document points to: the
process dies. Which of them wait is only known afterwards, so an overlapping batch is taken apart
first (`gaps`). Honest batches hardly overlap, and each of them pays for this look.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

from crdt.errors import UpdateError, WireError
from crdt.outline import Range, outline
from crdt.wire.lib0 import read_var_bytes, read_var_uint

_NUMBER: Final = rb"[\x80-\xff]{0,9}[\x00-\x7f]"
_ONE_CLIENT: Final = re.compile(rb"\x01" + _NUMBER + rb"(" + _NUMBER + rb")").match
"""An update that brings structs of one client: which one."""
_ONE_TEXT: Final = re.compile(
    rb"\x01\x01(" + _NUMBER + rb")(" + _NUMBER + rb")"
    rb"(?:\x84" + _NUMBER * 2 + rb"|\x44" + _NUMBER * 2 + rb"|\xc4" + _NUMBER * 4 + rb")"
).match
"""What typing makes: one text behind others; its length follows."""


def overlap(updates: Sequence[bytes]) -> bool:
    """Whether two of these checked updates may bring the same structs. Never wrong when it says no.

    0.3 us an update where each is of another client.
    """
    if len(updates) < 2:
        return False
    clients: set[bytes] = set()
    for update in updates:
        if update < b"\1":  # It brings no structs.
            continue
        one = _ONE_CLIENT(update)
        if one is None or one[1] in clients:
            return _overlap(updates)
        clients.add(one[1])
    return False


def _overlap(updates: Iterable[bytes]) -> bool:
    """The same by the clocks of all of them."""
    ranges = sorted(one for update in updates for one in _ranges(update))
    return any(one[0] == next_[0] and next_[1] < one[2] for one, next_ in pairwise(ranges))


def _ranges(update: bytes) -> list[Range]:
    """The structs that an update brings; for what typing makes without reading all of it."""
    text = _ONE_TEXT(update)
    try:
        if text is None:
            return outline(update).ranges
        content, _ = read_var_bytes(update, text.end())
        if not content.isascii():
            return outline(update).ranges
        client, at = read_var_uint(update, 2)
        clock, _ = read_var_uint(update, at)
    except (WireError, UpdateError):  # It was not checked: it is refused elsewhere.
        return []
    return [(client, clock, clock + len(content))]
