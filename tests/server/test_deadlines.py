"""Deadlines to the second."""

import tracemalloc

from server.deadlines import Deadlines


def test_what_is_due_comes_in_order_and_once() -> None:
    """Nothing before its time; what was late when it was added comes at the next look."""
    deadlines: Deadlines[str] = Deadlines()
    for time_s, name in ((20.5, "c"), (10.0, "a"), (10.0, "b"), (-3.2, "late"), (30.0, "d")):
        deadlines.add(time_s, name)

    assert deadlines.due(9.9) == ["late"]
    assert deadlines.due(20.9) == ["a", "b"]
    assert (deadlines.due(21.0), len(deadlines)) == (["c"], 1)
    assert (deadlines.due(29.0), deadlines.due(99.0), deadlines.due(99.0)) == ([], ["d"], [])


def test_nothing_is_left_after_clearing() -> None:
    """And it can be filled again."""
    deadlines: Deadlines[int] = Deadlines()
    for number in range(100):
        deadlines.add(number, number)
    deadlines.clear()
    deadlines.add(5, 7)

    assert (len(deadlines), deadlines.due(1000)) == (1, [7])


def test_those_of_one_token_take_a_few_bytes_each() -> None:
    """A place in a list; a heap of tuples took 150."""
    deadlines: Deadlines[None] = Deadlines()
    tracemalloc.start()
    for _ in range(2000):
        deadlines.add(1_790_000_000.5, None)
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()

    assert used < 2000 * 16
