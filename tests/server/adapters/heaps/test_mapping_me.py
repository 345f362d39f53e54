"""What an account is told of itself."""

from pathlib import Path

from server.adapters.heaps.mapping_me import entitlements, label, limits
from server.settings import Settings
from tests.storage.test_usage import NOTHING


def test_what_has_a_limit_says_how_much_of_it_is_used() -> None:
    """Each feature once; what has no limit says so."""
    bounds = limits(Settings(data=Path("x"), keys_per_account_max=3))
    found = {one.feature: (one.used, one.limit) for one in entitlements(NOTHING, bounds)}

    assert found["devices"] == (1, 3)
    assert found["documents"] == (0, None)
    assert len(found) == 7


def test_names_can_be_shown() -> None:
    """Nothing in them that a terminal or a database would trip over."""
    assert label(" my\0 phone\n") == "my phone"
