"""The counters of the commits."""

import pytest

from storage.log import Flusher
from storage.pool import Pool
from storage.statistics import LATENCY_BOUNDS_S, ROWS_BOUNDS, Statistics
from tests.storage.papers import append, paper


@pytest.mark.parametrize(
    ("rows", "bucket"), [(1, 0), (2, 1), (3, 2), (512, 9), (513, 10), (5000, len(ROWS_BOUNDS))]
)
def test_a_bucket_holds_what_is_up_to_its_bound(rows: int, bucket: int) -> None:
    """The last one holds the rest."""
    statistics = Statistics()

    statistics.committed(rows, 0, 0.0)

    assert statistics.rows_buckets.index(1) == bucket


def test_a_slow_commit_falls_into_the_last_bucket() -> None:
    """And a fast one into the first."""
    statistics = Statistics()

    statistics.committed(1, 0, 60.0)
    statistics.committed(1, 0, 0.0001)

    assert statistics.latency_buckets[0] == statistics.latency_buckets[len(LATENCY_BOUNDS_S)] == 1


async def test_statistics_count_commits_rows_and_bytes(pool: Pool, flusher: Flusher) -> None:
    """Every commit falls into one bucket of latency and one of size."""
    document = (await paper(pool)).id

    await append(flusher, document, b"a", b"b")
    await append(flusher, document, b"c")

    statistics = flusher.statistics
    assert (statistics.commits, statistics.rows, statistics.bytes) == (2, 3, 3)
    assert sum(statistics.latency_buckets) == sum(statistics.rows_buckets) == 2
    assert statistics.rows_buckets[:2] == [1, 1]
