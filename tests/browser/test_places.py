"""Around the documents: workspaces, keys, devices, tokens, sessions, the administrators page."""

from __future__ import annotations

import re

import asyncpg
import pytest
from playwright.async_api import Error, Page, expect

from tests.browser.conftest import Meet
from tests.browser.person import Person, is_saved, text_of
from tests.live import LiveServer
from tests.patience import until

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_workspaces_are_live_in_every_window(meet: Meet) -> None:
    """A document, a new name and the trash show in another window without a reload."""
    ada = await meet()
    page = await ada.start()
    await page.get_by_label("Title").fill("Heron")
    await text_of(page).click()
    await page.keyboard.type("stands in the water")
    await is_saved(page)
    one, two = await ada.window("/w"), await ada.window("/w")
    for window in (one, two):
        await expect(window.get_by_role("link", name="Heron")).to_be_visible()
    await page.get_by_label("Title").fill("Grey heron")
    await expect(two.get_by_role("link", name="Grey heron")).to_be_visible()
    await one.get_by_role("button", name="Rename").click()
    await one.get_by_role("textbox", name="Name").fill("Shore")
    await one.keyboard.press("Enter")
    await expect(two.locator(".places")).to_contain_text("Shore")
    await expect(two.locator(".headline")).to_contain_text("Shore")
    await two.get_by_label("Search in this workspace").fill("water")
    await expect(two.locator("mark")).to_have_text("water")
    await two.get_by_label("Search in this workspace").fill("")
    await one.get_by_role("button", name="Delete “Grey heron”").click()
    await expect(two.get_by_role("link", name="Grey heron")).to_have_count(0)
    await two.get_by_role("tab", name="Trash").click()
    await two.get_by_role("button", name="Restore “Grey heron”").click()

    await expect(one.get_by_role("link", name="Grey heron")).to_be_visible()


async def test_workspaces_are_made_shared_and_deleted(meet: Meet) -> None:
    """Who comes by a link has that role, sees it change, and loses it with the workspace."""
    ada, bob = await meet(), await meet()
    await ada.start()
    page = await ada.window("/w")
    await page.get_by_role("button", name="New workspace").click()
    await page.get_by_role("textbox", name="Name").fill("Team")
    await page.keyboard.press("Enter")
    await expect(page.locator(".headline")).to_contain_text("Team")
    await page.get_by_role("button", name="People").click()
    await page.get_by_label("Who comes by it").select_option("viewer")
    await page.get_by_role("button", name="Make a link").click()
    link = str(await page.locator("dialog .secret code").text_content())
    theirs = await bob.start()
    await theirs.goto(link)
    await expect(theirs.locator(".places")).to_contain_text("Team")
    await expect(theirs.locator(".places")).to_contain_text("viewer")
    await expect(theirs.get_by_role("button", name="New document")).to_have_count(0)
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="People").click()
    await page.get_by_label("Role of").select_option("editor")
    await expect(theirs.get_by_role("button", name="New document")).to_be_visible()
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Delete", exact=True).click()
    await page.get_by_role("button", name="Delete", exact=True).last.click()

    await expect(page.locator(".places")).not_to_contain_text("Team")
    await theirs.reload()
    await expect(theirs.locator(".places")).not_to_contain_text("Team")


async def test_a_second_device_is_let_in_by_its_code(meet: Meet) -> None:
    """Both show the same letters; no key travels; shut out, it is out."""
    ada, phone = await meet(), await meet(viewport={"width": 390, "height": 800})
    page = await ada.start()
    await page.keyboard.type("from the desk")
    await is_saved(page)
    new = await phone.window("/key#new")
    await expect(new.get_by_role("img", name="Code to scan")).to_be_visible()
    link = str(await new.locator("#approve-link").text_content())
    letters = str(await new.locator("#fingerprint").text_content())
    key = await ada.window(link)
    await expect(key.locator("dialog #fingerprint")).to_have_text(letters)
    await key.get_by_label("Name of the device").fill("Phone")
    await key.get_by_role("button", name="Let it in").click()
    await expect(new.locator("#here")).to_contain_text("you are here")
    await new.goto(page.url)
    await expect(text_of(new)).to_contain_text("from the desk")
    await key.get_by_role("button", name="Shut Phone out").click()
    await key.get_by_role("button", name="Shut out", exact=True).last.click()

    await expect(new.locator("#notice")).to_be_visible()
    assert "seed" not in link
    assert len(link) < 500


