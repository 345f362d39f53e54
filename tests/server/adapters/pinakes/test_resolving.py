"""Conflicts, resolved in each way."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import uuid4

import pytest

from server.adapters.pinakes.resolving import sibling
from tests.inside import Guest
from tests.server.adapters.pinakes.machine import Machine, changed, deleted, digest, moved

pytestmark = pytest.mark.asyncio(loop_scope="module")

ONE, TWO, THREE, FOUR = b"\xff one", b"\xff two", b"\xff three", b"\xff four"


async def disagree(desk: Machine, lap: Machine, path: str = "a.bin") -> Any:
    """Two versions of a file; the one of `lap` is a conflict that both have heard of."""
    await desk.put(path, ONE)
    await lap.news()
    await desk.put(path, TWO, ONE)
    (conflict,) = (await lap.report(changed(path, THREE, ONE)))["conflicts"]
    await lap.news()
    await desk.news()
    return conflict


async def resolve(machine: Machine, conflict: Any, resolution: str, **more: Any) -> Any:
    """Decide; the answer."""
    status, answer, _ = await machine.ask(
        "POST", f"/conflicts/{conflict['id']}/resolve", json={"resolution": resolution, **more}
    )
    assert status == 200, answer
    return answer


async def unresolved(machine: Machine) -> list[Any]:
    """The list of conflicts."""
    status, answer, _ = await machine.ask("GET", "/conflicts")
    assert status == 200
    return list(answer)


async def test_a_conflict_is_listed_until_it_is_resolved(desk: Machine, lap: Machine) -> None:
    """With both hashes and whose it is; another one of the same path and device replaces it."""
    first = await disagree(desk, lap)
    (second,) = (await lap.report(changed("a.bin", FOUR, ONE)))["conflicts"]
    listed = await unresolved(desk)
    done = await resolve(desk, second, "server_wins")

    assert listed == [second]
    assert first["id"] != second["id"]
    assert (second["device_id"], second["path"]) == (lap.device, "a.bin")
    assert (second["local_hash"], second["server_hash"]) == (digest(FOUR), digest(TWO))
    assert (done["resolution"], done["resolved_at"] is not None) == ("server_wins", True)
    assert await unresolved(desk) == []


async def test_the_server_wins(desk: Machine, lap: Machine) -> None:
    """The device is told of that version once more."""
    conflict = await disagree(desk, lap)
    await resolve(lap, conflict, "server_wins")

    assert await lap.news() == [("modified", "a.bin")]
    assert await lap.content("a.bin") == TWO


async def test_the_client_wins_once_its_bytes_are_here(desk: Machine, lap: Machine) -> None:
    """Until then the server's version stands and nobody is told."""
    conflict = await disagree(desk, lap)
    done = await resolve(lap, conflict, "client_wins")
    before = await desk.news()
    await lap.upload("a.bin", THREE)

    assert done["upload_required"] == ["a.bin"]
    assert before == []
    assert await desk.news() == [("modified", "a.bin")]
    assert await desk.content("a.bin") == THREE


async def test_bytes_that_came_before_the_decision_are_kept_for_it(
    desk: Machine, lap: Machine
) -> None:
    """An upload of the device's version replaces nothing while the conflict is open."""
    conflict = await disagree(desk, lap)
    await lap.upload("a.bin", THREE)
    meanwhile = await desk.content("a.bin")
    done = await resolve(desk, conflict, "client_wins")

    assert meanwhile == TWO
    assert done["upload_required"] == []
    assert await desk.content("a.bin") == THREE


@pytest.mark.parametrize("is_first", [True, False], ids=["uploaded before", "uploaded after"])
async def test_both_are_kept(desk: Machine, lap: Machine, is_first: bool) -> None:
    """The server's version keeps the path, the device's gets a name that says whose it is."""
    conflict = await disagree(desk, lap)
    if is_first:
        await lap.upload("a.bin", THREE)
    done = await resolve(lap, conflict, "keep_both")
    if not is_first:
        assert done["upload_required"] == [done["resolved_path"]]
        await lap.upload("a.bin", THREE)
    beside = done["resolved_path"]

    assert beside == f"a (conflict lap {conflict['detected_at'][:10]}).bin"
    assert await desk.content("a.bin") == TWO
    assert await desk.content(beside) == THREE
    assert sorted(await desk.news()) == [("created", beside), ("modified", "a.bin")]


