"""The history of a block over HTTP, and that a restore is an edit like any other."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pycrdt
import pytest

from auth.principal import Role
from server.adapters.heaps.routes import history
from storage.versions import NAMED_MAX
from tests.clients import text_of
from tests.inside import Guest, Inside
from tests.server.adapters.heaps.asking import ask, call
from tests.server.adapters.heaps.conftest import ada, bob, inside, serve
from tests.server.adapters.heaps.device import Device, bytes64, new_id, title

__all__ = ["ada", "bob", "inside", "serve"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def written(guest: Guest, *words: str) -> tuple[Device, str]:
    """A block to which a device added these, one push each."""
    device = Device(guest)
    block = new_id()
    for word in words:
        device.write(word, block)
        await device.push(block)
    return device, block


async def text_at(guest: Guest, block: str, **point: Any) -> str:
    """The text of a version."""
    return str((await ask(guest, f"/api/block_version/{block}", **point))["text"])


async def test_the_history_says_who_changed_what_and_when(ada: Guest) -> None:
    """Newest first, with the updates; with the first page the whole document."""
    started = int(time.time() * 1000)
    _, block = await written(ada, "one ", "two ", "three")
    answer = await ask(ada, f"/api/block_updates/{block}")
    updates = answer["updates"]

    assert [u["sequence"] for u in updates] == [3, 2, 1]
    assert all(u["authors"] == [ada.account] for u in updates)
    assert all(u["device"] == ada.person.reply.get("device_id", u["device"]) for u in updates)
    assert all(started <= u["created_at"] <= time.time() * 1000 for u in updates)
    assert all(u["first_sequence"] == u["sequence"] == int(u["id"]) for u in updates)
    assert text_of(bytes64(updates[2]["update"])) == "one "
    assert text_of(bytes64(answer["ydoc"])) == "one two three"
    assert (answer["sync_version"], answer["block_id"]) == (1, block)
    assert (answer["has_more"], answer["next"], answer["versions"]) == (False, None, [])


async def test_the_history_comes_in_pages(ada: Guest) -> None:
    """Each goes on below the last; the document is only in the first."""
    _, block = await written(ada, "a", "b", "c")
    first = await ask(ada, f"/api/block_updates/{block}", limit=2)
    rest = await ask(ada, f"/api/block_updates/{block}", limit=2, before=first["next"])

    assert [u["sequence"] for u in first["updates"] + rest["updates"]] == [3, 2, 1]
    assert (first["has_more"], rest["has_more"], rest["ydoc"]) == (True, False, None)


async def test_a_page_of_the_history_has_a_bound_in_bytes(
    ada: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One update is always given, so that every page goes on."""
    monkeypatch.setattr(history, "UPDATES_BYTES_MAX", 10)
    _, block = await written(ada, "aaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbb")
    first = await ask(ada, f"/api/block_updates/{block}")

    assert [u["sequence"] for u in first["updates"]] == [2]
    assert (first["has_more"], first["next"]) == (True, 2)


async def test_an_empty_block_has_an_empty_history(ada: Guest) -> None:
    """A document that nobody wrote in."""
    await ask(ada, "/api/heaps")
    answer = await ask(ada, f"/api/block_updates/{ada.workspace}")

    assert (answer["updates"], answer["has_more"]) == ([], False)
    await ask(ada, f"/api/block_version/{ada.workspace}", 404)


async def test_versions_by_sequence_and_time(ada: Guest) -> None:
    """After an edit, at a moment, or now; before the first there was none."""
    before = int(time.time() * 1000) - 1
    _, block = await written(ada, "one ")
    between = int(time.time() * 1000) + 1
    await asyncio.sleep(0.01)
    device = Device(ada)
    await device.pull(block)
    device.write("two", block)
    await device.push(block)

    assert await text_at(ada, block, sequence=1) == "one "
    assert await text_at(ada, block, sequence=2) == "one two"
    assert await text_at(ada, block, at=between) == "one "
    assert await text_at(ada, block) == "one two"
    await ask(ada, f"/api/block_version/{block}", 404, at=before)
    shown = await ask(ada, f"/api/block_version/{block}", sequence=1)
    assert text_of(bytes64(shown["ydoc"])) == "one "
    assert (shown["sequence"], shown["markdown"]) == (1, "one ")


