"""Documents, rights and processes that change under their editors, while a crowd types beside."""

from __future__ import annotations

import asyncio
import secrets
import time

import aiohttp
import pytest

from auth.keys import ServerKey
from auth.principal import Role
from auth.tokens import SKEW_S, Tokens
from crdt import wire
from crdt.ids import make_ulid
from server.keyring import read_key
from server.realtime.codes import EXPIRED, FORBIDDEN, LINEAGE
from storage.accounts import Accounts
from tests.clients import Closed, Replica, YClient
from tests.inside import Guest
from tests.patience import PATIENCE_S, until
from tests.peers.home import Home
from tests.peers.test_devices import BLOCKS, Devices, Queue, call, pull
from tests.server.adapters.heaps.device import Device, new_id
from tests.stories.beside import FULL, Stage, beside, text_at
from tests.stories.test_delta_chain import Follower

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("processes")]

KILLS = 20 if FULL else 2
EDITS = 5_000 if FULL else 250
"""Of each of two devices."""
ALWAYS = {"compact_rows": 16, "compact_idle_rows": 8, "compact_bytes": 2048}
"""Compact as good as always."""


async def test_compaction_and_kills_beside_a_crowd(stage: Stage) -> None:
    """T13: snapshots are made all the time, and the process is killed again and again."""
    was = stage.server.settings
    stage.server.settings = {**was, **ALWAYS}
    try:
        async with beside(stage, f"continuous compaction, killed {KILLS} times") as crowd:
            for _ in range(KILLS):
                await stage.kill()
                had, made = crowd.confirmed, await _snapshots(stage)
                await until(lambda had=had: crowd.confirmed > had + 5 * len(crowd.writers))
                await until(lambda made=made: _more(stage, made), every_s=0.05)
    finally:
        stage.server.settings = was


async def _snapshots(stage: Stage) -> int:
    """How far all snapshots together reach."""
    async with stage.pool.acquire() as connection:
        return int(await connection.fetchval("SELECT coalesce(sum(sequence), 0) FROM snapshots"))


async def _more(stage: Stage, than: int) -> bool:
    return await _snapshots(stage) > than


async def test_a_gap_and_a_restart_beside_a_crowd(stage: Stage) -> None:
    """T14: update 3 is confirmed before 2 comes; a kill in between; then the text is whole."""
    author = Replica()
    first, second, third = (author.insert(word) for word in ("one ", "two ", "three"))
    async with beside(stage, "update 3 before 2, killed in between"), stage.guest() as guest:
        await guest.post("/doc/new", json={"docId": "gap"})
        for update in (first, third):
            status, answer, _ = await guest.post("/d/gap/update", data=update)
            assert status == 200, answer
        assert await text_at(guest, "gap") == "one "
        await stage.kill()
        assert await text_at(guest, "gap") == "one "
        status, answer, _ = await guest.post("/d/gap/update", data=second)
        assert status == 200, answer
        assert await text_at(guest, "gap") == author.text


async def test_rights_end_beside_a_crowd(stage: Stage) -> None:
    """T15: a token ends, an editor becomes a reader, an account is closed, all while they write."""
    name = new_id()
    async with (
        beside(stage, "a token ends, a right is taken, an account is closed"),
        stage.guest() as owner,
        stage.guest() as lowered,
        stage.guest() as closed,
    ):
        for guest in (lowered, closed):
            await stage.grants.set_member(owner.workspace, guest.account, Role.EDITOR)
        await owner.post("/doc/new", json={"docId": name})
        one, other = [await (await guest.y(name)).sync() for guest in (lowered, closed)]
        for client in (one, other):
            await client.stored(await client.write("in time "))
        late = await _in_time(stage, owner, name)
        await stage.grants.set_member(owner.workspace, lowered.account, Role.VIEWER)
        await Accounts(stage.pool).disable(closed.account)
        # A look at everybody's rights may come upon the end of the token first.
        assert await late.closed() in {EXPIRED, FORBIDDEN}
        assert await other.closed() == FORBIDDEN
        await _refused(one)
        witness = await (await owner.y(name)).sync()
        assert witness.replica.text.count("in time ") >= 3
        await witness.stored(await witness.write("still"))
        await one.until(lambda: one.replica.text.endswith("still"))
        assert "not any more" not in await owner.stored_text(name)


async def _refused(client: YClient) -> None:
    """Write until it is said to be in vain; what was written before that is not looked at."""
    async with asyncio.timeout(PATIENCE_S):
        while not client.payloads(wire.AUTH_DENIED):
            await client.send(wire.update(Replica().insert("early ")))
            await asyncio.sleep(0.02)
    await client.send(wire.update(Replica().insert("not any more")))


