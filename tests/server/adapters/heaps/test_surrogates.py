"""Half characters in a body."""

from __future__ import annotations

import pytest

from server.adapters.heaps.surrogates import ESCAPES_MAX, without_lone


@pytest.mark.parametrize(
    ("said", "read"),
    [
        (rb'"\ud800"', rb'"\u0000"'),
        (rb'"\uDC00x\udbff"', rb'"\u0000x\u0000"'),
        (rb'"\ud83d\ude00\ud83d"', rb'"\ud83d\ude00\u0000"'),
        (rb'"\ud83d\ud83d\ude00"', rb'"\u0000\ud83d\ude00"'),
        (rb'"\\\ud800"', rb'"\\\u0000"'),
        (rb'"\ud83d\\ude00"', rb'"\u0000\\ude00"'),
    ],
)
def test_only_what_is_alone_is_replaced(said: bytes, read: bytes) -> None:
    """Pairs stay, and what only looks like an escape."""
    assert without_lone(said) == read


@pytest.mark.parametrize(
    "said", [b"", rb'"\ud83d\ude00"', rb'"\\ud800"', rb'"\ud8"', rb'"\ud800"' * (ESCAPES_MAX + 1)]
)
def test_where_nothing_is_to_be_done_nothing_is_returned(said: bytes) -> None:
    """Also where it would be too much."""
    assert without_lone(said) is None