async def test_the_difference_of_two_versions(ada: Guest) -> None:
    """Words that stayed, went and came, and the same of the title."""
    device, block = await written(ada, "the quick fox\njumps\n")
    title(device.blocks[block], "Fable")
    device.blocks[block].delete(4, 9)
    device.blocks[block].insert("slow", at=4)
    await device.push(block)
    answer = await ask(ada, f"/api/block_diff/{block}", **{"from": {"sequence": 1}})

    assert [(d["op"], d["text"]) for d in answer["text"]] == [
        ("equal", "the "), ("delete", "quick"), ("insert", "slow"), ("equal", " fox\njumps\n"),
    ]  # fmt: skip
    assert answer["title"] == [{"op": "insert", "text": "Fable"}]
    assert (answer["from_sequence"], answer["to_sequence"]) == (1, 2)
    await ask(ada, f"/api/block_diff/{block}", 400)


async def test_large_texts_are_compared_in_a_helper(ada: Guest) -> None:
    """The answer is the same."""
    device, block = await written(ada, "line\n" * 3000)
    device.blocks[block].insert("new\n", at=0)
    await device.push(block)
    answer = await ask(ada, f"/api/block_diff/{block}", **{"from": {"sequence": 1}})

    assert [(d["op"], len(d["text"])) for d in answer["text"]] == [("insert", 4), ("equal", 15_000)]


async def test_named_versions_stay_whatever_is_thinned(inside: Inside, ada: Guest) -> None:
    """They are listed, renamed, read, and unnamed again."""
    _, block = await written(ada, "one ", "two")
    path = f"/api/block_versions/{block}"
    await ask(ada, path, name="First draft", sequence=1)
    named = (await ask(ada, path, name="Draft", sequence=1))["versions"]
    record = await inside.store.by_global_id(block)
    assert record is not None
    await inside.pool.execute(
        "UPDATE updates SET data = '' WHERE document = $1 AND sequence = 1", record.id
    )

    assert [(v["sequence"], v["name"], v["author"]) for v in named] == [(1, "Draft", ada.account)]
    assert await text_at(ada, block, sequence=1) == "one "
    assert (await call(ada, "GET", path))["versions"] == named
    assert (await ask(ada, f"/api/block_updates/{block}"))["versions"] == named
    assert (await call(ada, "DELETE", f"{path}/1"))["versions"] == []
    for gone in ("1", "x", "-1", "9" * 30, "%C2%B2"):
        await call(ada, "DELETE", f"{path}/{gone}", 404)


async def test_a_sequence_beyond_the_last_edit_is_not_there(ada: Guest) -> None:
    """It is not taken for now: neither read, compared, named nor restored."""
    _, block = await written(ada, "one ", "two")
    await ask(ada, f"/api/block_version/{block}", 404, sequence=3)
    await ask(ada, f"/api/block_diff/{block}", 404, **{"from": {"sequence": 1 << 62}})
    await ask(
        ada, f"/api/block_diff/{block}", 404, **{"from": {"sequence": 1}, "to": {"sequence": 3}}
    )
    await ask(ada, f"/api/block_versions/{block}", 404, name="later", sequence=3)
    await ask(ada, f"/api/block_restore/{block}", 404, sequence=3)

    assert (await ask(ada, f"/api/block_version/{block}"))["sequence"] == 2


async def test_a_version_needs_a_name_that_can_be_seen(ada: Guest) -> None:
    """Blanks alone are none."""
    _, block = await written(ada, "one")
    for blank in ("", " ", "\t\n", "\0", "\u00a0"):
        await ask(ada, f"/api/block_versions/{block}", 400, name=blank)
    assert (await call(ada, "GET", f"/api/block_versions/{block}"))["versions"] == []