async def test_the_words_are_shown_once_and_open_the_account_again(meet: Meet) -> None:
    """In another browser, from words or a file; a wrong word is named; the key is not readable."""
    ada, other = await meet(), await meet()
    page = await ada.window("/")
    await page.get_by_role("button", name="Start writing").click()
    await expect(page.locator(".words li")).to_have_count(24)
    words = " ".join(await page.locator(".words li").all_text_contents())
    await page.get_by_role("button", name="Continue").click()
    await expect(text_of(page)).to_be_focused()
    await page.keyboard.type("mine")
    await is_saved(page)
    front = await other.window("/")
    await front.get_by_role("button", name="Sign in with a key").click()
    await front.get_by_label("The 24 words").fill(words.replace(words.split()[3], "wrnog", 1))
    await front.get_by_role("button", name="Sign in", exact=True).click()
    await expect(front.locator("#toasts")).to_contain_text("wrnog")
    await front.get_by_label("or a file").set_input_files(
        [{"name": "key.txt", "mimeType": "text/plain", "buffer": f"# mine\n{words}\n".encode()}]
    )
    await expect(front.get_by_label("The 24 words")).to_have_value(re.compile(words.split()[3]))
    await front.get_by_role("button", name="Sign in", exact=True).click()
    await front.wait_for_url("**/w")
    await front.goto(page.url)

    await expect(text_of(front)).to_contain_text("mine")
    held = await page.evaluate(
        """() => new Promise((resolve) => {
          const asked = indexedDB.open('plait-key')
          asked.onsuccess = () => {
            const all = asked.result.transaction('keys').objectStore('keys').getAll()
            all.onsuccess = () => resolve(all.result.map((key) => key.private.extractable))
          }
        })"""
    )
    assert held == [False]
    kept = await page.evaluate("JSON.stringify(Object.entries(localStorage)) + document.cookie")
    assert "token" not in kept
    assert words.split()[0] not in kept


async def test_tokens_and_sessions_are_seen_made_and_ended(meet: Meet) -> None:
    """A token is shown once; a session that is ended in one browser is over in the other."""
    ada, other = await meet(), await meet()
    first = await ada.window("/")
    await first.get_by_role("button", name="Start writing").click()
    await expect(first.locator(".words li")).to_have_count(24)
    words = " ".join(await first.locator(".words li").all_text_contents())
    await first.get_by_role("button", name="Continue").click()
    await expect(text_of(first)).to_be_focused()
    away = await other.window("/")
    await away.get_by_role("button", name="Sign in with a key").click()
    await away.get_by_label("The 24 words").fill(words)
    await away.get_by_role("button", name="Sign in", exact=True).click()
    await away.wait_for_url("**/w")
    page = await ada.window("/access")
    await page.get_by_label("Name").fill("backup")
    await page.get_by_label("heaps").select_option("read")
    await page.get_by_role("button", name="Make a token").click()
    token = str(await page.locator("#new-token").text_content())
    works = await page.request.post(
        f"{ada.url}/api/heaps", headers={"Authorization": f"Bearer {token}"}, data={}
    )
    await page.get_by_role("button", name="Revoke backup").click()
    await page.get_by_role("button", name="Revoke", exact=True).last.click()
    await expect(page.locator("#here")).to_contain_text("none yet")
    ended = await page.request.post(
        f"{ada.url}/api/heaps", headers={"Authorization": f"Bearer {token}"}, data={}
    )
    sessions = page.get_by_role("button", name="End", exact=True)
    await expect(sessions).to_have_count(1)
    cookie = (await other.context.cookies())[0]
    await sessions.click()
    await expect(sessions).to_have_count(0)
    over = await page.request.get(
        f"{ada.url}/api/session", headers={"Cookie": f"{cookie['name']}={cookie['value']}"}
    )

    assert token.startswith("plait_pat_")
    assert (works.status, ended.status, over.status) == (200, 401, 401)
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Lax"


async def crown(person: Person, page: Page, database: str) -> None:
    """Make somebody an administrator, and wait until the server has seen it."""
    account = (await person.ask(page, "/api/me"))["user_id"]
    connection = await asyncpg.connect(database)
    try:
        await connection.execute(
            "UPDATE accounts SET is_admin = true, auth_version = auth_version + 1 WHERE id = $1",
            account,
        )
    finally:
        await connection.close()

    async def is_admitted() -> bool:
        try:
            await person.ask(page, "/api/admin/overview", method="GET")
        except Error:
            return False
        return True

    # Rights are looked at once a second; the page asks once.
    await until(is_admitted, every_s=0.1)


