"""How times are spelled."""

from server.adapters.heaps.moments import spelled


def test_times_are_iso_to_the_second() -> None:
    """In UTC; what never was stays nothing."""
    assert spelled(1_790_000_000.9) == "2026-09-21T14:13:20+00:00"
    assert spelled(None) is None
