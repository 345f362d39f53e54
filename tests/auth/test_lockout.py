"""When wrong passwords lock a door, and for how long."""

from auth.lockout import Attempts, Lockout

RULE = Lockout(failures_max=5, lock_s=600, forget_s=300)


def after(*times: float) -> Attempts:
    """What counts after wrong passwords at these times."""
    attempts = Attempts()
    for at in times:
        attempts = RULE.failed(attempts, at)
    return attempts


def test_the_fifth_locks_for_ten_minutes() -> None:
    """Four do not."""
    four, five = after(1, 2, 3, 4), after(1, 2, 3, 4, 5)

    assert (RULE.left(four), RULE.locked_for(four, 4)) == (1, 0)
    assert (RULE.left(five), RULE.locked_for(five, 5)) == (0, 600)
    assert RULE.locked_for(five, 604.5) == 0.5
    assert RULE.locked_for(five, 605) == 0


def test_after_five_quiet_minutes_the_count_begins_anew() -> None:
    """Counted from the last wrong one; a lock is longer than that, so it leaves nothing."""
    assert after(1, 2, 3, 4, 304).failures == 5
    assert after(1, 2, 3, 4, 304.5).failures == 1
    assert RULE.failed(after(1, 2, 3, 4, 5), 606).failures == 1
