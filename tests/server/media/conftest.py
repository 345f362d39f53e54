"""One workshop for the tests of a module."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest_asyncio

from server.media.work import Answer, Job, Limits
from server.media.workshop import Workshop

LIMITS = Limits(
    pixels_max=150_000_000,
    frames_max=100,
    svg_bytes_max=4 << 20,
    cpu_s=10,
    output_bytes_max=8 << 20,
)

Do = Callable[..., Awaitable[tuple[Answer, bytes]]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def workshop() -> AsyncIterator[Workshop]:
    """One helper, with the limits that servers get."""
    opened = Workshop(
        processes=1, waiting_max=100, memory_bytes=1536 << 20, timeout_s=20, limits=LIMITS
    )
    yield opened
    opened.close()


@pytest_asyncio.fixture(loop_scope="module")
async def do(workshop: Workshop) -> Do:
    """Has a helper do a task with bytes."""

    async def ask(task: Any, data: bytes, pixels: int = 128, **more: Any) -> tuple[Answer, bytes]:
        with tempfile.TemporaryFile() as file:
            file.write(data)
            file.flush()
            job = Job(task=task, limits=workshop.limits, pixels=pixels, **more)
            return await workshop.do(job, file.fileno())

    return ask
