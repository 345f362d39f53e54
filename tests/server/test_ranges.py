"""Conditions and ranges, case by case."""

from datetime import UTC, datetime

import pytest
from multidict import CIMultiDict

from server.ranges import Answer, Thing, Verdict, judge, ranges

THING = Thing(100, '"abc"', datetime(2026, 11, 21, 12, 0, 0, 500_000, UTC))
WHOLE = Answer(Verdict.WHOLE, 0, 100)
THEN, BEFORE, AFTER = (
    f"Sat, 21 Nov 2026 {time} GMT" for time in ("12:00:00", "11:59:59", "12:00:01")
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("bytes=0-0", [(0, 1)]),
        ("bytes=0-99", [(0, 100)]),
        ("bytes=10-", [(10, 100)]),
        ("bytes=-10", [(90, 100)]),
        ("bytes=-200", [(0, 100)]),
        ("bytes=50-1000", [(50, 100)]),
        ("bytes=99-99", [(99, 100)]),
        ("bytes=100-", []),
        ("bytes=100-200", []),
        ("bytes=-0", []),
        ("bytes=0-999999999999999999999999", [(0, 100)]),
        ("bytes=999999999999999999999999-", []),
        ("bytes= 0-1 , 5-6", [(0, 2), (5, 7)]),
        ("bytes=0-1,500-600", [(0, 2)]),
        ("Bytes=0-1", [(0, 2)]),
        ("bytes=5-4", None),
        ("bytes=", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("bytes=1-2-3", None),
        ("bytes=--1", None),
        ("bytes=1", None),
        ("bytes=0x1-2", None),
        ("bytes=٣-٤", None),
        ("bytes=1-2,", None),
        ("bytes=+1-2", None),
        ("items=0-1", None),
        ("0-1", None),
        ("", None),
        ("bytes=" + "0-1," * 2000 + "0-1", None),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_ranges(text: str, found: list[tuple[int, int]] | None) -> None:
    """What lies inside, nothing where nothing does, None where the header is to be ignored."""
    assert ranges(text, 100) == found


@pytest.mark.parametrize("text", ["bytes=0-", "bytes=0-0", "bytes=-5", "bytes=-0"])
def test_of_nothing_there_is_no_range(text: str) -> None:
    """An empty file has no satisfiable one."""
    assert ranges(text, 0) == []


@pytest.mark.parametrize(
    ("headers", "answer"),
    [
        ({}, WHOLE),
        ({"range": "bytes=1-2"}, Answer(Verdict.PART, 1, 3)),
        ({"Range": "bytes=0-99"}, Answer(Verdict.PART, 0, 100)),
        ({"Range": "bytes=1-2,4-5"}, WHOLE),
        ({"Range": "bytes=1-2,400-500"}, Answer(Verdict.PART, 1, 3)),
        ({"Range": "bytes=400-"}, Answer(Verdict.UNSATISFIABLE, 0, 0)),
        ({"Range": "nonsense"}, WHOLE),
        ({"Range": "bytes=1-2", "If-Range": '"abc"'}, Answer(Verdict.PART, 1, 3)),
        ({"Range": "bytes=1-2", "If-Range": 'W/"abc"'}, WHOLE),
        ({"Range": "bytes=1-2", "If-Range": '"xyz"'}, WHOLE),
        ({"Range": "bytes=400-", "If-Range": '"xyz"'}, WHOLE),
        ({"Range": "bytes=1-2", "If-Range": THEN}, Answer(Verdict.PART, 1, 3)),
        ({"Range": "bytes=1-2", "If-Range": AFTER}, WHOLE),
        ({"Range": "bytes=1-2", "If-Range": BEFORE}, WHOLE),
        ({"Range": "bytes=1-2", "If-Range": "nonsense"}, WHOLE),
        ({"If-None-Match": '"abc"'}, Answer(Verdict.NOT_MODIFIED, 0, 0)),
        ({"If-None-Match": 'W/"abc"'}, Answer(Verdict.NOT_MODIFIED, 0, 0)),
        ({"If-None-Match": '"x", "abc"'}, Answer(Verdict.NOT_MODIFIED, 0, 0)),
        ({"If-None-Match": "*"}, Answer(Verdict.NOT_MODIFIED, 0, 0)),
        ({"If-None-Match": '"x"'}, WHOLE),
        ({"If-None-Match": "abc"}, WHOLE),
        ({"If-None-Match": '"abc"', "Range": "bytes=400-"}, Answer(Verdict.NOT_MODIFIED, 0, 0)),
        ({"If-None-Match": '"x"', "If-Modified-Since": THEN}, WHOLE),
        ({"If-Modified-Since": THEN}, Answer(Verdict.NOT_MODIFIED, 0, 0)),
        ({"If-Modified-Since": AFTER}, Answer(Verdict.NOT_MODIFIED, 0, 0)),
        ({"If-Modified-Since": BEFORE}, WHOLE),
        ({"If-Modified-Since": "yesterday"}, WHOLE),
        ({"If-Match": '"abc"'}, WHOLE),
        ({"If-Match": "*"}, WHOLE),
        ({"If-Match": 'W/"abc"'}, Answer(Verdict.FAILED, 0, 0)),
        ({"If-Match": '"x"'}, Answer(Verdict.FAILED, 0, 0)),
        ({"If-Unmodified-Since": BEFORE}, Answer(Verdict.FAILED, 0, 0)),
        ({"If-Unmodified-Since": THEN}, WHOLE),
        ({"If-Match": '"abc"', "If-Unmodified-Since": BEFORE}, WHOLE),
    ],
    ids=lambda value: repr(value)[:60] if isinstance(value, dict) else "",
)
def test_what_a_get_gets(headers: dict[str, str], answer: Answer) -> None:
    """RFC 9110, 13.2.2: conditions first, in their order; then the range, if it counts."""
    assert judge(CIMultiDict(headers), THING) == answer


def test_a_head_has_no_ranges() -> None:
    """They are defined for GET; conditions count all the same."""
    headers = CIMultiDict({"Range": "bytes=1-2"})
    known = CIMultiDict({"If-None-Match": '"abc"'})

    assert judge(headers, THING, is_get=False) == WHOLE
    assert judge(known, THING, is_get=False).verdict is Verdict.NOT_MODIFIED