async def _in_time(stage: Stage, guest: Guest, name: str) -> YClient:
    """A session that wrote with a token that ends soon; later where the machine stood still."""
    in_s = 2.0
    while True:
        try:
            client = await (await guest.y(name, token=_ends_soon(stage, guest, in_s))).sync()
            await client.stored(await client.write("in time "))
        except (ConnectionError, aiohttp.ClientError):
            in_s *= 2
        else:
            return client


def _ends_soon(stage: Stage, guest: Guest, in_s: float) -> str:
    """An access token of the same login that holds for a few more seconds."""
    data = stage.server.folder / "data"
    identity, signing = (ServerKey(read_key(data / f"{n}.key")) for n in ("identity", "signing"))
    tokens = Tokens(signing, identity.public_text)
    family = tokens.verify(guest.token, time.time()).fam
    assert family is not None
    return tokens.mint_access(
        account=guest.account,
        family=family,
        now=time.time() + in_s - SKEW_S - 60,
        lifetime_s=60,
        random_bytes=secrets.token_bytes(16),
    )


async def test_a_document_is_rebuilt_beside_a_crowd(stage: Stage) -> None:
    """T16: its editors of each dialect are sent away, and what they had is not mixed into it."""
    async with beside(stage, "a document rebuilt under its editors"), stage.guest() as guest:
        y = await (await guest.y("rebuilt")).sync()
        sweet = await guest.sweet("rebuilt", await guest.document_token("rebuilt"))
        await sweet.sync()
        hocuspocus = await guest.open("rebuilt")
        for editor in (y, sweet, hocuspocus):
            await editor.write("old ")
        await until(lambda: _has_all(guest))  # Others see an edit before it is in the log.
        record = await stage.store.resolve(guest.workspace, "rebuilt")
        assert record is not None
        await stage.store.replace(record.id, Replica().insert("new"), None)
        await _write_until_sent_away(y)
        assert await sweet.closed() == LINEAGE
        assert await text_at(guest, "rebuilt") == "new"
        back = await guest.y("rebuilt", replica=y.replica)
        await back.send(wire.update(y.replica.missing(b"\x00")))
        await back.closed()
        assert await text_at(guest, "rebuilt") == "new"


async def _has_all(guest: Guest) -> bool:
    return (await guest.stored_text("rebuilt")).count("old ") == 3


async def _write_until_sent_away(client: YClient) -> None:
    """The next edit finds that the lineage ended."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while client.code is None:
                await client.write("late ")
                await asyncio.sleep(0.05)
    except (Closed, ConnectionError, aiohttp.ClientError):
        await client.closed()
    assert client.code == LINEAGE


async def test_two_offline_devices_beside_a_crowd(stage: Stage) -> None:
    """T17: queued edits, retried at random, while a third device follows the deltas."""
    devices = await Devices.start()
    try:
        async with (
            beside(stage, f"{2 * EDITS} queued edits of two devices"),
            stage.guest() as guest,
            aiohttp.ClientSession() as http,
        ):
            now = int(time.time() * 1000)
            blocks = [make_ulid(now, secrets.token_bytes(10)) for _ in range(BLOCKS)]
            made = await devices.ask("make", count=2, blocks=blocks, edits=EDITS, seed=17)
            home = Home(stage.server, guest.token, guest.workspace)
            queues = [Queue(home, http, items, n) for n, items in enumerate(made["queues"])]
            follower = Follower(Device(guest))
            sending = asyncio.gather(*(queue.send_all() for queue in queues))
            while not sending.done():
                await follower.ask(7)
                await asyncio.sleep(0.05)
            await sending
            await until(lambda: _knows(follower, set(made_in(made))), every_s=0.1)
            for device in (0, 1):
                await pull(http, home, devices, device)
            await _judge(http, home, devices, made_in(made))
    finally:
        await devices.stop()


def made_in(made: dict[str, list[list[dict[str, str]]]]) -> list[str]:
    """The blocks that have an edit."""
    return sorted({item["block"] for queue in made["queues"] for item in queue})


async def _knows(follower: Follower, blocks: set[str]) -> bool:
    while await follower.ask(7):
        pass
    return blocks <= follower.known.keys()


async def _judge(
    http: aiohttp.ClientSession, home: Home, devices: Devices, blocks: list[str]
) -> None:
    whole = await call(http, home, "pull", {"blocks": [{"block_id": block} for block in blocks]})
    states = {result["block_id"]: result["update"] for result in whole["results"]}
    verdict = await devices.ask("judge", states=states)
    assert verdict["complaints"] == []
    assert set(states) == set(blocks)
