"""Jobs: one of a kind at a time, worked on by one node, taken over from one that fell silent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from storage.jobs import Job, Jobs, NewJob
from storage.pool import Pool


def new(name: str, target: str = "/a") -> NewJob:
    """A job that somebody asks for."""
    return NewJob(id=name, kind="scan", account="ada", scope="s", target=target, options={"x": 1})


async def claimed(jobs: Jobs, node: str, silent_s: float = 60) -> list[str]:
    """The ids of the jobs that a node gets."""
    return [job.id for job in await jobs.claim(node, silent_s, 10)]


async def test_a_job_of_a_machine_is_taken_by_its_nodes(pool: Pool) -> None:
    """Nodes elsewhere leave the scan of its folder alone, also when it fell silent."""
    jobs = Jobs(pool)
    await jobs.add(msgspec.structs.replace(new("here", "/a"), machine="a"))
    await jobs.add(new("anywhere", "/b"))
    assert [job.id for job in await jobs.claim("n1", 60, 10, "b")] == ["anywhere"]
    assert [job.id for job in await jobs.claim("n2", 60, 10)] == []
    assert [job.id for job in await jobs.claim("n3", 60, 10, "a")] == ["here"]
    assert [job.id for job in await jobs.claim("n4", 0, 10, "b")] == ["anywhere"]
    assert [job.id for job in await jobs.claim("n5", 0, 10, "a")] == ["here", "anywhere"]


async def test_of_a_kind_and_target_there_is_one(pool: Pool) -> None:
    """Whoever asks again gets the one under way; once it is over, a new one."""
    jobs = Jobs(pool)
    first, is_new = await jobs.add(new("1"))
    second, again = await jobs.add(new("2"))
    other, _ = await jobs.add(new("3", "/b"))
    await jobs.claim("n", 60, 10)
    await jobs.end("1", "n", "completed", {"seen": 1})
    third, _ = await jobs.add(new("4"))

    assert (is_new, again) == (True, False)
    assert (first.id, second.id, other.id, third.id) == ("1", "1", "3", "4")
    assert first.options == {"x": 1}


async def test_a_job_is_worked_on_by_one_node(pool: Pool) -> None:
    """Another gets it only when the first said nothing for long, and then the first has lost it."""
    jobs = Jobs(pool)
    await jobs.add(new("1"))

    assert await claimed(jobs, "one") == ["1"]
    assert await claimed(jobs, "two") == []
    assert await jobs.beat("1", "one", {"seen": 5}) is False
    assert await claimed(jobs, "two", silent_s=0) == ["1"]
    assert await jobs.beat("1", "one", {"seen": 6}) is None
    assert await jobs.end("1", "one", "completed", {}) is None
    ended = await jobs.end("1", "two", "completed", {"seen": 7})
    assert ended is not None
    assert (ended.state, ended.counts) == ("completed", {"seen": 7})


async def test_a_node_that_stops_gives_its_jobs_back(pool: Pool) -> None:
    """The next one need not wait for its silence."""
    jobs = Jobs(pool)
    await jobs.add(new("1"))
    await claimed(jobs, "one")
    await jobs.release("one")

    assert await claimed(jobs, "two") == ["1"]


async def test_aborting(pool: Pool) -> None:
    """What waits ends at once; what runs is told with its next sign of life; what is over stays."""
    jobs = Jobs(pool)
    await jobs.add(new("1"))
    await jobs.add(new("2", "/b"))
    waiting = await jobs.abort("2")
    await claimed(jobs, "one")
    running = await jobs.abort("1")

    assert waiting is not None
    assert running is not None
    assert (waiting.state, running.state) == ("aborted", "running")
    assert await jobs.beat("1", "one", {}) is True
    await jobs.end("1", "one", "aborted", {})
    assert await jobs.abort("1") is None


async def test_listing_what_is_under_way(pool: Pool) -> None:
    """One's own, and those of the scopes that one names; not what is over."""
    jobs = Jobs(pool)
    await jobs.add(new("1"))
    mine = await jobs.under_way(["scan"], "ada", [], 10)
    shared = await jobs.under_way(["scan"], "bob", ["s"], 10)
    others = await jobs.under_way(["scan"], "bob", ["t"], 10)
    await jobs.abort("1")

    assert [_ids(one) for one in (mine, shared, others)] == [["1"], ["1"], []]
    assert await jobs.under_way(["scan"], "ada", [], 10) == []
    assert await jobs.count("ada") == 0
    heard = await jobs.since(datetime.now(UTC) - timedelta(seconds=60))
    assert _ids(heard) == ["1"]
    await jobs.forget(datetime.now(UTC) + timedelta(seconds=60))
    assert await jobs.get("1") is None


def _ids(jobs: list[Job]) -> list[str]:
    return [job.id for job in jobs]


async def test_whoever_runs_the_server_sees_every_job_under_way(pool: Pool) -> None:
    """Of all accounts, the oldest first, and none that is over."""
    jobs = Jobs(pool)
    for name in ("1", "2", "3"):
        await jobs.add(new(name, f"/{name}"))
    await jobs.abort("2")

    assert [job.id for job in await jobs.all_under_way(10)] == ["1", "3"]
    assert [job.id for job in await jobs.all_under_way(1)] == ["1"]
