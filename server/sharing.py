"""What a turn brought, to the store and to everybody in a room: the other half of the hot path."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from server import websocket
from server.backlog import ROW_BYTES
from storage.log import Row

if TYPE_CHECKING:
    from crdt.effects import Append, Broadcast
    from server.live import LiveRoom
    from server.outbox import Outbox, Turns

_CROWD = 32
"""Readers from which on a room paces its turns."""
_PACE_S, _PACE_S_MAX = 100e-6, 16e-3
"""A turn of a crowded room is followed by this pause per reader, up to one frame of a screen: what
arrives in it shares one write per reader and one commit. A single keystroke never waits, nor does a
dozen (`LiveRoom.put`); without the pause each of 300 updates a second costs a write per reader."""


def store(live: LiveRoom, effect: Append) -> None:
    """Give a turn's rows to the flusher, which tells the room once they are committed."""
    at = time.time()
    size = len(effect.rows) * ROW_BYTES
    rows = []
    for session, update in effect.rows:
        size += len(update)
        author = session.account if session is not None else None
        rows.append(Row(update, author, getattr(session, "device", None), at))
    live.unsaved_bytes += size
    documents, record = live.documents, live.record
    documents.metrics.updates_in += len(rows)
    settled = partial(live.settled, effect.batch, size)
    documents.flusher.append(record.id, record.lineage, rows, settled)
    documents.backlog.grew(live)


def broadcast(live: LiveRoom, turns: Turns, effect: Broadcast) -> int:
    """Queue a turn's updates for all who are here; answers how many updates were queued.

    One blob per distinct address, one append to each member's outbox.
    """
    bodies = effect.bodies
    alone = bodies[0][0] if len(bodies) == 1 else None
    authors = (alone,) if alone is not None else {author for author, _ in bodies}
    blobs: dict[bytes, bytes] = {}
    touched = turns.touched
    count = 0
    for session in live.room.sessions:
        if session is alone or session.behind is not None:
            continue
        outbox: Outbox = session.outbox  # type: ignore[attr-defined]
        if outbox.blocked:
            live.fell_behind(session)
            continue
        prefix: bytes = session.prefix  # type: ignore[attr-defined]
        if session in authors:
            frames = [websocket.encode(prefix + b) for a, b in bodies if a is not session]
            if not frames:
                continue
            blob = b"".join(frames)
            count += len(frames)
        else:
            count += len(bodies)
            cached = blobs.get(prefix)
            if cached is None:
                cached = blobs[prefix] = _blob(prefix, effect)
            blob = cached
        outbox.frames.append(blob)
        if not outbox.dirty:
            outbox.dirty = True
            touched.append(outbox)
    turns.flush_later()
    readers = len(live.room.sessions)
    if readers >= _CROWD:
        live.not_before = turns.clock() + min(readers * _PACE_S, _PACE_S_MAX)
    return count


def present(live: LiveRoom, turns: Turns, body: bytes) -> int:
    """Show awareness to all who are here; answers how many frames were queued."""
    blobs: dict[bytes, bytes] = {}
    count = 0
    for session in live.room.sessions:
        outbox: Outbox = session.outbox  # type: ignore[attr-defined]
        if session.behind is not None:
            continue
        if outbox.blocked:
            live.fell_behind(session)  # It is shown all states when it reads again.
            continue
        prefix: bytes = session.prefix  # type: ignore[attr-defined]
        blob = blobs.get(prefix)
        if blob is None:
            blob = blobs[prefix] = websocket.encode(prefix + body)
        outbox.frames.append(blob)
        count += 1
        if not outbox.dirty:
            turns.touch(outbox)
    return count


def _blob(prefix: bytes, effect: Broadcast) -> bytes:
    """All frames of a turn for one address, joined."""
    if effect.merged is not None:
        return websocket.encode(prefix + effect.merged)
    if len(effect.bodies) == 1:
        return websocket.encode(prefix + effect.bodies[0][1])
    return b"".join([websocket.encode(prefix + body) for _, body in effect.bodies])
