"""What the adapter decides, reads and writes without a server; and what it clears away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from server.adapters.pinakes import mapping, schema
from server.adapters.pinakes.asking import SHELVES, UPLOADING
from server.adapters.pinakes.clearing import Clearing
from server.adapters.pinakes.deciding import Draft, Reported, Verdict
from server.adapters.pinakes.walks import Walks
from server.errors import ApiError, BadBody
from storage.duties import Duties
from storage.pinakes.writing import NO_DEVICE, File
from tests.inside import Inside
from tests.server.adapters.pinakes.conftest import ada, desk, inside, lap
from tests.server.adapters.pinakes.machine import Machine, changed

__all__ = ["ada", "desk", "inside", "lap"]

A, B, C = b"a" * 32, b"b" * 32, b"c" * 32
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def file(path: str, digest: bytes | None, **more: object) -> File:
    """A file that is there, or with None was."""
    word = "deleted" if digest is None else "created"
    return File(path=path, hash=digest, size=1, change=word, **more)  # type: ignore[arg-type]


def draft(*files: File) -> Draft:
    """What a report finds; all contents are here."""
    return Draft({one.path: one for one in files}, {A: 1, B: 2, C: 3})


@pytest.mark.parametrize(
    ("there", "change", "verdict"),
    [
        ([], Reported(path="x", change="created", hash=A), Verdict.CLEAR),
        ([], Reported(path="x", change="modified", hash=A, base=B), Verdict.CLEAR),
        ([file("x", A)], Reported(path="x", change="created", hash=A), Verdict.SAME),
        ([file("x", A)], Reported(path="x", change="created", hash=B), Verdict.CONFLICT),
        ([file("x", A)], Reported(path="x", change="modified", hash=B, base=A), Verdict.CLEAR),
        ([file("x", A)], Reported(path="x", change="modified", hash=B, base=C), Verdict.CONFLICT),
        (
            [file("x", None)],
            Reported(path="x", change="modified", hash=B, base=A),
            Verdict.CONFLICT,
        ),
        ([file("x", None)], Reported(path="x", change="created", hash=B), Verdict.CLEAR),
        ([], Reported(path="x", change="deleted", base=A), Verdict.SAME),
        ([file("x", A)], Reported(path="x", change="deleted", base=A), Verdict.CLEAR),
        ([file("x", A)], Reported(path="x", change="deleted"), Verdict.CLEAR),
        ([file("x", A)], Reported(path="x", change="deleted", base=B), Verdict.CONFLICT),
        ([file("y", A)], Reported(path="x", change="moved", hash=A, old_path="y"), Verdict.CLEAR),
        ([file("y", A)], Reported(path="x", change="moved", old_path="y"), Verdict.CLEAR),
        (
            [file("y", B)],
            Reported(path="x", change="moved", hash=A, base=A, old_path="y"),
            Verdict.CONFLICT,
        ),
        (
            [file("y", A), file("x", B)],
            Reported(path="x", change="moved", hash=A, base=A, old_path="y"),
            Verdict.CONFLICT,
        ),
        (
            [file("y", None), file("x", A)],
            Reported(path="x", change="moved", hash=A, base=A, old_path="y"),
            Verdict.SAME,
        ),
        ([], Reported(path="x", change="moved", hash=A, base=A, old_path="y"), Verdict.CLEAR),
        ([], Reported(path="x", change="metadata_updated", mtime="1"), Verdict.SAME),
        ([file("x", A)], Reported(path="x", change="metadata_updated", mtime="1"), Verdict.CLEAR),
    ],
    ids=lambda value: value.value if isinstance(value, Verdict) else "",
)
def test_a_change_is_judged_by_its_base(
    there: list[File], change: Reported, verdict: Verdict
) -> None:
    """Every kind of change, against every state in which its path can be."""
    assert draft(*there).judge(change).verdict is verdict


def test_a_moved_file_that_changes_lets_its_old_path_be_told() -> None:
    """Behind the file, so that nobody forgets the one before the other was heard of."""
    device = uuid4()
    made = draft(file("y", A))
    made.write(Reported(path="x", change="moved", hash=A, old_path="y"), device)
    move = made.written
    made.write(Reported(path="x", change="modified", hash=B, base=A), device)

    assert [(one.path, one.change, one.moved_to) for one in move] == [
        ("x", "moved", None),
        ("y", "deleted", "x"),
    ]
    assert [(one.path, one.change, one.moved_to) for one in made.written] == [
        ("x", "modified", None),
        ("y", "deleted", None),
    ]


def test_a_conflict_that_is_reported_again_is_the_same() -> None:
    """And one about another version takes its place."""
    change = Reported(path="x", change="modified", hash=B, base=C)
    first = draft(file("x", A)).disagree(change, NO_DEVICE, A, uuid4(), NOW)
    again = Draft({}, {}, [first])
    newer = Draft({}, {}, [first])

    assert again.disagree(change, NO_DEVICE, A, uuid4(), NOW) is first
    assert newer.disagree(change, NO_DEVICE, C, uuid4(), NOW).id != first.id
    assert (again.closed, newer.closed) == ([], [first.id])


@pytest.mark.parametrize(
    "text",
    ["", "/a", "a/", "a//b", ".", "..", "a/../b", "a/./b", "a\\b", "a\0b", "a\nb", "\ud800",
     "x" * 256, "/".join(["x" * 200] * 6)],
    ids=repr,
)  # fmt: skip
def test_what_is_no_path(text: str) -> None:
    """It could lead out of the library, or be no name on some device."""
    assert mapping.path_of(text) is None
    with pytest.raises(BadBody):
        mapping.read_path(text, "path")


@pytest.mark.parametrize("text", ["a", "a/b c/d.txt", ".hidden", "...", "a..b", "ü/🙂", "x" * 255])
def test_what_is_a_path(text: str) -> None:
    """Hidden files, spaces and letters of any script are names."""
    assert mapping.path_of(text) == text


def test_cursors_and_limits_are_whole_numbers() -> None:
    """In digits as ASCII has them; a limit is cut to a thousand."""
    assert [mapping.read_cursor(text) for text in (None, "0", "007")] == [0, 0, 7]
    assert [mapping.read_limit(text) for text in (None, "1", "99999")] == [100, 1, 1000]
    for text in ("", "-1", "1e3", "٣", "9" * 19):
        with pytest.raises(ApiError):
            mapping.read_cursor(text)


def test_who_reads_on_has_seen_what_was_told_in_this_reading() -> None:
    """And not what moved behind the place where it is; what is forgotten counts as seen."""
    walks, device = Walks(2), UUID(int=1)
    start = walks.seen("ada", device, 0, head=9)
    walks.paused("ada", device, start, 5)
    later = walks.seen("ada", device, 5, head=12)
    elsewhere = walks.seen("bob", device, 5, head=12)
    for cursor in (6, 7):
        walks.paused("ada", device, start, cursor)

    assert not start.has(born=1, stamp=1)
    assert not later.has(born=2, stamp=9)
    assert later.has(born=2, stamp=10)
    assert elsewhere.has(born=2, stamp=9)
    assert walks.seen("ada", device, 5, head=12).has(born=2, stamp=9)


def test_an_error_is_a_word_and_a_sentence() -> None:
    """With what else is to be said."""
    assert schema.refusal("bad", "It is.", {"missing_chunks": [1]}) == {
        "error": "bad",
        "message": "It is.",
        "missing_chunks": [1],
    }


@pytest.mark.asyncio(loop_scope="module")
async def test_replaced_versions_are_let_go_after_their_time(
    inside: Inside, desk: Machine, lap: Machine
) -> None:
    """With the promises that nobody kept; what something refers to stays, however old."""
    one, two, three = b"\xff 1", b"\xff 2", b"\xff 3"
    await desk.put("a.bin", one)
    await desk.put("b.bin", three)
    await desk.put("a.bin", two, one)
    await desk.report(changed("c.bin", b"\xff never"))
    shelves = inside.app[SHELVES]
    clearing = Clearing(shelves, inside.app[UPLOADING], Duties(inside.pool, "a test"))
    early = await clearing.clear(datetime.now(UTC))
    await clearing.clear(datetime.now(UTC) + timedelta(days=31))
    again = await lap.report(changed("d.bin", one), changed("e.bin", three))
    promised = await inside.pool.fetchval(
        "SELECT count(*) FROM pinakes_pending WHERE path = 'c.bin'"
    )

    assert early == 0
    assert again["upload_required"] == ["d.bin"]
    assert (await lap.content("a.bin"), await lap.content("b.bin")) == (two, three)
    assert promised == 0