async def test_administrators_see_the_server_and_into_a_document(
    meet: Meet, browser_database: str, server: LiveServer
) -> None:
    """The first account is one: figures, charts, live documents, compaction; others are told no."""
    ada, bob = await meet(), await meet()
    page = await ada.start()
    await page.keyboard.type("inspected")
    await is_saved(page)
    await crown(ada, page, browser_database)
    block = page.url.split("/")[5].split("?")[0]
    desk = await ada.window("/server")
    await expect(desk.locator("#rooms table")).to_be_visible()
    await desk.get_by_label("Document", exact=True).fill(f"{page.url.split('/')[4]}:{block}")
    await desk.get_by_role("button", name="Inspect", exact=True).last.click()
    inside = desk.locator("#inspected")
    await expect(inside).to_contain_text("State vector")
    await expect(inside).to_contain_text("hocuspocus")
    await desk.get_by_role("button", name="Compact now").click()
    await expect(desk.locator("#toasts")).to_contain_text("Compacted")
    await expect(inside).to_contain_text("Sizes")
    await expect(desk.locator(".chart path[d]").first).to_have_attribute("d", re.compile("^M"))
    plain = await bob.start()
    await plain.goto(f"{server.url}/server")

    await expect(plain.locator("#here")).to_contain_text("for administrators")


async def test_a_command_line_is_let_in_or_refused(meet: Meet) -> None:
    """The page names who asks and from where; the device hears of the answer."""
    ada = await meet()
    await ada.start()
    answers = []
    for button in ("Let it in", "Refuse"):
        page = await ada.window("/cli/verify")
        started = await page.request.post(
            f"{ada.url}/api/cli/device/authorize", data={"client_name": "notes on the desk"}
        )
        device = await started.json()
        await page.get_by_label("The code").fill("nothing")
        await page.get_by_role("button", name="Go on").click()
        await expect(page.get_by_role("alert")).to_be_visible()
        await page.get_by_label("The code").fill(device["user_code"].lower())
        await page.get_by_role("button", name="Go on").click()
        await expect(page.locator(".facts")).to_contain_text("notes on the desk")
        await expect(page.locator(".facts")).to_contain_text("127.0.0.1")
        await page.get_by_role("button", name=button).click()
        await expect(page.locator("#here .card")).to_have_attribute("role", "status")
        grant = "urn:ietf:params:oauth:grant-type:device_code"
        told = await page.request.post(
            f"{ada.url}/api/cli/device/token",
            data={"device_code": device["device_code"], "grant_type": grant},
        )
        answers.append((told.status, (await told.json()).get("error")))

    assert answers[0] == (200, None)
    assert answers[1][0] == 400


async def test_sites_are_made_locked_and_deleted(meet: Meet) -> None:
    """A name is asked for first; the list says how each is; what is deleted is gone."""
    ada = await meet()
    page = await ada.start()
    name = f"ada-{page.url.split('/')[4][-8:].lower()}"
    await page.goto(f"{ada.url}/sites")
    await page.get_by_role("button", name="New site").click()
    await page.get_by_role("textbox", name="Letters, digits").fill(name)
    await page.keyboard.press("Enter")
    await page.get_by_role("textbox", name="Name, as it stands").fill("garden")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("link", name="garden")).to_have_attribute(
        "href", re.compile(f"/@{name}/garden$")
    )
    await page.get_by_role("button", name="Password of garden").click()
    await page.get_by_label("New password").fill("a long secret")
    await page.keyboard.press("Enter")
    await expect(page.locator(".list")).to_contain_text("password")
    await page.get_by_role("button", name="Delete garden").click()
    await page.get_by_role("button", name="Delete", exact=True).click()

    await expect(page.locator("#here")).to_contain_text("published nothing yet")


async def test_a_key_is_made_where_the_browser_offers_no_cryptography(meet: Meet) -> None:
    """On plain http outside this machine: the implementation that we keep logs in and writes."""
    ada = await meet()
    await ada.context.add_init_script(
        "Object.defineProperty(Crypto.prototype, 'subtle', {get: () => undefined})"
    )
    page = await ada.start()
    await page.keyboard.type("by hand")
    await is_saved(page)
    again = await ada.window("/w")
    await expect(again.locator(".list")).to_be_visible()
    await again.goto(f"{ada.url}/key")

    await expect(again.locator("#here")).to_contain_text("plain http")
