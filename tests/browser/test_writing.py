"""People write in one document: seen at once, undone apart, kept offline, honest about safety."""

from __future__ import annotations

import time

import pytest
from playwright.async_api import Page, WebSocketRoute, expect

from tests.browser.conftest import Meet
from tests.browser.person import Person, block_of, is_saved, saved, text_of
from tests.patience import until

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_two_windows_edit_one_document_with_cursors_in_view(meet: Meet) -> None:
    """From the front page in two clicks; each sees the other's words, cursor and name."""
    ada = await meet()
    began = time.monotonic()
    first = await ada.start()
    await first.keyboard.type("Hello from one")
    second = await ada.window(first.url)
    await expect(text_of(second)).to_contain_text("Hello from one")
    await text_of(second).click()
    await second.keyboard.press("End")
    await second.keyboard.type(" and from two")
    await expect(text_of(first)).to_contain_text("Hello from one and from two")
    await expect(first.locator(".peer-caret")).to_have_count(1)
    took = time.monotonic() - began
    print(f"\nfrom the front page to two windows with cursors: {took:.1f} s")  # noqa: T201

    await expect(first.locator("#people li")).to_have_count(2)
    await is_saved(first)
    await is_saved(second)
    await second.close()
    await expect(first.locator("#people li")).to_have_count(1)
    await expect(first.locator(".peer-caret")).to_have_count(0)


async def test_who_has_a_link_writes_or_reads_without_an_account(ada: Person, meet: Meet) -> None:
    """In another browser without a key; who may only read cannot type."""
    guest = await meet()
    page = await ada.write()
    await page.keyboard.type("shared words")
    await is_saved(page)
    links = []
    await page.get_by_role("button", name="Share").click()
    for role in ("editor", "viewer"):
        await page.get_by_label("Who has the link").select_option(role)
        before = links[-1] if links else ""
        await page.get_by_role("button", name="Make a link").click()
        shown = page.locator("#made-link code")
        await expect(shown).not_to_have_text(before)
        links.append(str(await shown.text_content()))
    await page.keyboard.press("Escape")
    writer = await guest.window(links[0])
    await expect(text_of(writer)).to_contain_text("shared words")
    await text_of(writer).click()
    await writer.keyboard.type("guest ")
    await expect(text_of(page)).to_contain_text("guest")
    reader = await guest.window(links[1])

    await expect(saved(reader)).to_have_text("Read only")
    await expect(reader.locator(".cm-content")).to_contain_text("shared words")
    await expect(reader.locator(".cm-content")).to_have_attribute("contenteditable", "false")
    assert await guest.context.cookies() == []


@pytest.mark.parametrize("kind", ["markdown", "blocks"])
async def test_undo_takes_back_own_edits_only(ada: Person, kind: str) -> None:
    """What the other typed stays, also what was typed later."""
    one = await ada.write(kind)
    await one.keyboard.type("mine")
    await is_saved(one)
    two = await ada.window(one.url)
    await expect(text_of(two)).to_contain_text("mine")
    await text_of(two).click()
    await two.keyboard.press("End")
    await two.keyboard.type(" yours")
    await expect(text_of(one)).to_contain_text("mine yours")
    await text_of(one).press("Control+z")

    await expect(text_of(two)).not_to_contain_text("mine")
    await expect(text_of(two)).to_contain_text("yours")
    await text_of(one).press("Control+y")
    await expect(text_of(two)).to_contain_text("mine")


async def test_what_is_written_offline_is_counted_kept_and_sent(meet: Meet) -> None:
    """A tab closed offline loses nothing: the next one shows it, offline too, and sends it."""
    ada = await meet(service_workers="allow")
    page = await ada.start()
    await page.keyboard.type("before ")
    await is_saved(page)
    await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    address = page.url
    await ada.context.set_offline(True)
    await expect(saved(page)).to_contain_text("Offline")
    await page.keyboard.type("kept")
    await expect(saved(page)).to_have_text("Offline, 4 edits kept here")
    await page.reload()
    await expect(text_of(page)).to_contain_text("before kept")
    await expect(saved(page)).to_have_text("Offline, 4 edits kept here")
    await page.close()
    again = await ada.window(address)
    await expect(text_of(again)).to_contain_text("before kept")
    await text_of(again).click()
    await again.keyboard.press("Control+End")
    await again.keyboard.type(" on")
    await expect(saved(again)).to_have_text("Offline, 7 edits kept here")
    elsewhere = await ada.window(address[:-1] + ("0" if address[-1] != "0" else "1"))
    await expect(elsewhere.locator("#notice")).to_contain_text("not on this device")
    places = await ada.window("/w")
    await expect(places.locator(".list li")).to_have_text("Untitled7 edits to send")
    await ada.context.set_offline(False)

    await is_saved(again)
    await expect(places.get_by_role("button", name="New document")).to_be_visible()
    fresh = await ada.ask(again, f"/api/block/{block_of(again)}")
    assert fresh["markdown"] == "before kept on"


async def test_who_signs_out_leaves_nothing_in_the_browser(meet: Meet) -> None:
    """No key, no session, no copy of a document, no worker; what was not sent is counted before."""
    ada = await meet(service_workers="allow")
    page = await ada.start()
    await is_saved(page)
    await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    await page.route_web_socket("**/ws", lambda line: line.close())
    await page.reload()
    await text_of(page).click()
    await page.keyboard.type("ab")
    await expect(saved(page)).to_contain_text("2 edits kept here")
    key = await ada.window("/key")
    await key.get_by_role("button", name="Sign out").click()
    await expect(key.get_by_role("dialog")).to_contain_text("2 edits were not sent")
    await page.close()
    await key.get_by_role("button", name="Sign out", exact=True).click()
    await expect(key.get_by_role("button", name="Start writing")).to_be_visible()

    assert await key.evaluate(_LEFT) == [0, [], ["plait-key"], 0]
    assert await ada.context.cookies() == []


