"""Hostile, strange and heavy clients, while a crowd types at the same server: it loses nothing."""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from crdt import wire
from scripts._load.large import large_document
from scripts._load.typing_work import writing_session
from tests.crdt.hostile import mutate
from tests.crdt.samples import REAL
from tests.inside import Guest
from tests.patience import until
from tests.peers.test_histories import node
from tests.peers.test_scripts import end, start
from tests.stories.beside import FULL, Stage, beside
from tests.stories.crowd import tell

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("processes")]

HISTORIES = "60" if FULL else "12"
EDITS = 260_000 if FULL else 4_000
BATCHES = 4_000 if FULL else 200
AT_ONCE = 8


async def test_random_histories_beside_a_crowd(stage: Stage) -> None:
    """T4: in random order, some twice, over WebSocket and REST; each ends as Yjs has it."""
    chance = random.Random(4)
    histories = [json.loads(line) for line in (await _yjs("make", "4", HISTORIES)).splitlines()]
    async with beside(stage, "random histories in random order"), stage.guest() as guest:
        await asyncio.gather(
            *(_deliver(guest, f"h{n}", one["updates"], chance) for n, one in enumerate(histories))
        )

        async def are_whole() -> bool:
            lines = []
            for number, history in enumerate(histories):
                _, body = await guest.get(f"/d/h{number}/as-update")
                lines.append(json.dumps({"steps": [body.hex()], "content": history["content"]}))
            return json.loads(await _yjs("judge", lines="\n".join(lines))) == []

        await until(are_whole, every_s=0.3)


async def _yjs(*arguments: str, lines: str = "") -> str:
    return await asyncio.to_thread(lambda: node(*arguments, lines=lines))


async def _deliver(guest: Guest, name: str, updates: list[str], chance: random.Random) -> None:
    """All of them, shuffled, some twice, each by one of two ways."""
    await guest.post("/doc/new", json={"docId": name})
    socket = await guest.y(name)
    socket.answers = False  # It has none of the history: what another library makes of half emoji.
    again = chance.sample(updates, len(updates) // 8)
    for update in map(bytes.fromhex, chance.sample([*updates, *again], len(updates) + len(again))):
        if chance.random() < 0.9:
            await socket.send(wire.update(update))
        else:
            status, answer, _ = await guest.post(f"/d/{name}/update", data=update)
            assert status == 200, answer


async def test_a_history_is_replayed_beside_a_crowd(stage: Stage, tmp_path: Path) -> None:
    """T5: edit by edit, as fast as it goes, to its text at every client.

    A long session of one author, or the history that `PLAIT_TEST_TRACE` names.
    """
    path = Path(os.environ.get("PLAIT_TEST_TRACE") or tmp_path / "trace.json")
    if not path.exists():
        edits = writing_session(EDITS)
        text = (await asyncio.to_thread(large_document, edits))[1]
        turns = [{"patches": [edit]} for edit in edits]
        path.write_text(json.dumps({"startContent": "", "endContent": text, "txns": turns}))
    async with beside(stage, "a history replayed") as crowd:
        process = start("replay_cli", stage.home(crowd), str(path), "--clients", "4")
        done = await asyncio.to_thread(end, process)
        assert done.returncode == 0, done.stderr + done.stdout
        told = json.loads(done.stdout)
        assert told["differing"] == []
        tell(f"{told['updates']} updates replayed")


def _updates(chance: random.Random) -> list[bytes]:
    """Whole updates with a few bytes wrong, as the frames of a client that is let in."""
    return [wire.update(mutate(chance.choice(REAL), chance)) for _ in range(chance.randint(1, 6))]


def _frames(chance: random.Random) -> list[bytes]:
    """Frames of every kind with a few bytes wrong."""
    kinds = (wire.update, wire.step1, wire.step2, wire.awareness, wire.version)
    return [mutate(chance.choice(kinds)(chance.choice(REAL)), chance) for _ in range(4)]


async def test_hostile_updates_beside_a_crowd(stage: Stage) -> None:
    """T6: to the real endpoint, by somebody who is let in; the process lives, all opens."""
    await _besiege(stage, "updates", _updates, ("y", "hocuspocus"))


async def test_hostile_frames_beside_a_crowd(stage: Stage) -> None:
    """T7: before and after the login, in both dialects."""
    await _besiege(stage, "frames", _frames, ("y", "hocuspocus", "stranger"))


async def _besiege(
    stage: Stage, what: str, make: Callable[[random.Random], list[bytes]], doors: tuple[str, ...]
) -> None:
    chance = random.Random(f"hostile {what}")
    async with beside(stage, f"{BATCHES} batches of hostile {what}"), stage.guest() as guest:
        was = stage.server.process
        batches = [(chance.choice(doors), make(chance)) for _ in range(BATCHES)]
        for at in range(0, BATCHES, AT_ONCE):
            some = batches[at : at + AT_ONCE]
            await asyncio.gather(*(_attack(guest, door, frames) for door, frames in some))
        assert stage.server.process is was
        assert was is not None
        assert was.poll() is None
        assert "Traceback" not in stage.server.log
        assert (await guest.get("/d/attacked/as-update"))[0] == 200


async def _attack(guest: Guest, door: str, frames: list[bytes]) -> None:
    """Send a batch through a door, ask for an answer, and go on when it or the end came."""
    prefix = b"" if door == "y" else wire.address_prefix("attacked")
    if door == "hocuspocus":
        frames = [wire.auth_token(guest.token, "4.8.0"), *frames]
    path = f"/ws/attacked?token={guest.token}" if door == "y" else "/ws"
    try:
        async with guest.http.ws_connect(path, max_msg_size=0) as socket:
            for frame in [*frames, wire.step1(b"\x00")]:
                await socket.send_bytes(prefix + frame)
            async with asyncio.timeout(0.05):
                while not (await socket.receive()).type.name.startswith("CLOS"):
                    pass
    except (TimeoutError, ConnectionError, aiohttp.ClientError):
        pass
