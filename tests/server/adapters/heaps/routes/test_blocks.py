"""One block over HTTP, with its relations and those of others to it."""

from __future__ import annotations

from typing import Any

import pycrdt
import pytest

from auth.principal import Role
from tests.inside import Guest, Inside
from tests.server.adapters.heaps.asking import ask, made
from tests.server.adapters.heaps.conftest import ada, bob, inside, serve
from tests.server.adapters.heaps.device import Device, meta, new_id, title

__all__ = ["ada", "bob", "inside", "serve"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


def paragraph(*content: Any) -> pycrdt.XmlElement:
    """A paragraph for `content_v0`."""
    return pycrdt.XmlElement("paragraph", {}, list(content))


def put(device: Device, block: str, *nodes: pycrdt.XmlElement) -> None:
    """Write nodes into a block's content."""
    mine = device.blocks[block]
    content = mine.doc.get("content_v0", type=pycrdt.XmlFragment)
    for node in nodes:
        mine.edit(lambda node=node: content.children.append(node))


def reference(target: str) -> pycrdt.XmlElement:
    """A mention of a block."""
    return pycrdt.XmlElement("reference", {"id": target, "label": "Ada", "type": "mention"})


async def test_a_block_shows_all_that_its_document_says(ada: Guest) -> None:
    """Title, text, Markdown, JSON, apps, files and attributes."""
    device = Device(ada)
    block = device.write("plain text")
    mine = device.blocks[block]
    title(mine, "Milk")
    put(device, block, pycrdt.XmlElement("heading", {"level": 2}, [pycrdt.XmlText("Buy")]))
    meta(mine, icon="cow")
    mine.edit(lambda: mine.doc.get("apps_v0", type=pycrdt.Map).update({"view": {"sort": "a"}}))
    mine.edit(
        lambda: mine.doc.get("files_v0", type=pycrdt.Map).update({f"{'ab' * 32}:7": {"n": 1}})
    )
    await device.push(block)
    shown = await ask(ada, f"/api/block/{block}")

    assert (shown["id"], shown["block_id"]) == (block, block)
    assert shown["heap_id"] == shown["workspace_id"] == ada.workspace
    assert (shown["title"], shown["text"]) == ("Milk", "Buy\n\nplain text")
    assert shown["markdown"] == "## Buy\n\nplain text"
    assert shown["content"]["content_v0"]["content"] == [
        {"type": "heading", "attrs": {"level": 2}, "content": [{"type": "text", "text": "Buy"}]}
    ]
    assert (shown["apps"], shown["attributes"]) == ({"view": {"sort": "a"}}, {"icon": "cow"})
    assert shown["files"] == [
        {"id": f"{'ab' * 32}:7", "hash": "ab" * 32, "file_size": 7, "about": {"n": 1}}
    ]
    assert (shown["sync_version"], shown["deleted_at"], shown["truncated"]) == (1, None, False)


async def test_an_edit_that_is_not_stored_is_not_shown_and_a_stored_one_is(ada: Guest) -> None:
    """However it came in: here from an open editor."""
    block = new_id()
    editor = await ada.y(block)
    await editor.sync()
    await editor.stored(await editor.write("typed"))

    assert (await ask(ada, f"/api/block/{block}"))["text"] == "typed"


async def test_relations_and_backlinks(ada: Guest) -> None:
    """Tags, mentions and page links are seen from both ends, with titles."""
    device = Device(ada)
    tag, page, block = device.write(""), device.write(""), device.write("")
    title(device.blocks[tag], "Tag")
    title(device.blocks[block], "Block")
    mine = device.blocks[block]
    relations = mine.doc.get("relations_v1", type=pycrdt.Map)
    mine.edit(lambda: relations.update({tag: pycrdt.Map({"type": "tag"})}))
    put(device, block, paragraph(reference(page.lower())))
    put(device, block, paragraph(pycrdt.XmlElement("pagelink", {"blockKey": page})))
    await device.push(tag, page, block)
    shown = await ask(ada, f"/api/block/{block}")

    assert [(r["type"], r["from_id"], r["to_id"], r["title"]) for r in shown["relations"]] == [
        ("tag", tag, block, "Tag"),
        ("mention", block, page.lower(), ""),
        ("pagelink", block, page, ""),
    ]
    tagged = (await ask(ada, f"/api/block/{tag}"))["backlinks"]
    assert [(r["type"], r["from_id"], r["to_id"], r["title"]) for r in tagged] == [
        ("tag", tag, block, "Block")
    ]
    linked = (await ask(ada, f"/api/block/{page}"))["backlinks"]
    assert [(r["type"], r["block_id"], r["label"]) for r in linked] == [
        ("mention", block, "Ada"),
        ("pagelink", block, page),
    ]
    assert len((await ask(ada, f"/api/block/{page}", backlinks_limit=1))["backlinks"]) == 1


async def test_backlinks_follow_the_documents(ada: Guest) -> None:
    """A link that went, and one from a block in the trash, are no backlinks any more."""
    device = Device(ada)
    target, first, second = device.write(""), device.write(""), device.write("")
    put(device, first, paragraph(reference(target)))
    put(device, second, paragraph(reference(target)))
    await device.push(target, first, second)
    path = f"/api/block/{target}"
    assert {r["block_id"] for r in (await ask(ada, path))["backlinks"]} == {first, second}

    content = device.blocks[first].doc.get("content_v0", type=pycrdt.XmlFragment)
    device.blocks[first].edit(lambda: content.children.__delitem__(slice(0, 1)))
    meta(device.blocks[second], deletedAt=5)
    await device.push(first, second)
    assert (await ask(ada, path))["backlinks"] == []

    await ask(ada, f"/api/trash/{ada.workspace}/restore", block_id=second)
    assert [r["block_id"] for r in (await ask(ada, path))["backlinks"]] == [second]


async def test_other_workspaces_are_not_looked_into(ada: Guest, bob: Guest) -> None:
    """A link from elsewhere is no backlink, and shows no title."""
    target, source = Device(ada), Device(bob)
    mine, theirs = target.write(""), source.write("")
    title(target.blocks[mine], "Secret")
    put(source, theirs, paragraph(reference(mine)))
    await target.push(mine)
    await source.push(theirs)

    assert (await ask(ada, f"/api/block/{mine}"))["backlinks"] == []
    (said,) = (await ask(bob, f"/api/block/{theirs}"))["relations"]
    assert (said["block_id"], said["title"]) == (mine, "")


async def test_a_block_in_the_trash_is_shown_as_such(ada: Guest) -> None:
    """With the time that its document says."""
    device = Device(ada)
    block = device.write("x")
    meta(device.blocks[block], deletedAt=1_790_000_000_000)
    await device.push(block)

    assert (await ask(ada, f"/api/block/{block}"))["deleted_at"] == 1_790_000_000_000


@pytest.mark.parametrize(
    "key", ["01J9ZV3M8Q4R5S6T7V8W9X0YZA", "x", "%00", "a%0Ab", "ü" * 300, "%ff"]
)
async def test_what_is_no_block_is_404(ada: Guest, key: str) -> None:
    """Unknown ids and texts that cannot be one."""
    for path in ("block", "block_updates", "block_version", "block_diff", "block_restore"):
        body = {"from": {}} if path == "block_diff" else {}
        await ask(ada, f"/api/{path}/{key}", 404, **body)


async def test_a_foreign_block_is_404_and_a_viewer_reads(
    inside: Inside, ada: Guest, bob: Guest
) -> None:
    """Under every form of its name."""
    heap = await made(ada)
    device = Device(ada, heap)
    block = device.write("mine")
    await device.push(block)
    for name in (block, f"{heap}:{block}", f"{bob.workspace}:{block}"):
        await ask(bob, f"/api/block/{name}", 404)
    await inside.grants.set_member(heap, bob.account, Role.VIEWER)

    for name in (block, block.lower(), f"{heap}:{block}", f"{heap}:{block}:v3"):
        assert (await ask(bob, f"/api/block/{name}"))["text"] == "mine"
    await ask(bob, f"/api/block/{bob.workspace}:{block}", 404)


@pytest.mark.parametrize("body", [{"backlinks_limit": -1}, {"backlinks_limit": 1001}])
async def test_backlinks_are_bounded(ada: Guest, body: dict[str, Any]) -> None:
    """What is out of bounds is 400."""
    await ask(ada, f"/api/block/{ada.workspace}", 400, **body)


async def test_a_nest_is_shown_as_far_as_it_goes(ada: Guest) -> None:
    """What is deeper is left out and said; a restore of it is refused with 400, never 500."""
    device = Device(ada)
    block = device.write("x")
    mine = device.blocks[block]

    def nest() -> None:
        here: Any = mine.doc.get("content_v0", type=pycrdt.XmlFragment)
        for _ in range(200):
            here = here.children.append(pycrdt.XmlElement("div"))

    mine.edit(nest)
    await device.push(block)

    assert (await ask(ada, f"/api/block/{block}"))["truncated"] is True
    await ask(ada, f"/api/block_restore/{block}", 400, sequence=1)
    await ask(ada, f"/api/block_diff/{block}", **{"from": {"sequence": 1}})
