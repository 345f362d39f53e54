"""What two devices tell each other: the feed, reports and texts."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.inside import Guest, Inside, serving
from tests.server.adapters.pinakes.machine import Machine, changed, deleted, digest, moved

pytestmark = pytest.mark.asyncio(loop_scope="module")

ONE, TWO, THREE = b"\xff one", b"\xff two", b"\xff three"
HALF = b"first line\n\nthe middle\n\nlast line\n"


async def test_a_new_file_is_told_once_its_bytes_are_here(desk: Machine, lap: Machine) -> None:
    """Not at the report, which asks for the bytes, but after the upload; and not to its author."""
    told = await desk.report(changed("a/b.bin", ONE))
    before = await lap.news()
    await desk.upload("a/b.bin", ONE)

    assert told == {"accepted": ["a/b.bin"], "conflicts": [], "upload_required": ["a/b.bin"]}
    assert before == []
    assert await lap.news() == [("created", "a/b.bin")]
    assert await desk.news() == []
    assert await lap.content("a/b.bin") == ONE


async def test_an_edit_a_move_and_a_deletion_are_told(desk: Machine, lap: Machine) -> None:
    """Each as what it is, to who has seen the path before; a move is one line."""
    await desk.put("a.bin", ONE)
    assert await lap.news() == [("created", "a.bin")]
    await desk.put("a.bin", TWO, ONE)
    assert await lap.news() == [("modified", "a.bin")]
    await desk.report(moved("a.bin", "b.bin", TWO))
    page = await lap.changes(lap.cursor)
    assert await lap.news() == [("moved", "b.bin")]
    await desk.report(deleted("b.bin", TWO))
    assert ("deleted", "b.bin") in await lap.news()
    status, _, _ = await lap.download("b.bin")

    assert page["changes"][0]["old_path"] == "a.bin"
    assert page["changes"][0]["content_hash"] == digest(TWO)
    assert status == 404


async def test_a_move_is_told_by_what_the_device_has_seen(desk: Machine, lap: Machine) -> None:
    """Who never saw the old path has something created; a move and an edit are two lines."""
    await desk.put("old.bin", ONE)
    seen = lap.cursor = (await lap.changes())["cursor"]
    await desk.report(moved("old.bin", "new.bin", ONE))
    never = [(one["change_type"], one["path"]) for one in (await lap.changes())["changes"]]
    await desk.put("new.bin", TWO, ONE)
    both = [(one["change_type"], one["path"]) for one in (await lap.changes(seen))["changes"]]

    assert ("created", "new.bin") in never
    assert ("moved", "new.bin") not in never
    assert sorted(both) == [("created", "new.bin"), ("deleted", "old.bin")]


async def test_a_chain_of_moves_leaves_nothing_behind(desk: Machine, lap: Machine) -> None:
    """Whoever saw the first name hears that it went, and of the last one."""
    await desk.put("a.bin", ONE)
    await lap.news()
    for old, new in (("a.bin", "b.bin"), ("b.bin", "c.bin"), ("c.bin", "d.bin")):
        await desk.report(moved(old, new, ONE))
    news = await lap.news()

    assert ("deleted", "a.bin") in news
    assert ("created", "d.bin") in news
    assert not {("moved", "b.bin"), ("moved", "c.bin")} & set(news)


async def test_a_page_is_the_same_page_until_something_is_written(
    desk: Machine, lap: Machine
) -> None:
    """Pages follow each other in order, without a gap and without an overlap."""
    await desk.put("0.bin", ONE)
    await desk.report(*(changed(f"{number}.bin", ONE) for number in range(1, 25)))
    whole = await lap.changes()
    lines, cursor, has_more = [], None, True
    while has_more:
        page = await lap.changes(cursor, 7)
        assert page == await lap.changes(cursor, 7)
        assert page["cursor"] == page["changes"][-1]["sequence"]
        lines, cursor, has_more = lines + page["changes"], page["cursor"], page["has_more"]
    end = await lap.changes(cursor)

    assert lines == whole["changes"]
    assert [one["sequence"] for one in lines] == sorted({one["sequence"] for one in lines})
    assert end == {"changes": [], "cursor": cursor, "has_more": False}


async def test_who_reads_in_pages_is_told_as_created_what_moved_on(
    desk: Machine, lap: Machine
) -> None:
    """A file that was changed stands behind files that are younger: it is new all the same."""
    await desk.put("a.bin", ONE)
    for name in ("b.bin", "c.bin"):
        await desk.report(changed(name, ONE))
    await desk.put("b.bin", TWO, ONE)
    words, cursor = [], None
    for _ in range(3):
        page = await lap.changes(cursor, 1)
        words += [one["change_type"] for one in page["changes"]]
        cursor = page["cursor"]

    assert words == ["created", "created", "created"]


async def test_no_change_is_skipped_while_others_write(ada: Guest, lap: Machine) -> None:
    """A reader that asks on from its cursor meets every path, however many report at once."""
    machines = [await Machine.of(ada, f"writer {number}") for number in range(4)]
    await machines[0].put("seed.bin", ONE)
    met: set[str] = set()
    done = asyncio.Event()

    async def write(machine: Machine, number: int) -> None:
        for turn in range(12):
            await machine.report(
                *(changed(f"{number}/{turn}/{each}.bin", ONE) for each in range(3))
            )

    async def read() -> None:
        while not done.is_set():
            met.update(path for _, path in await lap.news())

    reading = asyncio.create_task(read())
    await asyncio.gather(*(write(machine, n) for n, machine in enumerate(machines)))
    done.set()
    await reading
    met.update(path for _, path in await lap.news())
    for machine in machines:
        await machine.http.close()

    assert len(met) == 1 + 4 * 12 * 3


async def test_a_report_that_is_sent_again_changes_nothing(desk: Machine, lap: Machine) -> None:
    """Neither what was stored nor a conflict that it made."""
    await desk.put("a.bin", ONE)
    await lap.news()
    again = await desk.report(changed("a.bin", ONE))
    first = await lap.report(changed("a.bin", TWO))
    second = await lap.report(changed("a.bin", TWO))

    assert again == {"accepted": ["a.bin"], "conflicts": [], "upload_required": []}
    assert await lap.news() == []
    assert first == second
    assert first["conflicts"][0]["server_hash"] == digest(ONE)


async def test_nothing_of_a_report_is_taken_in_where_one_change_is_malformed(
    desk: Machine, lap: Machine
) -> None:
    """Status 400, and the good ones beside it are as if they had not been sent."""
    await desk.put("a.bin", ONE)
    await lap.news()
    for bad in (
        {"path": "../x", "change_type": "deleted"},
        {"path": "x", "change_type": "created"},
        {"path": "x", "change_type": "moved", "content_hash": digest(ONE)},
        {"path": "x", "change_type": "exploded"},
        {"path": "x", "change_type": "created", "content_hash": "zz"},
        {"change_type": "deleted"},
        "x",
    ):
        body = {"changes": [changed("b.bin", ONE), bad]}
        status, answer, _ = await desk.ask("POST", "/report", json=body)
        assert (status, answer["error"]) == (400, "bad_request")

    assert await lap.news() == []


async def test_an_edit_on_an_old_base_does_not_replace_a_newer_one(
    desk: Machine, lap: Machine
) -> None:
    """It is a conflict, and the server's version stays."""
    await desk.put("a.bin", ONE)
    await lap.news()
    await desk.put("a.bin", TWO, ONE)
    told = await lap.put("a.bin", THREE, ONE)

    assert (told["accepted"], told["upload_required"]) == ([], [])
    assert told["conflicts"][0]["local_hash"] == digest(THREE)
    assert await desk.content("a.bin") == TWO


