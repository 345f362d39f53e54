"""Helper processes do the work, and one that dies takes nothing with it."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import psutil
import pytest

from crdt.bounds import BOUNDS
from crdt.errors import UpdateError
from server.errors import Busy
from server.workers import WorkerDied, Workers
from tests.patience import PATIENCE_S, in_time, prompt, until


@pytest.fixture
def workers() -> Iterator[Workers]:
    """One helper process, made at its first use."""
    made = Workers(processes=1, memory_bytes=1 << 30, timeout_s=20)
    yield made
    made.close()


def die() -> None:
    """End the helper process as a crash would."""
    os.kill(os.getpid(), signal.SIGKILL)


def own_pid_when(begun: str, told: str) -> int:
    """The process that this runs in; it makes one file, and waits until there is another."""
    Path(begun).touch()
    while not Path(told).exists():
        time.sleep(0.01)
    return os.getpid()


def nest(depth: int) -> bytes:
    """An update with a value nested so deep that decoding it overflows a stack of 8 MB."""
    value = b"u\x01" * depth + b"\x7e"
    return b"\x01\x01\x01\x00\x08\x01\x01t\x01" + value + b"\x00"


async def test_work_is_done_in_another_process(workers: Workers) -> None:
    """The function runs outside this process, and the next one in the same helper."""
    first = await workers.run(os.getpid)
    second = await workers.run(os.getpid)

    assert first != os.getpid()
    assert second == first


async def test_an_error_of_the_function_is_raised_here(workers: Workers) -> None:
    """What the function raises is raised to the caller."""
    with pytest.raises(ValueError, match="invalid literal"):
        await workers.run(int, "no number")


async def test_a_helper_that_dies_is_replaced(workers: Workers) -> None:
    """A crash is told to its caller alone; the next piece of work has a new helper."""
    with pytest.raises(WorkerDied):
        await workers.run(die)

    assert await workers.run(abs, -3) == 3


async def test_work_that_was_killed_from_outside_is_done_again(
    workers: Workers, tmp_path: Path
) -> None:
    """A helper may be killed for memory that others took: an honest update is not blamed."""
    begun, told = tmp_path / "begun", tmp_path / "told"
    pid = await workers.run(os.getpid)
    work = asyncio.create_task(workers.run(own_pid_when, str(begun), str(told)))
    await until(begun.exists)

    os.kill(pid, signal.SIGKILL)
    told.touch()

    assert await work != pid


async def test_a_helper_that_dies_takes_no_other_work_with_it(tmp_path: Path) -> None:
    """With several helpers each dies alone, and what the others do goes on undisturbed."""
    workers = Workers(processes=2, memory_bytes=1 << 30, timeout_s=60)
    begun, told = tmp_path / "begun", tmp_path / "told"
    try:
        beside = asyncio.create_task(workers.run(own_pid_when, str(begun), str(told)))
        await until(begun.exists)
        begun.unlink()
        with pytest.raises(WorkerDied):
            await workers.run(die)
        told.touch()
        pid = await beside
        again = {await workers.run(os.getpid) for _ in range(2)}
    finally:
        workers.close()

    assert isinstance(pid, int)
    assert not begun.exists()  # It was not begun a second time.
    assert len(again) == 1  # One at a time, only the helper that worked last is used.


@prompt
async def test_the_background_holds_nobody_up(workers: Workers) -> None:
    """A compaction may take seconds; an update that has to be looked at does not wait for it."""
    await asyncio.gather(workers.run(abs, -1), workers.in_background(abs, -1))
    background = asyncio.create_task(workers.in_background(time.sleep, 5))
    started = time.monotonic()

    assert await workers.run(abs, -3) == 3
    took_s = time.monotonic() - started
    nice = await asyncio.gather(workers.run(os.nice, 0), return_exceptions=True)
    background.cancel()

    assert nice == [os.nice(0)]
    in_time(took_s, 4)


async def test_a_helper_ends_when_its_parent_was_killed() -> None:
    """Nobody would ever tell it: each kill of the server would leave a process behind."""
    program = (
        "import asyncio, os, signal\n"
        "from server.workers import Workers\n"
        "async def main():\n"
        "    workers = Workers(processes=1, memory_bytes=1 << 30, timeout_s=20)\n"
        "    print(await workers.run(os.getpid), flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "if __name__ == '__main__':\n"
        "    asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-c", program),
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert parent.stdout is not None
    helper = psutil.Process(int(await parent.stdout.readline()))
    await parent.wait()

    await asyncio.to_thread(psutil.wait_procs, [helper], timeout=PATIENCE_S)

    assert not helper.is_running()


async def test_a_helper_that_cannot_be_started_blames_nobody(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine is out of processes: the update was not looked at, and is to be sent again."""

    def submit(*_: object) -> None:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    with monkeypatch.context() as patch:
        patch.setattr(ProcessPoolExecutor, "submit", submit)
        with pytest.raises(Busy, match="no helper process") as caught:
            await workers.check(b"\x00\x00", BOUNDS)

    assert not isinstance(caught.value, WorkerDied)
    await workers.check(b"\x00\x00", BOUNDS)


async def test_waiting_for_a_helper_does_not_count_as_work() -> None:
    """Work behind other work is done, however long that takes, and outlives what is given up.

    What takes too long is given up, and its helper is replaced.
    """
    workers = Workers(processes=1, memory_bytes=1 << 30, timeout_s=6)
    try:
        await workers.run(abs, -1)
        outcomes = await asyncio.gather(
            workers.run(time.sleep, 2),
            workers.run(time.sleep, 60),
            workers.run(die),
            workers.run(abs, -3),
            return_exceptions=True,
        )
    finally:
        workers.close()

    assert [type(outcome) for outcome in outcomes] == [type(None), WorkerDied, WorkerDied, int]


async def test_work_that_needs_too_much_memory_is_given_up(workers: Workers) -> None:
    """A helper that may not have more memory fails at that piece of work alone."""
    with pytest.raises(WorkerDied):
        await workers.run(bytes, 2 << 30)

    assert await workers.run(abs, -3) == 3


async def test_an_update_that_kills_decoders_is_refused(workers: Workers) -> None:
    """A value nested 100,000 levels deep is refused, and the helper lives or is replaced."""
    with pytest.raises(UpdateError):
        await workers.check(nest(100_000), BOUNDS)

    await workers.check(b"\x00\x00", BOUNDS)
