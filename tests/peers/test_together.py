"""Every provider, each as it comes from its registry, in one document at once."""

import asyncio
import base64
from typing import Any

import aiohttp
from pycrdt import Doc, Text

from tests.peers.home import Home
from tests.peers.peer import HOCUSPOCUS, NODE_PROVIDERS, Y_WEBSOCKET_NEXT, Client, everyone
from tests.peers.pycrdt_peer import PycrdtClient

WORDS = "né\N{GRINNING FACE}\N{HIRAGANA LETTER A}"


async def test_all_providers_converge_on_text_formats_and_maps(
    home: Home, name: str, peer: Any
) -> None:
    """What each writes, all read; nobody keeps an unconfirmed change."""
    clients = await everyone(peer, home, name)

    async with PycrdtClient(home, name) as pycrdt:
        for number, client in enumerate(clients):
            await client.insert(0, f"<{number} {WORDS}>")
            await client.do("set", key=client.peer.provider, value={"n": number})
        await pycrdt.insert(0, f"<pycrdt {WORDS}>")
        pycrdt.map["pycrdt"] = {"n": 99}
        parts = [f"<{number} {WORDS}>" for number in range(len(clients))]
        parts.append(f"<pycrdt {WORDS}>")

        def complete(state: dict[str, Any]) -> bool:
            whole = sum(map(len, parts)) == len(state["text"])
            return whole and len(state["map"]) == len(clients) + 1

        first = await clients[0].until(complete)
        for client in (*clients, pycrdt):
            state = await client.until(
                lambda now: complete(now) and now["text"] == first["text"] and now["unsynced"] == 0
            )
            assert state["map"] == first["map"]
            assert all(part in state["text"] for part in parts)


async def test_formats_and_deletions_reach_every_provider(home: Home, name: str, peer: Any) -> None:
    """Bold stays on the same letters everywhere; deleted text and keys are gone everywhere."""
    clients = await everyone(peer, home, name)
    writer, other = clients[-1], clients[0]
    await writer.insert(0, "one two three")
    await writer.do("set", key="kept", value=1)
    await writer.do("set", key="gone", value=2)
    await other.until(lambda state: state["text"] == "one two three" and len(state["map"]) == 2)

    await other.do("format", index=4, length=3, attributes={"bold": True})
    await other.do("remove", index=7, length=6)
    await other.do("unset", key="gone")

    expected = [{"insert": "one "}, {"insert": "two", "attributes": {"bold": True}}]
    async with PycrdtClient(home, name) as pycrdt:
        for client in (*clients, pycrdt):
            state = await client.until(
                lambda now: now["text"] == "one two" and now["map"] == {"kept": 1}
            )
            if getattr(client, "peer", None) and client.peer.provider == Y_WEBSOCKET_NEXT:
                continue  # Yjs 14 writes deltas in a form of its own
            assert state["delta"] == expected


async def test_typing_at_the_same_place_at_once_converges(home: Home, name: str, peer: Any) -> None:
    """Forty keystrokes of each provider without waiting for anyone: all there, once, same order."""
    clients = await everyone(peer, home, name)
    keystrokes = 40

    async def type_on(client: Client, letter: str) -> None:
        for _ in range(keystrokes):
            await client.insert(0, letter)

    letters = "abcdefghij"[: len(clients)]
    await asyncio.gather(*map(type_on, clients, letters))

    size = keystrokes * len(clients)
    first = await clients[0].until(lambda state: len(state["text"]) >= size)
    assert all(first["text"].count(letter) == keystrokes for letter in letters)
    for client in clients:
        await client.until(lambda now: now["text"] == first["text"] and now["unsynced"] == 0)


async def test_a_late_joiner_gets_everything_typed_before(home: Home, name: str, peer: Any) -> None:
    """A provider that comes last reads what the others wrote, also when all have left."""
    for provider in NODE_PROVIDERS:
        process = await peer(provider)
        client = await process.open(home, name)
        before = (await client.synced())["text"]
        await client.insert(len(before), f"{provider};")
        if provider not in HOCUSPOCUS:
            # No acknowledgement in this protocol: somebody else has to have seen it.
            async with PycrdtClient(home, name) as witness:
                await witness.until(lambda now, me=f"{provider};": me in now["text"])
        await client.synced()
        await process.kill()

    async with PycrdtClient(home, name) as last:
        state = await last.until(lambda now: now["text"].count(";") == len(NODE_PROVIDERS))

    assert state["text"] == "".join(f"{provider};" for provider in NODE_PROVIDERS)


async def test_an_edit_over_rest_arrives_at_every_provider(
    home: Home, name: str, peer: Any
) -> None:
    """POST /d/{id}/update is an edit like any other, and GET /d/{id}/as-update reads it back."""
    clients = await everyone(peer, home, name)
    document: Doc = Doc()
    document.get("text", type=Text).insert(0, "from a script")
    bearer = {"Authorization": f"Bearer {home.token}"}
    async with aiohttp.ClientSession(home.url) as session:
        async with session.post(f"/doc/{name}/auth", json={}, headers=bearer) as answer:
            assert answer.status == 200
            headers = {"Authorization": f"Bearer {(await answer.json())['token']}"}

        async with session.post(
            f"/d/{name}/update", data=document.get_update(), headers=headers
        ) as answer:
            assert answer.status == 200

        for client in clients:
            await client.until(lambda state: state["text"] == "from a script")
        async with session.get(f"/d/{name}/as-update", headers=headers) as answer:
            copy: Doc = Doc()
            copy.apply_update(await answer.read())
    assert str(copy.get("text", type=Text)) == "from a script"


async def test_the_state_of_every_provider_is_the_same_document(
    home: Home, name: str, peer: Any
) -> None:
    """State vectors agree, and the bytes of one provider rebuild the text of the others."""
    clients = await everyone(peer, home, name)
    for client in clients:
        await client.insert(0, "x")
    states = [
        await client.until(lambda state: state["text"] == "x" * len(clients)) for client in clients
    ]
    assert all(state["vector"] == states[0]["vector"] for state in states)
    for client in clients:
        update = base64.b64decode((await client.do("update"))["update"])
        copy: Doc = Doc()
        copy.apply_update(update)
        assert str(copy.get("text", type=Text)) == states[0]["text"]
