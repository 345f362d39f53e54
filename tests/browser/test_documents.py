"""What else a document offers: blocks that the server reads, preview, history, files to take."""

from __future__ import annotations

import base64
import os
import time
from pathlib import Path

import pycrdt
import pytest
from playwright.async_api import expect

from crdt.ids import make_ulid
from tests.browser.person import Person, block_of, is_saved, text_of
from tests.server.test_exporting import words_of

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_blocks_are_what_the_server_reads(ada: Person) -> None:
    """What is typed with Markdown's signs arrives as headings, lists, tasks, code and tables."""
    page = await ada.write("blocks")
    await page.keyboard.type("# Head\nSome **bold** and `code`.\n- one\n")
    await page.keyboard.press("Tab")
    await page.keyboard.type("inner\n\n\n[] open\ndone\n\n> said\n\n```py ")
    await page.keyboard.type("x = 1")
    await page.keyboard.press("Control+Enter")
    await page.get_by_role("button", name="Table").click()
    await page.keyboard.type("cell")
    await page.get_by_label("Done").nth(1).check()
    await page.get_by_label("Title").fill("A title")
    await is_saved(page)
    other = await ada.window(page.url)
    await expect(other.locator("#editor td, #editor th")).to_have_count(9)
    read = await ada.ask(page, f"/api/block/{block_of(page)}")

    assert read["title"] == "A title"
    for wanted in (
        "# Head\n\nSome **bold** and `code`.",
        "- one\n  - inner",
        "- [ ] open\n- [x] done",
        "> said",
        "```py\nx = 1\n```",
        "| cell |  |  |\n| --- | --- | --- |",
    ):
        assert wanted in read["markdown"], read["markdown"]
    await expect(other.get_by_label("Title")).to_have_value("A title")
    assert await other.get_by_label("Done").nth(1).is_checked()


async def test_what_other_editors_wrote_is_kept(ada: Person) -> None:
    """Nodes, marks and attributes that ours does not know survive being edited beside."""
    page = await ada.write("blocks")
    await page.keyboard.type("ours")
    await is_saved(page)
    block, workspace = block_of(page), ada.workspace
    doc: pycrdt.Doc[pycrdt.XmlFragment] = pycrdt.Doc()
    content = doc.get("content_v0", type=pycrdt.XmlFragment)
    text = pycrdt.XmlText("theirs")
    content.children.append(
        pycrdt.XmlElement("embedded_map", {"zoom": "7"}, [pycrdt.XmlElement("pin", {}, [text])])
    )
    text.format(0, 6, {"shiny": {"tone": "gold"}})
    update = base64.b64encode(doc.get_update()).decode()
    row = {"block_id": block, "workspace_id": workspace, "update": update}
    await ada.ask(page, "/api/sync/push", {"blocks": [row]})
    await expect(text_of(page)).to_contain_text("theirs")
    await text_of(page).get_by_text("ours").click()
    await page.keyboard.press("End")
    await page.keyboard.type(" too")
    await is_saved(page)
    read = await ada.ask(page, f"/api/block/{block}")

    (found,) = [
        one for one in read["content"]["content_v0"]["content"] if one["type"] != "paragraph"
    ]
    assert (found["type"], found["attrs"]) == ("embedded_map", {"zoom": "7"})
    (run,) = found["content"][0]["content"]
    assert (run["text"], run["marks"]) == (
        "theirs",
        [{"type": "shiny", "attrs": {"tone": "gold"}}],
    )
    assert "ours too" in read["text"]


async def test_history_shows_who_changed_what_and_leads_back(ada: Person) -> None:
    """The slider goes to the first version; restoring it is an edit that others see."""
    page = await ada.write()
    await page.keyboard.type("first words")
    await is_saved(page)
    block = block_of(page)
    first = (await ada.ask(page, f"/api/block_updates/{block}"))["updates"][0]["sequence"]
    await ada.ask(page, f"/api/block_versions/{block}", {"name": "Draft", "sequence": first})
    other = await ada.window(page.url)
    await expect(text_of(other)).to_contain_text("first words")
    await page.bring_to_front()
    await text_of(page).click()
    await page.keyboard.press("Control+a")
    await page.keyboard.type("second thoughts")
    await is_saved(page)
    await page.get_by_role("button", name="More").click()
    await page.get_by_role("button", name="History").click()
    await expect(page.locator("#difference ins").first).to_be_visible()
    await expect(page.locator("#version")).to_contain_text("by you")
    slider = page.get_by_label("Version")
    await slider.focus()
    await slider.press("Home")
    await expect(page.locator("#version")).to_contain_text("Draft")
    await expect(page.locator("#difference")).to_contain_text("first words")
    await page.get_by_role("button", name="Restore this version").click()
    await page.get_by_role("button", name="Restore", exact=True).click()

    await expect(text_of(other)).to_have_text("first words")
    await expect(text_of(page)).to_have_text("first words")


async def test_it_is_previewed_and_taken_along(ada: Person, tmp_path: Path) -> None:
    """Markdown, HTML and PDF made by the server; hostile HTML in the text runs nowhere."""
    page = await ada.write()
    await page.get_by_label("Title").fill("Field notes")
    await text_of(page).click()
    await page.keyboard.insert_text(
        "# Birds\n\nA **wren** <img src=x onerror=\"document.title='bad'\">\n\n- [ ] look\n"
    )
    await expect(page.locator("#counts")).to_contain_text("words")
    await is_saved(page)
    await page.get_by_role("button", name="Preview").click()
    await expect(page.locator("#preview strong")).to_have_text("wren")
    saved_as = {}
    for form in ("Markdown", "HTML", "PDF"):
        await page.get_by_role("button", name="More").click()
        async with page.expect_download() as loading:
            await page.get_by_role("button", name=f"Export as {form}").click()
        got = await loading.value
        await got.save_as(tmp_path / got.suggested_filename)
        saved_as[form] = (tmp_path / got.suggested_filename).read_bytes()

    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "Field notes.html",
        "Field notes.md",
        "Field notes.pdf",
    ]
    assert saved_as["Markdown"].startswith(b"# Birds")
    assert b"<strong>wren</strong>" in saved_as["HTML"]
    assert b"onerror" not in saved_as["HTML"]
    assert "Field notes" in words_of(saved_as["PDF"])
    assert await page.title() == "Field notes · Plait"


async def test_a_text_of_another_editor_is_edited_where_it_is(ada: Person) -> None:
    """Whatever its root is called: what is typed here is in that very text."""
    page = await ada.window("/key")
    workspace, block = ada.workspace, make_ulid(time.time_ns() // 1_000_000, os.urandom(10))
    doc: pycrdt.Doc[pycrdt.Text] = pycrdt.Doc()
    doc["content_v0"] = pycrdt.Text("from elsewhere")
    update = base64.b64encode(doc.get_update()).decode()
    row = {"block_id": block, "workspace_id": workspace, "update": update}
    await ada.ask(page, "/api/sync/push", {"blocks": [row]})
    other = await ada.window(f"/w/{workspace}/{block}")
    await expect(other.locator(".cm-content")).to_have_text("from elsewhere")
    await text_of(other).click()
    await other.keyboard.press("Control+End")
    await other.keyboard.type(" and here")
    await is_saved(other)
    read = await ada.ask(other, f"/api/block/{block}")

    assert read["content"]["content_v0"] == "from elsewhere and here"
