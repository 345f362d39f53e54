"""Helpers that misbehave cost the one file that they work on."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from server.errors import Busy
from server.media.work import Job, Refused
from server.media.workshop import Workshop
from tests.patience import until
from tests.server.media import making
from tests.server.media.conftest import LIMITS

Make = Callable[..., Workshop]


def shop(**changes: Any) -> Workshop:
    """A workshop with some limits of the test's own."""
    limits = msgspec.structs.replace(LIMITS, **changes.pop("limits", {}))
    given = {"processes": 1, "waiting_max": 10, "memory_bytes": 1536 << 20, "timeout_s": 20.0}
    return Workshop(**(given | changes), limits=limits)


async def still(workshop: Workshop, data: bytes, pixels: int = 64) -> int:
    """The width of the picture of some bytes."""
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        job = Job(task="still", limits=workshop.limits, pixels=pixels)
        return (await workshop.do(job, file.fileno()))[0].width


async def test_a_helper_that_takes_too_long_is_killed() -> None:
    """Its file is refused within the time, and the next one gets another helper."""
    workshop = shop(timeout_s=3.0)
    try:
        assert await still(workshop, making.encoded(".jpg")) == 64
        os.kill(workshop.pids()[0], signal.SIGSTOP)
        with pytest.raises(Refused) as refused:
            await still(workshop, making.encoded(".jpg"))
        assert await still(workshop, making.encoded(".jpg")) == 64
    finally:
        workshop.close()

    assert (refused.value.code, workshop.deaths) == ("media_too_large", 1)


async def test_helpers_have_small_stacks_whatever_the_server_has() -> None:
    """Libraries give each of their threads the whole limit: it must not eat a helper's memory."""
    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    gigabyte = 1 << 30
    if hard != resource.RLIM_INFINITY:
        gigabyte = min(gigabyte, hard)
    resource.setrlimit(resource.RLIMIT_STACK, (gigabyte, hard))
    workshop = shop()
    try:
        assert await still(workshop, making.encoded(".jpg")) == 64
        (helper,) = workshop.pids()
        assert resource.prlimit(helper, resource.RLIMIT_STACK)[0] == 8 << 20
    finally:
        workshop.close()
        resource.setrlimit(resource.RLIMIT_STACK, (soft, hard))


async def test_a_helper_without_memory_dies_alone() -> None:
    """Decoding more than fits ends the helper, not the server, nor the next file."""
    workshop = shop(memory_bytes=640 << 20, limits={"pixels_max": 10**9})
    try:
        with pytest.raises(Refused):
            await still(workshop, making.encoded(".avif", 12_000, 12_000, effort=0))
        assert await still(workshop, making.encoded(".jpg")) == 64
    finally:
        workshop.close()


async def test_a_helper_that_is_killed_costs_one_file() -> None:
    """Whoever waits behind it is served by the next."""
    workshop = shop()
    try:
        assert await still(workshop, making.encoded(".jpg")) == 64
        (helper,) = workshop.pids()
        os.kill(helper, signal.SIGSTOP)  # However fast it is, it is not done before it is killed.
        first = asyncio.create_task(still(workshop, making.encoded(".jpg")))
        second = asyncio.create_task(still(workshop, making.encoded(".jpg")))
        await until(lambda: workshop.pids(busy=True))
        assert workshop.pids(busy=True) == [helper]
        os.kill(helper, signal.SIGKILL)
        with pytest.raises(Refused):
            await first
        assert await second == 64
    finally:
        workshop.close()


async def test_what_waits_is_bounded() -> None:
    """Over the bound one is told to come back; it is not queued."""
    workshop = shop(waiting_max=2)
    data = making.encoded(".png", 3000, 3000)
    try:
        found = await asyncio.gather(
            *(still(workshop, data) for _ in range(6)), return_exceptions=True
        )
    finally:
        workshop.close()

    assert [type(one) for one in found].count(Busy) == 4
    assert found.count(64) == 2


@pytest.mark.parametrize(
    ("package", "data"),
    [("av", making.video(1)), ("pillow_heif", making.heic())],
    ids=["av", "heif"],
)
async def test_without_an_extra_its_files_are_refused_and_others_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, data: bytes
) -> None:
    """501: the server lacks a package; it is no fault of the file."""
    (tmp_path / f"{package}.py").write_text("raise ImportError('not installed')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    workshop = shop()
    try:
        with pytest.raises(Refused) as refused:
            await still(workshop, data)
        assert await still(workshop, making.encoded(".jpg")) == 64
    finally:
        workshop.close()

    assert (refused.value.status, refused.value.code) == (501, "media_support_missing")


async def test_no_helper_outlives_the_workshop() -> None:
    """Neither an idle nor a busy one."""
    workshop = shop()
    await still(workshop, making.encoded(".jpg"))
    pids = workshop.pids()
    workshop.close()

    assert len(pids) == 1
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


_LEAVING = """
import asyncio, os, signal, sys
from tests.server.media.test_workshop import shop, still
from tests.server.media import making
async def main():
    workshop = shop()
    await still(workshop, making.encoded(".jpg"))
    print(workshop.pids()[0], flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""


async def test_no_helper_outlives_a_killed_server() -> None:
    """Not even one that has nothing to read from."""
    home = str(Path(__file__).parents[3])
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-c",
        _LEAVING,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": home},
    )
    said, _ = await process.communicate()
    pid = int(said)

    await until(lambda: not Path(f"/proc/{pid}").exists() or "Z" in _state(pid))


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"
