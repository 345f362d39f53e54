"""Who is here: states reach everyone, newcomers too, and leave with their connection."""

import asyncio
import time
from typing import Any

import pytest

from tests.patience import in_time, prompt
from tests.peers.home import Home
from tests.peers.peer import NODE_PROVIDERS, everyone


def users(state: dict[str, Any]) -> set[str]:
    """The names in the awareness states a client knows."""
    return {entry["user"] for entry in state["awareness"].values() if entry.get("user")}


@prompt
async def test_presence_of_everyone_reaches_everyone_and_newcomers(
    home: Home, name: str, peer: Any
) -> None:
    """A state set before somebody came is known to them without a new edit or renewal."""
    clients = await everyone(peer, home, name)
    for client in clients:
        await client.do("awareness", state={"user": client.peer.provider})
    for client in clients:
        await client.until(lambda state: users(state) == set(NODE_PROVIDERS))

    for provider in NODE_PROVIDERS:
        late = await (await peer(provider)).open(home, name)
        started = time.monotonic()
        await late.until(lambda state: users(state) == set(NODE_PROVIDERS))
        in_time(time.monotonic() - started, 5)
        await late.do("destroy")


@pytest.mark.parametrize("provider", NODE_PROVIDERS)
@prompt
async def test_presence_goes_when_a_connection_ends_abruptly(
    home: Home, name: str, peer: Any, provider: str
) -> None:
    """The process is killed: the others see the cursor go at once, long before any time-out."""
    watcher_process, doomed_process = await asyncio.gather(peer("hocuspocus"), peer(provider))
    watcher = await watcher_process.open(home, name)
    doomed = await doomed_process.open(home, name)
    await doomed.do("awareness", state={"user": "doomed"})
    await watcher.until(lambda state: "doomed" in users(state))

    await doomed_process.kill()

    started = time.monotonic()
    await watcher.until(lambda state: "doomed" not in users(state))
    in_time(time.monotonic() - started, 3)