async def test_a_third_version_stands(desk: Machine, lap: Machine) -> None:
    """It is named by its hash, and uploaded where it is not here."""
    conflict = await disagree(desk, lap)
    done = await resolve(lap, conflict, "manual", content_hash=digest(FOUR))
    await lap.upload("a.bin", FOUR)

    assert done["upload_required"] == ["a.bin"]
    assert await desk.content("a.bin") == FOUR


async def test_a_deletion_that_conflicts_is_resolved(desk: Machine, lap: Machine) -> None:
    """By the device's wish it goes; by the server's the file stays."""
    for path, how in (("a.bin", "client_wins"), ("b.bin", "server_wins"), ("c.bin", "keep_both")):
        await desk.put(path, ONE)
        await desk.put(path, TWO, ONE)
        (conflict,) = (await lap.report(deleted(path, ONE)))["conflicts"]
        await resolve(lap, conflict, how)
    statuses = [(await lap.download(path))[0] for path in ("a.bin", "b.bin", "c.bin")]

    assert statuses == [404, 200, 200]


async def test_an_edit_of_what_was_deleted_is_resolved(desk: Machine, lap: Machine) -> None:
    """The server's wish tells the device of the deletion; else its version is there again."""
    for path, how in (("a.bin", "client_wins"), ("b.bin", "server_wins"), ("c.bin", "keep_both")):
        await desk.put(path, ONE)
        await lap.news()
        await desk.report(deleted(path, ONE))
        (conflict,) = (await lap.report(changed(path, TWO, ONE)))["conflicts"]
        await lap.news()
        done = await resolve(lap, conflict, how)
        if done["upload_required"]:
            await lap.upload(path, TWO)
        elif how == "server_wins":
            assert await lap.news() == [("deleted", path)]
    statuses = [(await lap.download(path))[0] for path in ("a.bin", "b.bin", "c.bin")]

    assert statuses == [200, 404, 200]


async def test_a_move_and_an_edit_at_once(desk: Machine, lap: Machine) -> None:
    """Of what cannot be merged: the edit stays at its place, and the device decides."""
    await desk.put("a.bin", ONE)
    await desk.put("a.bin", TWO, ONE)
    (conflict,) = (await lap.report(moved("a.bin", "b.bin", ONE)))["conflicts"]
    before = (await lap.download("b.bin"))[0]
    await resolve(lap, conflict, "client_wins")

    assert (conflict["path"], conflict["old_path"]) == ("b.bin", "a.bin")
    assert before == 404
    assert await desk.content("b.bin") == ONE
    assert (await desk.download("a.bin"))[0] == 404


async def test_what_cannot_be_resolved_is_400(bob: Guest, desk: Machine, lap: Machine) -> None:
    """Unknown, foreign and resolved conflicts, and words that are no resolution."""
    conflict = await disagree(desk, lap)
    wrong = [
        (desk, str(uuid4()), {"resolution": "server_wins"}),
        (desk, "x", {"resolution": "server_wins"}),
        (desk, conflict["id"], {"resolution": "toss_a_coin"}),
        (desk, conflict["id"], {}),
        (desk, conflict["id"], {"resolution": "manual"}),
    ]
    async with await Machine.of(bob, "his") as his:
        wrong.append((his, conflict["id"], {"resolution": "client_wins"}))
        for machine, one, body in wrong:
            status, answer, _ = await machine.ask("POST", f"/conflicts/{one}/resolve", json=body)
            assert (status, set(answer)) == (400, {"error", "message"}), answer
    await resolve(desk, conflict, "server_wins")
    again = await desk.ask(
        "POST", f"/conflicts/{conflict['id']}/resolve", json={"resolution": "server_wins"}
    )

    assert again[0] == 400


@pytest.mark.parametrize(
    ("path", "device", "number", "name"),
    [
        ("a/b.tar.gz", "desk", 1, "a/b.tar (conflict desk 2026-03-01).gz"),
        ("README", "Ada's ../phone", 1, "README (conflict Adas phone 2026-03-01)"),
        (".env", "x", 2, ".env (conflict x 2026-03-01 2)"),
        ("é" * 120 + ".md", "/", 1, "é" * 84 + " (conflict device 2026-03-01).md"),
    ],
)
async def test_the_name_beside(path: str, device: str, number: int, name: str) -> None:
    """It is a name that any device can have, with its suffix kept."""
    assert sibling(path, device, date(2026, 3, 1), number) == name