async def test_a_deletion_and_an_edit_at_once_are_a_conflict(desk: Machine, lap: Machine) -> None:
    """Both ways: neither side loses what it has. What is not there is deleted already."""
    await desk.put("a.bin", ONE)
    await desk.put("b.bin", ONE)
    await desk.put("a.bin", TWO, ONE)
    late = await lap.report(deleted("a.bin", ONE))
    await desk.report(deleted("b.bin", ONE))
    edit = await lap.put("b.bin", TWO, ONE)
    absent = await lap.report(deleted("never.bin", ONE))

    assert (late["conflicts"][0]["local_hash"], late["accepted"]) == (None, [])
    assert edit["conflicts"][0]["server_hash"] is None
    assert absent["accepted"] == ["never.bin"]


async def test_a_base_is_judged_again_when_the_bytes_come(desk: Machine, lap: Machine) -> None:
    """Of two that reported on the same version, the second to upload has a conflict."""
    await desk.put("a.bin", ONE)
    await desk.report(changed("a.bin", TWO, ONE))
    await lap.report(changed("a.bin", THREE, ONE))
    await desk.upload("a.bin", TWO)
    late = await lap.upload("a.bin", THREE)
    status, open_ones, _ = await lap.ask("GET", "/conflicts")

    assert status == 200
    assert [one["id"] for one in open_ones] == [late["conflict_id"]]
    assert late["status"] == "completed"
    assert await lap.content("a.bin") == TWO


async def test_both_edits_of_a_text_stand(desk: Machine, lap: Machine) -> None:
    """There is no conflict; both devices are told of the version that has both."""
    await desk.put("note.md", HALF)
    await lap.news()
    await desk.put("note.md", HALF.replace(b"first", b"FIRST"), HALF)
    told = await lap.put("note.md", HALF.replace(b"last", b"LAST"), HALF)
    both = HALF.replace(b"first", b"FIRST").replace(b"last", b"LAST")
    (line,) = (await lap.changes(lap.cursor))["changes"]

    assert (told["accepted"], told["conflicts"]) == (["note.md"], [])
    assert (line["content_hash"], line["device_id"]) == (digest(both), None)
    assert await desk.content("note.md") == both
    assert [path for _, path in await desk.news()] == ["note.md"]


