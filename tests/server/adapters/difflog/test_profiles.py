"""A profile's document on `/ws`: who may open it, what may be written, when it ends."""

from __future__ import annotations

from typing import Any

import pycrdt
import pytest
from aiohttp import WSServerHandshakeError

from crdt import wire
from tests.server.adapters.difflog.client import Client, items
from tests.server.adapters.difflog.conftest import ada, inside

__all__ = ["ada", "inside"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


def put(replica: Any, root: str, key: str, value: Any) -> bytes:
    """Write an entry of a collection; the update."""
    update: bytes = replica.edit(
        lambda: replica.doc.get(root, type=pycrdt.Map).update({key: value})
    )
    return update


def entries(replica: Any, root: str) -> dict[str, Any]:
    """A collection as a client sees it."""
    found: dict[str, Any] = replica.doc.get(root, type=pycrdt.Map).to_py()
    return found


async def test_edits_meet_uploads(ada: Client) -> None:
    """What REST uploads is seen live, and what is written live comes back by REST."""
    await ada.sync(diffs=items("a"))
    editor = await ada.open(f"difflog/{ada.id}", token=ada.hash)
    await ada.sync(stars=items("s"))
    await editor.until(lambda: "s" in entries(editor.replica, "stars"))
    await editor.send(wire.update(put(editor.replica, "diffs", "b", {"value": "live", "at": 5})))
    statuses = await editor.settled(2)

    assert statuses[-1]
    assert entries(editor.replica, "diffs")["a"]["value"] == "ciphertext of a"
    assert {item["id"]: item["encrypted_data"] for item in (await ada.content())["diffs"]} == {
        "a": "ciphertext of a",
        "b": "live",
    }


async def test_nothing_secret_is_in_the_document(ada: Client) -> None:
    """Neither the password nor its hash, salt or the keys."""
    await ada.sync(diffs=items("a"), keys_hash="the keys' hash")
    editor = await ada.open(f"difflog/{ada.id}", token=ada.hash)
    update = editor.replica.doc.get_update()

    for secret in (ada.hash, ada.salt, "key+/=", "content salt==", "the keys' hash", "argon2id"):
        assert secret.encode() not in update


@pytest.mark.parametrize(
    ("root", "key", "value"),
    [
        ("diffs", "x", {"value": 5, "at": 1}),
        ("diffs", "x", "bare"),
        ("meta", "password_hash", {"value": "x"}),
        ("profile", "languages", {"value": "x"}),
        ("else", "x", {"value": "x"}),
    ],
)
async def test_what_breaks_the_schema_is_refused(
    ada: Client, root: str, key: str, value: Any
) -> None:
    """And REST reads what it read before."""
    editor = await ada.open(f"difflog/{ada.id}", token=ada.hash)
    before = await ada.content()
    await editor.send(wire.update(put(editor.replica, root, key, value)))
    statuses = await editor.settled(2)

    assert statuses[-1] is False
    assert await ada.content() == before


async def test_wrong_passwords_count_on_sockets_too(ada: Client) -> None:
    """Five of them lock the profile for REST and for the next socket."""
    for _ in range(5):
        socket = await ada.hocuspocus()
        session = socket.session(f"difflog/{ada.id}")
        await session.show("wrong")
        await session.denied()
    rest, _ = await ada.read()
    with pytest.raises(WSServerHandshakeError) as locked:
        await ada.http.ws_connect(f"/ws/difflog/{ada.id}", params={"token": ada.hash})

    assert rest == 429
    assert locked.value.status == 429
    assert locked.value.headers is not None
    assert int(locked.value.headers["Retry-After"]) > 590


async def test_y_websocket_opens_it_with_the_password(ada: Client) -> None:
    """In the query, percent-encoded; a wrong one is a 401."""
    path = f"/ws/difflog/{ada.id}"
    async with ada.http.ws_connect(path, params={"token": ada.hash}) as socket:
        first = await socket.receive_bytes()
    with pytest.raises(WSServerHandshakeError) as wrong:
        await ada.http.ws_connect(path, params={"token": "wrong"})

    assert wire.decode_y(first)[0] == wire.STEP1
    assert wrong.value.status == 401


async def test_a_new_password_sends_everybody_away(ada: Client) -> None:
    """And the old one opens nothing more."""
    editor = await ada.open(f"difflog/{ada.id}", token=ada.hash)
    await ada.post(
        f"{ada.path}/password",
        json={
            "old_password_hash": ada.hash,
            "new_password_hash": "new:hash",
            "new_encrypted_api_key": "k",
            "new_salt": "s",
        },
    )
    reason = await editor.denied()
    again = (await ada.hocuspocus()).session(f"difflog/{ada.id}")
    await again.show(ada.hash)

    assert reason in {"deleted", "permission-denied"}  # Whoever looks first.
    assert await again.denied()