async def test_nothing_is_called_saved_before_the_server_said_so(ada: Person) -> None:
    """Acknowledgements that are held back keep the page at saving; one by one they count."""
    page = await ada.write()
    await is_saved(page)
    held: list[bytes] = []
    is_held = {"now": False}
    lines: list[WebSocketRoute] = []

    def between(line: WebSocketRoute) -> None:
        beyond = line.connect_to_server()
        lines.append(line)

        def on_answer(message: bytes | str) -> None:
            assert isinstance(message, bytes)
            status = message[1 + message[0] :][:1] == b"\x08"
            if status and is_held["now"]:
                held.append(message)
            else:
                line.send(message)

        beyond.on_message(on_answer)

    await page.route_web_socket("**/ws", between)
    await page.reload()
    await is_saved(page)
    await text_of(page).click()
    is_held["now"] = True
    await page.keyboard.type("ab")
    await expect(saved(page)).to_have_text("Saving…")
    await until(lambda: len(held) == 2)
    await expect(saved(page)).to_have_attribute("data-unsaved", "2")
    lines[-1].send(held[0])
    await expect(saved(page)).to_have_attribute("data-unsaved", "1")
    await expect(saved(page)).to_have_text("Saving…")
    lines[-1].send(held[1])
    await is_saved(page)


async def test_a_revoked_member_is_put_out_and_told(ada: Person, bob: Person) -> None:
    """Within seconds, in the open editor, and the list of workspaces does not have it any more."""
    page = await ada.write()
    await page.keyboard.type("among us")
    await is_saved(page)
    places = await ada.window(f"/w/{ada.workspace}")
    await places.get_by_role("button", name="People").click()
    await places.get_by_role("button", name="Make a link").click()
    link = await places.locator("dialog .secret code").text_content()
    theirs = await bob.window(str(link))
    await expect(theirs.locator("#list")).to_be_visible()
    await theirs.goto(page.url)
    await expect(text_of(theirs)).to_contain_text("among us")
    await places.keyboard.press("Escape")
    await places.get_by_role("button", name="People").click()
    await places.get_by_role("button", name="Take").click()
    await places.get_by_role("button", name="Take out", exact=True).last.click()

    await expect(theirs.locator("#notice")).to_contain_text("no access")
    await expect(saved(theirs)).to_have_text("Closed")
    await theirs.goto(f"{bob.url}/w/{ada.workspace}")
    await expect(theirs.locator("#here")).to_contain_text("not shared with you")


_LEFT = """async () => {
  const read = (asked) => new Promise((done) => (asked.onsuccess = () => done(asked.result)))
  const keys = (await read(indexedDB.open('plait-key'))).transaction('keys').objectStore('keys')
  const held = await read(keys.count())
  return [
    (await navigator.serviceWorker.getRegistrations()).length,
    await caches.keys(),
    (await indexedDB.databases()).map((one) => one.name),
    held,
  ]
}"""


async def picture(page: Page) -> str:
    """A picture of a few pixels as base64, made by the browser itself."""
    made: str = await page.evaluate(
        """() => {
          const canvas = document.createElement('canvas')
          canvas.width = canvas.height = 24
          canvas.getContext('2d').fillRect(2, 2, 9, 9)
          return canvas.toDataURL('image/png').split(',')[1]
        }"""
    )
    return made


_BRING = """([kind, encoded]) => {
  const bytes = Uint8Array.from(atob(encoded), (one) => one.charCodeAt(0))
  const data = new DataTransfer()
  data.items.add(new File([bytes], kind + '.png', {type: 'image/png'}))
  const place = document.querySelector('#editor [contenteditable]')
  const options = {bubbles: true, cancelable: true}
  place.dispatchEvent(kind === 'paste'
    ? new ClipboardEvent('paste', {...options, clipboardData: data})
    : new DragEvent('drop', {...options, dataTransfer: data}))
}"""


@pytest.mark.parametrize("kind", ["markdown", "blocks"])
async def test_pictures_come_by_drop_and_by_paste(ada: Person, kind: str) -> None:
    """They are uploaded and stand in the text; the other window shows them."""
    page = await ada.write(kind)
    await page.keyboard.type("look ")
    await page.evaluate(_BRING, ["drop", await picture(page)])
    await is_saved(page)
    other = await ada.window(page.url)
    if kind == "markdown":
        await expect(text_of(page)).to_contain_text("![drop.png]")
        await page.evaluate(_BRING, ["paste", await picture(page)])
        await expect(text_of(page)).to_contain_text("![paste.png]")
        await is_saved(page)
        await other.get_by_role("button", name="Preview").click()
        shown = other.locator("#preview img")
    else:
        await expect(page.locator("#editor img[alt='drop.png']")).to_have_count(1)
        await page.evaluate(_BRING, ["paste", await picture(page)])
        # ProseMirror puts one of its own behind a picture at the end of a line.
        shown = other.locator("#editor img:not(.ProseMirror-separator)")

    await expect(shown).to_have_count(2)
    await expect(shown.first).to_have_js_property("naturalWidth", 24)
    await expect(page.locator("#uploads")).to_be_empty()