async def test_a_merge_whose_answer_was_lost_is_not_done_twice(desk: Machine, lap: Machine) -> None:
    """The same report, made on the same base, says nothing new."""
    await desk.put("note.md", HALF)
    await desk.put("note.md", HALF + b"of desk\n", HALF)
    for _ in range(3):
        await lap.put("note.md", HALF + b"of lap\n", HALF)

    assert await lap.content("note.md") == HALF + b"of desk\nof lap\n"


async def test_two_texts_of_the_same_name_become_one(desk: Machine, lap: Machine) -> None:
    """Made by two devices that knew nothing of each other: no line of either is lost."""
    await desk.put("list.txt", b"milk\nbread\n")
    await lap.put("list.txt", b"milk\neggs\n")

    assert set((await lap.content("list.txt")).split()) == {b"milk", b"bread", b"eggs"}


async def test_an_edit_of_a_text_stands_against_its_deletion(desk: Machine, lap: Machine) -> None:
    """Whichever came first; the one who deleted it is told of it again."""
    for name in ("a.md", "b.md"):
        await desk.put(name, HALF)
    await lap.news()
    edited = HALF + b"more\n"
    await desk.put("a.md", edited, HALF)
    told = await lap.report(deleted("a.md", HALF))
    await desk.report(deleted("b.md", HALF))
    await lap.put("b.md", edited, HALF)

    assert (told["accepted"], told["conflicts"]) == (["a.md"], [])
    assert await lap.content("a.md") == await lap.content("b.md") == edited
    assert "a.md" in [path for _, path in await lap.news()]


async def test_a_text_that_is_moved_takes_the_edits_of_others_along(
    desk: Machine, lap: Machine
) -> None:
    """The move and the edit both stand, at the new name."""
    await desk.put("a.md", HALF)
    await lap.news()
    await desk.put("a.md", HALF + b"more\n", HALF)
    told = await lap.report(moved("a.md", "b.md", HALF))

    assert told["conflicts"] == []
    assert await lap.content("b.md") == HALF + b"more\n"
    assert (await lap.download("a.md"))[0] == 404


async def test_many_edits_of_one_text_at_once_all_stand(ada: Guest, desk: Machine) -> None:
    """Each device adds a line to the version that all know."""
    await desk.put("log.md", HALF)
    machines = [await Machine.of(ada, f"m{number}") for number in range(6)]
    await asyncio.gather(
        *(
            machine.put("log.md", HALF + f"line of {number}\n".encode(), HALF)
            for number, machine in enumerate(machines)
        )
    )
    text = await desk.content("log.md")
    for machine in machines:
        await machine.http.close()

    assert all(f"line of {number}\n".encode() in text for number in range(6))


async def test_bytes_that_are_no_text_are_a_conflict_whatever_their_name(
    desk: Machine, lap: Machine
) -> None:
    """Neither side is read as what it is not."""
    await desk.put("a.md", b"\xff\xfe")
    told = await lap.put("a.md", HALF, b"something")
    (conflict,) = (await lap.ask("GET", "/conflicts"))[1]

    assert told["upload_required"] == ["a.md"]
    assert conflict["local_hash"] == digest(HALF)
    assert await desk.content("a.md") == b"\xff\xfe"


async def test_bytes_of_others_are_not_found_by_their_hash(bob: Guest, desk: Machine) -> None:
    """Who knows a hash has to upload what it is of."""
    await desk.put("a.bin", b"\xff a secret")
    async with await Machine.of(bob, "his") as his:
        told = await his.report(changed("mine.bin", b"\xff a secret"))

        assert told["upload_required"] == ["mine.bin"]
        assert (await his.download("mine.bin"))[0] == 404


async def test_two_nodes_judge_as_one(
    inside: Inside, ada: Guest, desk: Machine, tmp_path: Path
) -> None:
    """Of reports on the same base one is accepted; an upload is completed once at either."""
    data = inside.settings.data
    async with serving(inside.settings.database_url, tmp_path, data=data) as other:
        far = Machine(other.url, ada.token, desk.device, desk.device_token)
        async with far:
            upload = await desk.begin("a.bin", ONE)
            await far.send(upload, ONE)
            done = await asyncio.gather(desk.complete(upload), far.complete(upload))
            lines = (await far.ask("GET", "/changes", is_named=False))[1]["changes"]
            for name in ("b.bin", "c.bin"):
                await desk.put(name, TWO if name == "b.bin" else THREE)
            told = await asyncio.gather(
                *(
                    machine.report(changed("a.bin", data, ONE))
                    for machine, data in ((desk, TWO), (far, THREE)) * 3
                )
            )

    accepted = [one for one in told if one["accepted"]]
    assert done[0] == done[1]
    assert [line["path"] for line in lines] == ["a.bin"]
    assert 0 < len(accepted) < len(told)
    assert {one["conflicts"][0]["server_hash"] for one in told if one["conflicts"]} <= {
        digest(TWO),
        digest(THREE),
    }
