"""What a token allows, as providers experience it."""

from typing import Any

import aiohttp
import pytest

from tests.peers.home import Home
from tests.peers.peer import HOCUSPOCUS, Y_WEBSOCKET
from tests.peers.pycrdt_peer import PycrdtClient


async def document_token(home: Home, name: str, authorization: str) -> dict[str, Any]:
    """What an application gets for a reader or a writer of one document."""
    headers = {"Authorization": f"Bearer {home.token}"}
    async with aiohttp.ClientSession(home.url, headers=headers) as session:
        async with session.post("/doc/new", json={"docId": name}) as answer:
            assert answer.status == 200
        body = {"authorization": authorization}
        async with session.post(f"/doc/{name}/auth", json=body) as answer:
            assert answer.status == 200
            result: dict[str, Any] = await answer.json()
            return result


@pytest.mark.parametrize("provider", HOCUSPOCUS)
async def test_a_bad_token_on_one_document_leaves_the_others_of_the_socket_alone(
    home: Home, name: str, peer: Any, provider: str
) -> None:
    """The refused one hears why; the other one types on, on the same connection."""
    process = await peer(provider)
    good = await process.open(home, name, socket="shared")
    await good.synced()

    bad = await process.open(home.holding("no token at all"), f"{name}-other", socket="shared")
    await bad.until(lambda state: state["events"].get("authentication-failed"))
    await good.insert(0, "still here")
    state = await good.synced()

    assert state["events"].get("connected") == 1
    assert not state["events"].get("close")
    assert not (await bad.state())["synced"]
    async with PycrdtClient(home, name) as witness:
        await witness.until(lambda now: now["text"] == "still here")


@pytest.mark.parametrize("provider", HOCUSPOCUS)
async def test_a_readonly_hocuspocus_peer_reads_and_is_told_that_it_cannot_write(
    home: Home, name: str, peer: Any, provider: str
) -> None:
    """Its change stays unconfirmed (SyncStatus 0), reaches nobody, and it keeps reading."""
    reading = await document_token(home, name, "read-only")
    process, writing = await peer(provider), await peer("hocuspocus")
    writer = await writing.open(home, name)
    await writer.synced()
    await writer.insert(0, "one")
    await writer.synced()

    reader = await process.open(home.holding(reading["token"]), reading["docId"])
    await reader.until(lambda state: state["text"] == "one")
    await reader.synced()
    await reader.insert(0, "not mine to write ")
    await writer.insert(3, " two")

    state = await reader.until(lambda now: now["text"].endswith("one two"))
    assert state["unsynced"] == 1
    assert (await writer.synced())["text"] == "one two"


@pytest.mark.parametrize("provider", Y_WEBSOCKET)
async def test_a_readonly_y_websocket_peer_reads_and_writes_nothing(
    home: Home, name: str, peer: Any, provider: str
) -> None:
    """The same without acknowledgements: others never see its change."""
    reading = await document_token(home, name, "read-only")
    reader = await (await peer(provider)).open(home.holding(reading["token"]), reading["docId"])
    await reader.synced()

    await reader.insert(0, "not mine to write ")

    async with PycrdtClient(home, name) as writer:
        await writer.insert(0, "one")
        await reader.until(lambda now: "one" in now["text"])
        assert (await writer.state())["text"] == "one"


async def test_a_readonly_y_sweet_peer_reads_and_keeps_its_change_unconfirmed(
    home: Home, name: str, peer: Any
) -> None:
    """Y-Sweet's client warns its user; the server does not apply the change."""
    process = await peer("y-sweet")
    await document_token(home, name, "full")
    reader = await process.open(home, name, authorization="read-only")
    await reader.until(lambda state: state["synced"])

    await reader.insert(0, "not mine to write ")

    async with PycrdtClient(home, name) as writer:
        await writer.insert(0, "one")
        await reader.until(lambda now: "one" in now["text"])
        assert (await writer.state())["text"] == "one"


@pytest.mark.parametrize("provider", HOCUSPOCUS)
async def test_a_document_of_another_account_is_refused(
    home: Home, stranger: Home, name: str, peer: Any, provider: str
) -> None:
    """Named by its workspace, it is denied: no empty document, no content."""
    process = await peer(provider)
    owner = await process.open(home, name)
    await owner.synced()
    await owner.insert(0, "private")
    await owner.synced()

    other = await process.open(stranger, f"{home.workspace_id}:{name}", socket="stranger")

    state = await other.until(lambda now: now["events"].get("authentication-failed"))
    assert state["text"] == ""
    assert not state["synced"]


async def test_the_same_name_of_two_accounts_is_two_documents(
    home: Home, stranger: Home, name: str
) -> None:
    """Two people who both call a document `notes` never meet in it."""
    async with PycrdtClient(home, name) as mine:
        await mine.insert(0, "mine")
        async with PycrdtClient(stranger, name) as theirs:
            await theirs.insert(0, "theirs")
        async with PycrdtClient(stranger, name) as again:
            await again.until(lambda state: state["text"] == "theirs")
        assert (await mine.state())["text"] == "mine"