async def test_named_versions_have_a_bound(inside: Inside, ada: Guest) -> None:
    """One more is refused with 409; renaming one is not."""
    _, block = await written(ada, "one ", "two")
    path = f"/api/block_versions/{block}"
    await ask(ada, path, name="now")
    await inside.pool.execute(
        "INSERT INTO named_versions SELECT document, 1000 + n, name, author, at, named_at,"
        " encoding, data FROM named_versions, generate_series(1, $1) n",
        NAMED_MAX - 1,
    )

    await ask(ada, path, 409, name="too many", sequence=1)
    await ask(ada, path, name="renamed")


async def test_a_restore_is_an_edit_that_open_editors_see(ada: Guest) -> None:
    """And one more entry of the history, by who restored."""
    device, block = await written(ada, "one ", "two")
    editor = await ada.y(block)
    await editor.sync()
    answer = await ask(ada, f"/api/block_restore/{block}", sequence=1)
    await editor.until(lambda: editor.replica.text == "one ")
    await device.pull(block)

    assert (answer["restored_sequence"], answer["sequence"]) == (1, 3)
    assert device.blocks[block].text == "one "
    newest = (await ask(ada, f"/api/block_updates/{block}"))["updates"][0]
    assert (newest["sequence"], newest["authors"]) == (3, [ada.account])
    again = await ask(ada, f"/api/block_restore/{block}", sequence=1)
    assert again["sequence"] == 3


async def test_what_others_wrote_meanwhile_survives_a_restore(ada: Guest) -> None:
    """A device that was offline syncs afterwards; its words are there, and all agree."""
    device, block = await written(ada, "one ", "two")
    offline = Device(ada)
    await offline.pull(block)
    offline.blocks[block].insert("OFFLINE ", at=0)
    await ask(ada, f"/api/block_restore/{block}", sequence=1)
    await offline.push(block)
    await device.pull(block)

    assert device.blocks[block].text == offline.blocks[block].text == "OFFLINE one "


async def test_a_restore_brings_back_every_shared_type(ada: Guest) -> None:
    """Titles, rich text and maps."""
    device, block = await written(ada, "")
    mine = device.blocks[block]
    title(mine, "Old")
    content = mine.doc.get("content_v0", type=pycrdt.XmlFragment)
    mine.edit(lambda: content.children.append(pycrdt.XmlElement("p", {"a": "b"})))
    mine.put("k", [1, {"b": b"x"}])
    await device.push(block)
    old = await ask(ada, f"/api/block/{block}")
    mine.edit(lambda: content.children.__delitem__(slice(0, 1)))
    mine.put("k", "other")
    mine.put("new", 1)
    await device.push(block)
    await ask(ada, f"/api/block_restore/{block}", sequence=old["sequence"])

    shown = await ask(ada, f"/api/block/{block}")
    assert (shown["title"], shown["content"]) == ("Old", old["content"])


async def test_a_viewer_reads_and_changes_nothing(inside: Inside, ada: Guest, bob: Guest) -> None:
    """Naming, unnaming and restoring need the right to edit."""
    _, block = await written(ada, "one ", "two")
    await inside.grants.set_member(ada.workspace, bob.account, Role.VIEWER)

    assert await text_at(bob, block, sequence=1) == "one "
    await ask(bob, f"/api/block_restore/{block}", 403, sequence=1)
    await ask(bob, f"/api/block_versions/{block}", 403, name="x")
    await call(bob, "DELETE", f"/api/block_versions/{block}/1", 403)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("block_updates", {"limit": 0}), ("block_updates", {"before": 0}),
        ("block_updates", {"before": 2**64}), ("block_version", {"sequence": "1"}),
        ("block_version", {"at": -1}), ("block_version", {"at": 1e30}),
        ("block_diff", {"from": 1}), ("block_versions", {}), ("block_versions", {"name": ""}),
        ("block_restore", {"sequence": 0}),
    ],
)  # fmt: skip
async def test_bad_bodies_are_400(ada: Guest, path: str, body: dict[str, Any]) -> None:
    """With a sentence that says where."""
    await ask(ada, "/api/heaps")
    await ask(ada, f"/api/{path}/{ada.workspace}", 400, **body)
