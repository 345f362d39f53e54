"""Awareness as a peer's editor keeps it: `awareness.js` of y-protocols in a few lines.

Peers send on what they receive, say their own state again every 15 seconds, raise their clock when
somebody says that they are gone, and forget who was silent for 30 seconds.
"""

from __future__ import annotations

from crdt.awareness import NULL, Entry, decode, encode

RENEWED_S = 15.0
FORGOTTEN_S = 30.0


class Presence:
    """What one editor knows of all cursors, its own included."""

    def __init__(self, client_id: int) -> None:
        self.client_id = client_id
        self.states: dict[int, bytes] = {}
        self._clocks: dict[int, int] = {}
        self._heard_at: dict[int, float] = {}

    def say(self, state: bytes, now: float) -> bytes:
        """Set the own state; answers the message that says so."""
        clock = self._clocks.get(self.client_id, -1) + 1
        self._set(self.client_id, clock, state, now)
        return self._message([self.client_id])

    def greeting(self) -> bytes | None:
        """What is said on a new connection: the own state, if there is one."""
        return self._message([self.client_id]) if self.client_id in self.states else None

    def receive(self, payload: bytes, now: float) -> bytes | None:
        """Take in a message; answers what is sent on."""
        changed = []
        for entry in decode(payload):
            clock = self._clocks.get(entry.client, 0)
            ends = entry.clock == clock and entry.state == NULL and entry.client in self.states
            if entry.clock <= clock and not ends:
                continue
            changed.append(entry.client)
            if entry.state == NULL and entry.client == self.client_id and self.states:
                self._set(entry.client, entry.clock + 1, self.states.get(entry.client, b"{}"), now)
            else:
                self._set(entry.client, entry.clock, entry.state, now)
        return self._message(changed) if changed else None

    def tick(self, now: float) -> bytes | None:
        """Say the own state again in time, forget the silent."""
        own = self._heard_at.get(self.client_id)
        for client in list(self.states):
            if client != self.client_id and now - self._heard_at[client] >= FORGOTTEN_S:
                del self.states[client]
        if self.client_id in self.states and own is not None and now - own >= RENEWED_S:
            return self.say(self.states[self.client_id], now)
        return None

    def disconnected(self) -> None:
        """The connection is gone: so are the others."""
        self.states = {k: v for k, v in self.states.items() if k == self.client_id}

    def _set(self, client: int, clock: int, state: bytes, now: float) -> None:
        self._clocks[client] = clock
        self._heard_at[client] = now
        if state == NULL:
            self.states.pop(client, None)
        else:
            self.states[client] = state

    def _message(self, clients: list[int]) -> bytes:
        return encode(
            Entry(client, self._clocks.get(client, 0), self.states.get(client, NULL))
            for client in clients
        )
