"""`--workers 2`: two processes on one port, one database, one set of documents."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import psutil
import pytest
import pytest_asyncio

from tests.clients import YClient, becomes
from tests.live import LiveServer
from tests.stories.crowd import Crowd
from tests.stories.outages import Outages

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("processes")]

FULL = bool(os.environ.get("PLAIT_TEST_FULL"))
WRITERS, DOCUMENTS = (100, 10) if FULL else (20, 3)
PACE_S = 0.01 if FULL else 0.003
"""Seconds between two words of all together."""
PATIENCE_S = 120.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    """Two workers on an embedded PostgreSQL of theirs."""
    live = LiveServer(
        tmp_path_factory.mktemp("workers"),
        workers=2,
        shutdown_grace_s=0.5,
        login_attempts_per_minute=100_000,
    )
    await asyncio.to_thread(live.start)
    yield live
    assert await asyncio.to_thread(live.stop) == 0


def workers(server: LiveServer) -> list[psutil.Process]:
    """The processes that serve."""
    found = []
    for child in psutil.Process(server.pid).children():
        try:
            if "--share-port" in child.cmdline():
                found.append(child)
        except psutil.Error:
            continue
    return found


async def at_each(crowd: Crowd, name: str, server: LiveServer) -> list[YClient]:
    """Connections to a document, at least one at each worker."""
    assert crowd.visitor is not None
    found: list[YClient] = []
    pids: set[int] = set()
    async with asyncio.timeout(PATIENCE_S):
        while len(pids) < 2:
            client = await (await crowd.visitor.y(name)).sync()
            found.append(client)
            pids = {
                one.pid
                for one in workers(server)
                if any(
                    c.status == psutil.CONN_ESTABLISHED and c.laddr and c.laddr.port == server.port
                    for c in one.net_connections("tcp")
                )
            }
    return found


async def test_both_serve_one_document(server: LiveServer) -> None:
    """What is typed at one worker is seen at the other, in both directions."""
    crowd = Crowd(server, writers=1, documents=1, seed=5)
    try:
        await crowd.arrive()
        clients = await at_each(crowd, crowd.documents[0], server)
        for number, client in enumerate(clients):
            await client.stored(await client.write(f"{number} "))
        await becomes(lambda: len({c.replica.text for c in clients}) == 1, PATIENCE_S)
        assert len(clients[0].replica.text.split()) >= len(clients)
    finally:
        await crowd.leave()


async def kill(server: LiveServer, before: set[int]) -> None:
    """One is killed; another takes its place."""
    os.kill(min(before), signal.SIGKILL)
    await becomes(lambda: len(fresh(server, before)) == 1, PATIENCE_S)


async def renew(server: LiveServer, before: set[int]) -> None:
    """Each is told to end, one after the other, and another takes its place."""
    os.kill(server.pid, signal.SIGHUP)
    await becomes(lambda: len(fresh(server, before)) == 2, PATIENCE_S)


def fresh(server: LiveServer, before: set[int]) -> set[int]:
    """The workers that were not there before."""
    return {one.pid for one in workers(server)} - before


HOW = {"killed": kill, "restarted": renew}


@pytest.mark.parametrize("how", HOW)
async def test_a_worker_goes_and_no_word_is_lost(server: LiveServer, how: str) -> None:
    """Killed, or all started anew by SIGHUP, under load: somebody serves, nothing is lost."""
    before = {one.pid for one in workers(server)}
    crowd = Crowd(server, writers=WRITERS, documents=DOCUMENTS, seed=6)
    for writer in crowd.writers:
        writer.pace_s = WRITERS * PACE_S
    try:
        await crowd.arrive()
        await crowd.connect()
        crowd.start(are_here=True)
        await becomes(lambda: crowd.confirmed > 100, PATIENCE_S)
        async with Outages(crowd) as outages:
            await HOW[how](server, before)
            had = crowd.confirmed
            await becomes(lambda: crowd.confirmed > had + 20, PATIENCE_S)
            await crowd.stop()
        await crowd.come_back()
        await crowd.check_converged(PATIENCE_S)
        await crowd.leave()
        assert await asyncio.to_thread(server.stop) == 0
        await asyncio.to_thread(server.start)
        await crowd.arrive()
        await crowd.check_stored()
        outages.tell(f"{WRITERS} editors, workers {how}")
    finally:
        await crowd.leave()
