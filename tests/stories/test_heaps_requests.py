"""What no page says and every client meets: methods, spellings, encodings, one bad block."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from typing import Any

import pytest

from tests.inside import Guest, Inside
from tests.server.adapters.heaps.asking import ask, call, made
from tests.server.adapters.heaps.conftest import ada, bob, inside, serve
from tests.server.adapters.heaps.device import Device
from tests.stories.test_heaps_contract import NEEDS_TOKEN

__all__ = ["ada", "bob", "inside", "serve"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(("method", "path"), NEEDS_TOKEN)
async def test_another_method_is_405_with_allow(ada: Guest, method: str, path: str) -> None:
    """The answer names the methods that there are, and is worded like every other error."""
    async with ada.http.request("PATCH", path, headers=ada.bearer) as answer:
        said = await answer.json()
        assert (answer.status, said["success"]) == (405, False)
        assert method in answer.headers["Allow"].split(",")


async def test_a_ulid_means_the_same_in_small_letters(ada: Guest, inside: Inside) -> None:
    """Blocks and workspaces, in paths, queries, bodies and on the socket."""
    heap = await made(ada)
    device = Device(ada, heap)
    block = device.write("a")
    await device.push(block)
    small = heap.lower()
    (result,) = (await device.send(device.item(block, block_id=block.lower(), workspace_id=small)))[
        "results"
    ]
    delta = await call(ada, "GET", f"/api/sync/delta?workspace_id={small}")
    again = await ask(ada, "/api/heap/add", id=small)
    editor = await ada.open(f"{small}:{block.lower()}")

    assert (result["status"], result["workspace_id"]) == ("unchanged", heap)
    assert block in [one["block_id"] for one in delta["changed_blocks"]]
    assert again["id"] == heap
    assert (await ask(ada, "/api/heap", heap_id=small))["heap_id"] == heap
    assert (await call(ada, "GET", f"/api/heap/stats/{small}"))["heap_id"] == heap
    assert (await call(ada, "GET", f"/api/trash/{small}"))["heap_id"] == heap
    assert editor.replica.text == "a"
    assert len(inside.realtime.connections) >= 1


async def test_unknown_fields_are_ignored(ada: Guest) -> None:
    """A newer client may say more than this server knows of."""
    device = Device(ada)
    block = device.write("a")
    await device.send(device.item(block, colour="red", nested={"a": [1]}))
    for path in (f"/api/block/{block}", f"/api/block_updates/{block}", "/api/heaps"):
        await ask(ada, path, colour="red")


async def test_compressed_bodies_are_read(ada: Guest) -> None:
    """Gzip and deflate, under the same bound when inflated; what is neither is 400."""
    device = Device(ada)
    body = json.dumps({"blocks": [device.item(device.write("a"))]}).encode()
    for encoding, data, status in (
        ("gzip", gzip.compress(body), 200),
        ("deflate", zlib.compress(body), 200),
        ("gzip", body, 400),
        ("gzip", gzip.compress(bytes(64 << 20)), 413),
    ):
        async with ada.http.post(
            "/api/sync/push", data=data, headers=ada.bearer | {"Content-Encoding": encoding}
        ) as answer:
            said = await answer.json()
            assert answer.status == status, said


async def test_one_block_may_stand_twice_in_a_push(ada: Guest) -> None:
    """Each has its result, in order; both are in the document."""
    device = Device(ada)
    block = device.write("a")
    first = device.item(block)
    part = device.blocks[block].insert("b")
    answer = await device.send(first, device.item(block, part))

    assert [one["status"] for one in answer["results"]] == ["created", "updated"]
    assert (await ask(ada, f"/api/block/{block}"))["text"] == "ab"


@pytest.mark.parametrize(
    "bad",
    [
        {"block_id": "a\0b"},
        {"block_id": ""},
        {"block_id": 7},
        {"block_id": None},
        {"update": "%%%"},
        {"update": base64.b64encode(b"no update").decode()},
        {"update": {"type": "Buffer", "data": [256]}},
        {"update": [1.5]},
        {"state_vector": "AQ=="},
        {"state_vector": 10**30},
        {"workspace_id": ["x"]},
        {"workspace_id": "a\0b"},
    ],
)
async def test_a_bad_block_fails_alone(ada: Guest, bad: dict[str, Any]) -> None:
    """Between two good ones, whatever is wrong with it; the reply is 200."""
    device = Device(ada)
    one, two, three = (device.write(text) for text in "abc")
    answer = await device.send(
        device.item(one), device.item(two) | bad, device.item(three, sync_version=10**40)
    )

    assert [it["success"] for it in answer["results"]] == [True, False, True]
    assert answer["results"][1]["status"] == "invalid"
