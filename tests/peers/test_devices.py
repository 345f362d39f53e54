"""Two devices that were offline for weeks: real Yjs, real HTTP, lost answers, retries, disorder."""

from __future__ import annotations

import asyncio
import json
import os
import random
import secrets
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from crdt.ids import make_ulid
from tests.peers.home import Home

HERE = Path(__file__).resolve().parent
IS_LONG = bool(os.environ.get("PLAIT_TEST_FULL"))
SEEDS = range(20) if IS_LONG else range(1)
EDITS = 5_000
"""Of each of the two devices."""
BLOCKS = 40
ITEMS = 20
"""Queued updates that a device sends in one push: 10,000 edits make 500 pushes."""


class Devices:
    """The Node process in which the devices live."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._lock = asyncio.Lock()

    @classmethod
    async def start(cls) -> Devices:
        """Start Node."""
        node = shutil.which("node")
        assert node, "Node is missing: scripts/test installs it"
        return cls(
            await asyncio.create_subprocess_exec(
                node, "devices.mjs", cwd=HERE, limit=1 << 26,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            )
        )  # fmt: skip

    async def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Have one command carried out."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        async with self._lock:
            self._process.stdin.write(json.dumps({"do": do, **arguments}).encode() + b"\n")
            answer: dict[str, Any] = json.loads(await self._process.stdout.readline())
        assert "error" not in answer, answer
        return answer

    async def stop(self) -> None:
        """End."""
        self._process.kill()
        await self._process.wait()


@pytest.fixture
async def devices() -> AsyncIterator[Devices]:
    """A Node process for the test."""
    started = await Devices.start()
    yield started
    await started.stop()


class Queue:
    """What one device has to send, and the unreliable way on which it goes."""

    def __init__(
        self, home: Home, http: aiohttp.ClientSession, items: list[dict[str, str]], seed: int
    ) -> None:
        self._home, self._http = home, http
        self._chance = random.Random(seed)
        self._parcels = [items[at : at + ITEMS] for at in range(0, len(items), ITEMS)]
        self.pushes = 0
        self.answers_lost = 0

    async def send_all(self) -> None:
        """Every parcel until its answer came; some twice, some before an earlier one."""
        waiting = list(self._parcels)
        done: list[list[dict[str, str]]] = []
        while waiting:
            place = 1 if len(waiting) > 1 and self._chance.random() < 0.1 else 0
            parcel = waiting.pop(place)
            if self._chance.random() < 0.15:
                # The request arrived and its answer did not: nobody here knows.
                await self._lose(parcel)
                self.answers_lost += 1
                waiting.insert(0, parcel)
                continue
            await self._push(parcel)
            done.append(parcel)
            if self._chance.random() < 0.1:
                await self._push(self._chance.choice(done))

    def _body(self, parcel: list[dict[str, str]]) -> dict[str, Any]:
        return {
            "blocks": [
                {
                    "block_id": item["block"],
                    "workspace_id": self._home.workspace_id,
                    "state_vector": None,
                    "update": item["update"],
                    "sync_version": 1,
                }
                for item in parcel
            ]
        }

    async def _push(self, parcel: list[dict[str, str]]) -> None:
        self.pushes += 1
        answer = await call(self._http, self._home, "push", self._body(parcel))
        assert all(result["success"] for result in answer["results"]), answer

    async def _lose(self, parcel: list[dict[str, str]]) -> None:
        """Send the request whole and hang up at some moment before its answer was read."""
        self.pushes += 1
        wait_s = self._chance.choice([0, 0.001, 0.01, 0.05])
        sending = asyncio.create_task(
            call(self._http, self._home, "push", self._body(parcel)), name="lost push"
        )
        await asyncio.sleep(wait_s)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def call(
    http: aiohttp.ClientSession, home: Home, route: str, body: dict[str, Any]
) -> dict[str, Any]:
    """One request of a device."""
    headers = {"Authorization": f"Bearer {home.token}"}
    async with http.post(f"{home.url}/api/sync/{route}", json=body, headers=headers) as response:
        answer: dict[str, Any] = await response.json()
        assert response.status == 200, answer
        return answer


async def pull(http: aiohttp.ClientSession, home: Home, devices: Devices, device: int) -> None:
    """Bring a device up to date with all blocks that the delta names."""
    headers = {"Authorization": f"Bearer {home.token}"}
    blocks: list[str] = []
    since, has_more = 0, True
    while has_more:
        query = {"workspace_id": home.workspace_id, "since": str(since), "limit": "7"}
        async with http.get(
            f"{home.url}/api/sync/delta", params=query, headers=headers
        ) as response:
            page = await response.json()
        blocks += [entry["block_id"] for entry in page["changed_blocks"]]
        since, has_more = page["server_time"], page["has_more"]
    vectors = (await devices.ask("vectors", device=device, blocks=blocks))["vectors"]
    items = [
        {"block_id": block, "state_vector": vector, "sync_version": 1}
        for block, vector in zip(blocks, vectors, strict=True)
    ]
    answer = await call(http, home, "pull", {"blocks": items})
    updates = [{"block": r["block_id"], "update": r["update"]} for r in answer["results"]]
    await devices.ask("apply", device=device, updates=updates)


@pytest.mark.parametrize("seed", SEEDS)
async def test_ten_thousand_queued_edits_of_two_devices_are_neither_lost_nor_doubled(
    own_home: Home, devices: Devices, seed: int
) -> None:
    """In 500 pushes with lost answers, retries and disorder; both devices and the server converge.

    Every edit is a mark of its own, so real Yjs can count them: each is there once, those that were
    deleted are not, and nothing waits for anything.
    """
    now = int(time.time() * 1000)
    blocks = [make_ulid(now, secrets.token_bytes(10)) for _ in range(BLOCKS)]
    made = await devices.ask("make", count=2, blocks=blocks, edits=EDITS, seed=seed)
    async with aiohttp.ClientSession() as http:
        queues = [
            Queue(own_home, http, items, seed * 2 + number)
            for number, items in enumerate(made["queues"])
        ]
        await asyncio.gather(*(queue.send_all() for queue in queues))
        for device in (0, 1):
            await pull(http, own_home, devices, device)
        whole = await call(
            http, own_home, "pull", {"blocks": [{"block_id": block} for block in blocks]}
        )
    states = {result["block_id"]: result["update"] for result in whole["results"]}
    verdict = await devices.ask("judge", states=states)

    assert verdict["complaints"] == []
    assert len(states) == BLOCKS
    assert sum(queue.pushes for queue in queues) >= 500
    assert all(queue.answers_lost > 10 for queue in queues)
