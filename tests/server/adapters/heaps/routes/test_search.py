"""Search over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from auth.principal import Role
from tests.inside import Guest, Inside
from tests.server.adapters.heaps.asking import ask, call
from tests.server.adapters.heaps.conftest import ada, bob, inside, serve
from tests.server.adapters.heaps.device import Device, meta, title

__all__ = ["ada", "bob", "inside", "serve"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def found(guest: Guest, query: str, **more: Any) -> list[str]:
    """The blocks that a query finds in one's default workspace."""
    answer = await ask(guest, "/api/search", **{"heap_id": guest.workspace, **more}, query=query)
    return [hit["block_id"] for hit in answer["results"]]


async def test_words_of_title_and_text_find_a_block_at_once(ada: Guest) -> None:
    """Titles first; what was committed before the question is found, also from an open editor."""
    device = Device(ada)
    titled, worded = device.write("nothing"), device.write("about the giraffe and others")
    title(device.blocks[titled], "Giraffe")
    await device.push(titled, worded)
    answer = await ask(ada, "/api/search", workspace_id=ada.workspace, query="giraffe")
    editor = await ada.y(worded)
    await editor.sync()
    await editor.stored(await editor.write(" okapi"))

    assert [hit["block_id"] for hit in answer["results"]] == [titled, worded]
    assert (answer["total"], answer["has_more"]) == (2, False)
    assert answer["results"][0]["title"] == "Giraffe"
    pieces = answer["results"][1]["snippet"]
    assert [piece["text"] for piece in pieces if piece["match"]] == ["giraffe"]
    assert await found(ada, "okapi") == [worded]


async def test_how_questions_are_understood(ada: Guest) -> None:
    """All words, phrases, without, or, beginnings; whatever else is no error."""
    device = Device(ada)
    block = device.write("the quick brown fox naïve 日本")
    await device.push(block)
    finds = {
        "quick fox": True, '"quick brown"': True, '"quick fox"': False, "fox -quick": False,
        "cow or fox": True, "qui": True, "quick bro": True, "uick": False, "naïve": True,
        "日本": True, "": False, " ": False, "!!": False, "-": False, "'": False, "\u0000": False,
        "fox & | ! ( ) :* <->": True, "\\": False, "@" + ada.workspace: False, "fox -cow": True,
    }  # fmt: skip

    for query, is_found in finds.items():
        assert (await found(ada, query) == [block]) is is_found, query


async def test_the_trash_is_searched_on_request(ada: Guest) -> None:
    """And what is gone for good never."""
    device = Device(ada)
    block = device.write("walrus")
    meta(device.blocks[block], deletedAt=5)
    await device.push(block)

    assert await found(ada, "walrus") == []
    assert await found(ada, "walrus", include_trash=True) == [block]
    await call(ada, "DELETE", f"/api/trash/{ada.workspace}")
    assert await found(ada, "walrus", include_trash=True) == []


async def test_an_edit_changes_what_is_found(ada: Guest) -> None:
    """Words that went are not found any more."""
    device = Device(ada)
    block = device.write("alpha")
    await device.push(block)
    assert await found(ada, "alpha") == [block]
    device.blocks[block].delete(0, 5)
    device.write("beta", block)
    await device.push(block)

    assert (await found(ada, "alpha"), await found(ada, "beta")) == ([], [block])


async def test_pages(ada: Guest) -> None:
    """Every hit is on one page."""
    device = Device(ada)
    blocks = [device.write(f"penguin {n}") for n in range(5)]
    await device.push(*blocks)
    pages = [await found(ada, "penguin", limit=2, offset=n) for n in (0, 2, 4, 6)]

    assert [len(page) for page in pages] == [2, 2, 1, 0]
    assert sorted(block for page in pages for block in page) == sorted(blocks)


async def test_only_members_search(inside: Inside, ada: Guest, bob: Guest) -> None:
    """One workspace never shows what is in another; a viewer may search."""
    device = Device(ada)
    block = device.write("lynx")
    await device.push(block)

    assert await found(bob, "lynx") == []
    await ask(bob, "/api/search", 404, heap_id=ada.workspace, query="lynx")
    await inside.grants.set_member(ada.workspace, bob.account, Role.VIEWER)
    assert await found(bob, "lynx", heap_id=ada.workspace) == [block]


@pytest.mark.parametrize(
    "body", [{}, {"query": 7}, {"query": "x" * 201}, {"query": "x", "limit": 101}, {"query": "x"}]
)
async def test_bad_questions_are_400(ada: Guest, body: dict[str, Any]) -> None:
    """No query, no workspace, or out of bounds."""
    heap = {} if body == {"query": "x"} else {"heap_id": ada.workspace}
    await ask(ada, "/api/search", 400, **heap, **body)
