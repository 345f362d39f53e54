"""A dataset on `/ws`: watched live, edited, and kept sound."""

from __future__ import annotations

import json
from typing import Any

import pycrdt
import pytest

from crdt import wire
from server.adapters.ascently import instants
from tests.clients import HocuspocusClient
from tests.inside import Guest
from tests.server.adapters.ascently.conftest import ada, bob, inside, phone
from tests.server.adapters.ascently.phone import Phone, gone, item

__all__ = ["ada", "bob", "inside", "phone"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


def entry(said: dict[str, Any], name: str = "updatedAt") -> dict[str, Any]:
    """An item or a tombstone as it stands in the document."""
    return {"value": json.dumps(said), "at": instants.parse(said[name]) // 1000}


async def write(editor: HocuspocusClient, **changes: dict[str, Any]) -> bool:
    """Change entries of several collections in one update; whether it was taken."""

    def change() -> None:
        with editor.replica.doc.transaction():
            for root, entries in changes.items():
                shared: Any = editor.replica.doc.get(root, type=pycrdt.Map)
                for key, value in entries.items():
                    if value is None:
                        del shared[key]
                    else:
                        shared[key] = value

    had = len(editor.statuses)
    await editor.send(wire.update(editor.replica.edit(change)))
    return (await editor.settled(had + 1))[-1]


async def watch(guest: Guest) -> HocuspocusClient:
    """The owner's browser."""
    editor = await guest.open(f"ascently/{guest.account}")
    await editor.settled(1)
    return editor


async def test_what_phones_sync_is_seen_live(ada: Guest, phone: Phone) -> None:
    """From before the first upload on, which was none."""
    editor = await watch(ada)
    assert (await phone.get("/sync"))[0] == 404
    await phone.delta(gyms=[item("a")])
    gyms: Any = editor.replica.doc.get("gyms", type=pycrdt.Map)
    await editor.until(lambda: "a" in gyms)

    assert json.loads(gyms.to_py()["a"]["value"]) == item("a")


async def test_what_is_written_live_reaches_phones(ada: Guest, phone: Phone) -> None:
    """By GET and by the next delta, however old it says it is; deletions too."""
    await phone.upload(gyms=[item("a"), item("b")])
    cursor = (await phone.delta())["serverTime"]
    editor = await watch(ada)
    assert await write(editor, gyms={"c": entry(item("c", -500, extra=[1]))})
    assert await write(
        editor,
        gyms={"a": None},
        deletedItems={"gym:a": entry(gone("a", 1), "deletedAt")},
    )
    answer = await phone.delta(cursor)

    assert answer["gyms"] == [item("c", -500, extra=[1])]
    assert answer["deletedItems"] == [gone("a", 1)]
    assert await phone.ids() == ["b", "c"]


@pytest.mark.parametrize(
    "changes",
    [
        {"gyms": {"x": "bare"}},
        {"gyms": {"x": {"value": "{", "at": 1}}},
        {"gyms": {"x": {"value": '{"id": "x"}', "at": 1}}},
        {"gyms": {"x": entry(item("y"))}},
        {"gyms": {"a": entry(item("a", -1))}},
        {"gyms": {"a": None}},
        {"gyms": {"d": entry(item("d", 1))}},
        {"gyms": {"x": {"deleted": True, "at": 1}}},
        {"sessions": {"s": entry(item("s", status="active"))}},
        {"deletedItems": {"a": entry(gone("a", 1), "deletedAt")}},
        {"deletedItems": {"gym:a": entry(gone("a", 1), "deletedAt")}},
        {"meta": {"dataset": {"value": '{"gyms": []}'}}},
        {"meta": {"other": {"value": "{}"}}},
        {"images": {"x": {"value": "x"}}},
    ],
    ids=str,
)
async def test_what_breaks_the_dataset_is_refused(
    ada: Guest, phone: Phone, changes: dict[str, Any]
) -> None:
    """And phones read what they read before."""
    await phone.upload(gyms=[item("a")], deletedItems=[gone("d", 2)])
    before = await phone.whole()
    editor = await watch(ada)

    assert not await write(editor, **changes)
    assert await phone.whole() == before
    assert (await phone.delta())["gyms"] == [item("a")]


async def test_watching_ends_with_the_login(ada: Guest, phone: Phone) -> None:
    """Within the seconds that every revocation takes; until then it goes on."""
    await phone.upload(gyms=[item("a")])
    editor = await watch(ada)
    await ada.inside.accounts.disable(ada.account)

    assert await editor.denied() == "permission-denied"


async def test_only_the_owner_watches(ada: Guest, bob: Guest, phone: Phone) -> None:
    """Others, and tokens for phones, are denied."""
    await phone.upload()
    for token in (bob.token, phone.token):
        session = (await bob.hocuspocus()).session(f"ascently/{ada.account}")
        await session.show(token)
        assert await session.denied()
