"""The budget of large bodies."""

import pytest

from server.budget import Budget
from server.errors import Busy


def test_what_does_not_fit_is_busy_until_something_ends() -> None:
    """The bytes come back when the work is over, also when it failed."""
    budget = Budget(100)
    with budget.take(60):
        with pytest.raises(Busy), budget.take(41):
            pass
        with budget.take(40):
            assert budget.taken == 100
    with pytest.raises(ValueError, match="x"), budget.take(100):
        raise ValueError("x")

    assert budget.taken == 0


def test_one_request_always_fits() -> None:
    """A bound below the size of a request would otherwise be a dead end."""
    budget = Budget(100)
    with budget.take(1000), pytest.raises(Busy), budget.take(1):
        pass
