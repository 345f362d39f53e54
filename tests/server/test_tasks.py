"""Background tasks live as long as they must, and none fails in silence."""

from __future__ import annotations

import asyncio
import logging

import pytest

from server.tasks import Tasks


async def test_a_failure_is_logged_with_its_name(caplog: pytest.LogCaptureFixture) -> None:
    """What a task raises reaches the log, under the task's name."""

    async def fail() -> None:
        raise ValueError("a fault of ours")

    with caplog.at_level(logging.ERROR):
        await asyncio.wait([Tasks().spawn(fail(), "load a page")])
        await asyncio.sleep(0)

    assert "load a page failed" in caplog.text
    assert "a fault of ours" in caplog.text


async def test_closing_ends_what_is_under_way() -> None:
    """After `close` nothing of the owner's runs any more."""
    ended = asyncio.Event()

    async def wait_for_ever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    tasks = Tasks()
    task = tasks.spawn(wait_for_ever(), "wait")
    await asyncio.sleep(0)

    await tasks.close()

    assert task.cancelled()
    assert ended.is_set()
