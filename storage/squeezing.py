"""The pure work of compaction, for a worker process: no database, only bytes in and bytes out.

What comes out was loaded again and compared before it is believed: `rebuild(snapshot + rows that
wait)` says what `rebuild(log)` says, struct for struct.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from crdt.document import Document, delete_only, merge
from crdt.errors import DocumentBroken, UpdateError
from storage.loading import pack


class Squeezed(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot that stands for a log up to its head, but for what waits and what is bad."""

    encoding: int
    data: bytes
    plain_bytes: int
    state_vector: bytes
    delete_only: bytes
    pending: list[int]
    """Sequences of rows that the snapshot lacks because their predecessors are missing."""
    bad: list[tuple[int, str]]
    """Sequences of rows that break the document, and why; to be set aside."""


def squeeze(snapshot: bytes | None, rows: Sequence[tuple[int, bytes]]) -> Squeezed | str:
    """Make the snapshot of an older snapshot and the rows (sequence, bytes) after it.

    Answers a sentence instead when the snapshot does not stand for them: then nothing may be
    replaced. Raises DocumentBroken when the older snapshot itself is bad.
    """
    whole, proof, good, bad = rebuild_without_bad(snapshot, rows)
    pending: list[tuple[int, bytes]] = []
    clean, encoded = whole, proof
    while clean.has_pending:
        waiting = set(clean.pending())
        found = [row for row in good if row[1] in waiting]
        if not found:
            return "something in the older snapshot waits, and is no row"
        good = [row for row in good if row[1] not in waiting]
        pending += found
        clean = _rebuild(snapshot, good)
        encoded = clean.encode()
    pending.sort()
    again = _rebuild(encoded, pending)
    if not whole.same(again):
        return "the new snapshot does not load as the document it was made from"
    encoding, data = pack(encoded)
    return Squeezed(
        encoding=encoding,
        data=data,
        plain_bytes=len(encoded),
        state_vector=clean.state_vector(),
        delete_only=delete_only(encoded),
        pending=[sequence for sequence, _ in pending],
        bad=bad,
    )


def rebuild_without_bad(
    snapshot: bytes | None, rows: Sequence[tuple[int, bytes]]
) -> tuple[Document, bytes, list[tuple[int, bytes]], list[tuple[int, str]]]:
    """The document of all rows but those that break it, encoded too; those rows; the others.

    Raises DocumentBroken when the snapshot itself is bad: no row is to blame then.
    """
    good = list(rows)
    bad: list[tuple[int, str]] = []
    while True:
        try:
            document = _rebuild(snapshot, good)
            encoded = document.encode()
        except (DocumentBroken, UpdateError) as error:
            at = _first_bad(snapshot, good)
            bad.append((good.pop(at)[0], str(error)))
        else:
            return document, encoded, good, bad


def merge_pieces(
    whole: Sequence[bytes], groups: Sequence[tuple[int, int]]
) -> list[tuple[int, bytes]] | str:
    """Merge each stretch `whole[start:end]` into one update, packed for storing.

    `whole` is everything that integrated, in order. Answers a sentence instead when the document
    with the stretches merged is not the one without.
    """
    merged = [merge(whole[start:end]) for start, end in groups]
    pieces: list[bytes] = []
    at = 0
    for (start, end), piece in zip(groups, merged, strict=True):
        pieces += [*whole[at:start], piece]
        at = end
    pieces += whole[at:]
    if not Document.rebuild(pieces).same(Document.rebuild(whole)):
        return "the merged history does not load as the history it was made from"
    return [pack(piece) for piece in merged]


def _rebuild(snapshot: bytes | None, rows: Sequence[tuple[int, bytes]]) -> Document:
    updates = [data for _, data in rows]
    return Document.rebuild(updates if snapshot is None else [snapshot, *updates])


def _breaks(snapshot: bytes | None, rows: Sequence[tuple[int, bytes]]) -> bool:
    try:
        _rebuild(snapshot, rows).encode()  # Some accepted updates panic only here.
    except (DocumentBroken, UpdateError):
        return True
    return False


def _first_bad(snapshot: bytes | None, rows: Sequence[tuple[int, bytes]]) -> int:
    """The index of a row that breaks the document, found by halving.

    The row with which it first breaks may be innocent: an earlier one may have waited for it.
    """
    sound, broken = -1, len(rows)
    while broken - sound > 1:
        middle = (sound + broken) // 2
        if _breaks(snapshot, rows[:middle]):
            broken = middle
        else:
            sound = middle
    if broken == 0:
        raise DocumentBroken(None, "the snapshot is bad")
    last = broken - 1
    waiting = set(_rebuild(snapshot, rows[:last]).pending())
    others = [row for row in rows[:last] if row[1] not in waiting]
    if waiting and not _breaks(snapshot, [*others, rows[last]]):
        for index, row in enumerate(rows[:last]):
            if row[1] in waiting and _breaks(snapshot, [*others, rows[last], row]):
                return index
    return last
