"""Counters of the commits, as plain integers: `server/metrics.py` reads them when it is asked."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Callable

LATENCY_BOUNDS_S = (
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0,
)  # fmt: skip
ROWS_BOUNDS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096)


class Statistics:
    """What the flusher did since it was made; every number only grows."""

    def __init__(self) -> None:
        self.commits = 0
        self.rows = 0
        self.bytes = 0
        self.latency_s = 0.0
        """Sum over all commits of the time from sending the statement to its answer."""
        self.latency_buckets = [0] * (len(LATENCY_BOUNDS_S) + 1)
        """Commits by latency; bucket i holds those up to LATENCY_BOUNDS_S[i], the last the rest."""
        self.rows_buckets = [0] * (len(ROWS_BOUNDS) + 1)
        """Commits by number of rows, up to ROWS_BOUNDS[i]."""
        self.fenced_rows = 0
        """Rows refused: document deleted, lineage changed, or poisoned."""
        self.lock_waits = 0
        """Commits that found a head locked for longer than `lock_timeout`."""
        self.retries = 0
        """Attempts that had to be repeated, for whatever reason."""
        self.rests = 0
        """Commits that waited a little for company, because writers are many."""
        self.recognised_rows = 0
        """Rows found committed although the commit's answer was lost."""
        self.news = asyncio.Event()
        """Set by each commit; the sweeper of the change feed clears it."""
        self.on_commit: Callable[[int, int, float], None] | None = None
        """Told of each commit too: rows, bytes, seconds."""

    def committed(self, rows: int, size: int, latency_s: float) -> None:
        """Count one commit of the fast, large or side lane; its fenced rows are counted too."""
        self.commits += 1
        self.rows += rows
        self.news.set()
        self.bytes += size
        self.latency_s += latency_s
        self.latency_buckets[bisect_left(LATENCY_BOUNDS_S, latency_s)] += 1
        self.rows_buckets[bisect_left(ROWS_BOUNDS, rows)] += 1
        if self.on_commit is not None:
            self.on_commit(rows, size, latency_s)
