"""Clients that cost much, or do nothing, while a crowd types beside: it loses nothing."""

from __future__ import annotations

import asyncio
import io
import random
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest

from crdt import wire
from scripts._soak.churn import Churn, Idle
from tests.clients import Replica, Visitor, YClient
from tests.patience import PATIENCE_S, until
from tests.peers.peer import NODE_PROVIDERS
from tests.server.realtime.test_connection import Stubborn
from tests.stories.beside import FULL, SECONDS, Stage, beside, text_at
from tests.stories.crowd import Crowd
from tests.stories.providers import nodes

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("processes")]

MIB = 1 << 20
BIG, PART = (160 * MIB if FULL else 12 * MIB), 128 << 10
JOINERS, LARGE = 100, 4 * MIB
IDLE, PEOPLE = (1000, 30) if FULL else (60, 8)
SILENCE_S = 70.0 if FULL else SECONDS
GOLDEN = bytes.fromhex("00020c010101000401017402686900")
"""The bytes of a real provider, client 1, that types "hi" into the text "t"."""


async def test_a_reader_that_stops_beside_a_crowd(stage: Stage) -> None:
    """T8: it joined the crowd's document and one where MBs go by; reading again, it has all.

    Or it was cut off, as whoever takes nothing for ten seconds is, and has all when it comes back.
    """
    async with beside(stage, f"a reader that stops, {BIG // MIB} MB") as crowd, stage.guest() as me:
        assert crowd.visitor is not None
        among: list[Stubborn] = [await _stubborn(crowd.visitor, crowd.documents[0])]
        among.append(await _stubborn(me, "much"))
        writer = await (await me.y("much")).sync()
        for _ in range(BIG // PART):
            update = wire.update(writer.replica.put("big", "x" * PART))
            await writer.send(update)
            await writer.until(lambda update=update: update in writer.frames)
            writer.frames.clear()
            writer.heard.clear()
        end = uuid4().hex
        await writer.write(end)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await among[1].frames(end.encode())
        assert await text_at(me, "much") == end
        for one in among:
            await one.close()


async def _stubborn(visitor: Visitor, name: str) -> Stubborn:
    return await Stubborn.join(visitor, name)  # type: ignore[arg-type]


class Newcomer(YClient):
    """One that keeps nothing of what it is sent but its size."""

    def __init__(self, *given: Any) -> None:
        self.size = 0
        super().__init__(*given)

    def on_frame(self, frame: bytes) -> None:
        """Step 2 is the document."""
        self.frames.clear()
        if frame.startswith(b"\x00\x01"):
            self.size = len(frame)


async def test_a_hundred_join_beside_a_crowd(stage: Stage) -> None:
    """T9: one document of 4 MB, a hundred newcomers at once, each of whom gets all of it."""
    chance, large = random.Random(9), Replica()
    for _ in range(1000):
        large.insert("x" * (LARGE // 1000), chance.randrange(len(large.text) + 1))
    async with beside(stage, f"{JOINERS} join a document of 4 MB"), stage.guest() as guest:
        await guest.post("/doc/new", json={"docId": "large"})
        body = io.BytesIO(large.missing(b"\x00"))
        status, answer, _ = await guest.post("/d/large/update", data=body)
        assert status == 200, answer
        # In a thread with a loop of its own: the crowd is not to wait for this program.
        sizes = await asyncio.to_thread(asyncio.run, _join(guest.url, guest.token))
        assert min(sizes) >= LARGE


async def _join(url: str, token: str) -> list[int]:
    async def one(visitor: Visitor) -> int:
        client = await visitor.y("large", kind=Newcomer)
        assert isinstance(client, Newcomer)
        await client.send(wire.step1(b"\x00"))
        await client.until(lambda: client.size)
        return client.size

    async with Visitor(url, token) as visitor:
        return await asyncio.gather(*(one(visitor) for _ in range(JOINERS)))


async def test_people_come_and_go_beside_a_crowd(stage: Stage) -> None:
    """T10: others sit and say nothing; when all of them have left, no session of theirs is left."""
    async with beside(stage, f"{IDLE} sit, {PEOPLE} come and go") as crowd, stage.guest() as guest:
        before = (await stage.held())["sessions"]
        churn = Churn(stage.server.url, guest.token, 10)
        async with Idle(stage.server.url, guest.token, IDLE):
            await churn.for_(SECONDS, PEOPLE)
        assert churn.visits
        assert crowd.writers

        async def are_gone() -> bool:
            return (await stage.held())["sessions"] <= before

        await until(are_gone, every_s=0.1)


async def test_an_idle_client_stays_beside_a_crowd(stage: Stage) -> None:
    """T11: real providers in documents where nobody types: one connection each, and no close."""
    async with beside(stage, f"idle for {SILENCE_S:g} s", seconds=SILENCE_S) as crowd:
        silent = [
            await peer.open(stage.home(crowd), f"silent-{peer.provider}") for peer in stage.peers
        ]
        await asyncio.gather(*(client.synced() for client in silent))
        await asyncio.sleep(SILENCE_S)
        for client in silent:
            state = await client.state()
            assert state["synced"], client
            assert state["events"].get("connected") == 1, (client, state)
            assert not state["events"].get("close"), (client, state)
            await client.do("destroy")


async def test_every_provider_is_in_the_crowd(stage: Stage) -> None:
    """T21: all versions type among the others and keep nothing unconfirmed; golden bytes."""
    async with (
        nodes(NODE_PROVIDERS) as peers,
        beside(stage, f"golden bytes, {len(peers)} providers", peers=peers) as crowd,
        stage.guest() as guest,
    ):
        client = await (await guest.y("golden")).sync()
        await client.send(GOLDEN)
        await client.until(lambda: GOLDEN in client.frames)
        status, stored = await guest.get("/d/golden/as-update")
        assert status == 200
        assert wire.update(stored) == GOLDEN
        assert await text_at(guest, "golden") == ""
        await _all_have_typed(crowd)


async def _all_have_typed(crowd: Crowd) -> None:
    """Each writer, whatever its dialect, some words."""
    await until(lambda: all(len(writer.confirmed) > 1 for writer in crowd.writers), PATIENCE_S)
