"""What a seed decides before its run: how many take part, and which faults strike how often.

Each run switches some faults off and others up, because faults that always come together hide what
each of them does alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from crdt.bounds import Bounds

WEIGHTS = {
    "write": 30.0,
    "up": 60.0,
    "turn": 25.0,
    "down": 60.0,
    "land": 14.0,
    "answer": 14.0,
    "job": 8.0,
    "poll": 2.0,
    "connect": 4.0,
    "tick": 3.0,
    "say": 1.0,
    "hear": 20.0,
}
"""What always goes on."""

FAULTS = {
    "burst": 3.0,
    "cut": 0.7,
    "leave": 0.7,
    "die": 0.15,
    "newcomer": 0.3,
    "again": 1.0,
    "block": 1.0,
    "unblock": 2.0,
    "stall": 0.3,
    "crash": 0.2,
    "lose_load": 0.2,
    "lose_frame": 1.0,
    "compact": 0.5,
    "fence": 0.08,
    "hand_over": 1.0,
    "device_write": 1.5,
    "device_push": 3.0,
    "device_pull": 0.3,
    "edit": 0.7,
    "malformed": 0.3,
    "poison": 0.2,
    "doom": 0.2,
    "regrant": 0.2,
}
"""What a run may be spared."""

GAPS = ("hand_over", "device_push", "regrant")
"""Faults after which a predecessor may be missing for good. pycrdt by itself takes up what waits
before what it waits for, in wrong places; Yjs does not, and neither do we."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The size of a run and the weights of what may happen in it."""

    documents: int
    nodes: int
    peers: int
    """Of each document, at the beginning."""
    devices: int
    readers: float
    """Share of peers that may only read."""
    plain: float
    """Share of peers that are pycrdt as it is; the others behave as Yjs does."""
    steps: int
    weights: dict[str, float]
    bounds: Bounds

    @classmethod
    def draw(cls, rng: Random) -> Plan:
        """Let a seed decide."""
        weights = dict(WEIGHTS)
        for name, weight in FAULTS.items():
            weights[name] = weight * rng.choice((0, 0, 0.4, 1, 1, 3))
        plain = rng.choice((0.0, 0.0, 0.5, 1.0))
        if plain:
            weights.update(dict.fromkeys(GAPS, 0.0))
        return cls(
            documents=rng.choice((1, 1, 2, 3)),
            nodes=rng.choice((1, 1, 2, 2)),
            peers=rng.randint(2, 5),
            devices=rng.choice((0, 0, 1)),
            readers=rng.choice((0.0, 0.2)),
            plain=plain,
            steps=rng.randint(200, 1500),
            weights=weights,
            bounds=Bounds(
                merge_from=rng.choice((1, 3, 8)),
                recent_updates_max=rng.choice((1, 64)),
                diff_cache_max=rng.choice((1, 16)),
                presence_tick_from=rng.choice((2, 24)),
                presence_tick_s=rng.choice((0.03, 1.0)),
                pending_updates_max=rng.choice((3, 1000, 1000, 1000)),
            ),
        )
