"""One document, many spellings; many documents, awkward names."""

import uuid
from typing import Any

import pytest

from tests.peers.home import Home
from tests.peers.peer import HOCUSPOCUS, Y_WEBSOCKET

AWKWARD = (
    "a name with spaces",
    "folder/sub folder/page",
    "né\N{HIRAGANA LETTER A}\N{GRINNING FACE}",
    "colons: everywhere",
    "100% & more+plus=equals",
)


@pytest.mark.parametrize("provider", [*HOCUSPOCUS, "y-websocket"])
async def test_four_spellings_of_a_block_are_one_document(
    home: Home, peer: Any, provider: str
) -> None:
    """workspace:block, the same with :vN, block/…?workspaceId=, and the bare block id."""
    block, workspace = str(uuid.uuid4()), home.workspace_id
    spellings = [f"{workspace}:{block}", f"{workspace}:{block}:v3", block]
    if provider != "y-websocket":
        # y-websocket would send this one's ? as the start of the query.
        spellings.append(f"block/{block}?workspaceId={workspace}")
    process = await peer(provider)
    clients = []
    for number, spelling in enumerate(spellings):
        client = await process.open(home, spelling, socket=f"socket-{number}")
        await client.synced()
        clients.append(client)

    for number, client in enumerate(clients):
        await client.insert(0, str(number))

    for client in clients:
        await client.until(lambda state: sorted(state["text"]) == sorted("0123")[: len(clients)])


async def test_two_spellings_on_one_socket_are_one_document(home: Home, peer: Any) -> None:
    """Each session is answered under the name it used itself."""
    block, workspace = str(uuid.uuid4()), home.workspace_id
    process = await peer("hocuspocus")
    first = await process.open(home, f"{workspace}:{block}", socket="one")
    await first.synced()
    second = await process.open(home, block, socket="one")
    await second.synced()

    await first.insert(0, "same")

    await second.until(lambda state: state["text"] == "same")
    await first.synced()


@pytest.mark.parametrize("provider", Y_WEBSOCKET)
@pytest.mark.parametrize("awkward", AWKWARD, ids=range(len(AWKWARD)))
async def test_awkward_names_are_documents_of_their_own(
    home: Home, name: str, peer: Any, provider: str, awkward: str
) -> None:
    """y-websocket puts them into the path raw; Hocuspocus sends the same text in its frames."""
    if "%" in awkward and provider:
        awkward = awkward.replace("%", "%25")  # what a path must hold for a percent sign
    room = f"{awkward} {name}"
    path, frames = await peer(provider), await peer("hocuspocus")
    over_path = await path.open(home, room)
    over_frames = await frames.open(home, room.replace("%25", "%"))
    await over_path.synced()
    await over_frames.synced()

    await over_path.insert(0, awkward)

    await over_frames.until(lambda state: state["text"] == awkward)
