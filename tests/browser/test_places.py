"""Around the documents: workspaces, keys, devices, tokens, sessions, command lines."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Meet
from tests.browser.person import Person, is_saved, text_of

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_workspaces_are_live_in_every_window(ada: Person) -> None:
    """A document, a new name and the trash show in another window without a reload."""
    page = await ada.write()
    await page.get_by_label("Title").fill("Heron")
    await text_of(page).click()
    await page.keyboard.type("stands in the water")
    await is_saved(page)
    one, two = await ada.window("/w"), await ada.window("/w")
    for window in (one, two):
        await expect(window.get_by_role("link", name="Heron")).to_be_visible()
    # What stays as it is keeps the focus while something beside it changes.
    await two.locator("#list a").last.focus()
    await page.get_by_label("Title").fill("Grey heron")
    await expect(two.get_by_role("link", name="Grey heron")).to_be_visible()
    await expect(two.locator("#list a:focus")).to_have_count(1)
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


async def test_workspaces_are_made_shared_and_deleted(ada: Person, bob: Person) -> None:
    """Who comes by a link has that role, sees it change, and loses it with the workspace."""
    page = await ada.window("/w")
    await page.get_by_role("button", name="New workspace").click()
    await page.get_by_role("textbox", name="Name").fill("Team")
    await page.keyboard.press("Enter")
    await expect(page.locator(".headline")).to_contain_text("Team")
    await page.get_by_role("button", name="People").click()
    await page.get_by_label("Who comes by it").select_option("viewer")
    await page.get_by_role("button", name="Make a link").click()
    link = str(await page.locator("dialog .secret code").text_content())
    theirs = await bob.window(link)
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


async def test_a_second_device_is_let_in_by_its_code(ada: Person, meet: Meet) -> None:
    """Both show the same letters; no key travels; shut out, it is out."""
    phone = await meet(viewport={"width": 390, "height": 800})
    page = await ada.write()
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
    """In another browser, from words or a file; that one is seen from the first, and ended."""
    ada, other = await meet(), await meet()
    page = await ada.window("/")
    words = await ada.begin(page)
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

    kept = await page.evaluate("JSON.stringify(Object.entries(localStorage)) + document.cookie")
    assert await page.evaluate(_EXTRACTABLE) == [False]
    assert "token" not in kept
    assert words.split()[0] not in kept

    (cookie,) = await other.context.cookies()
    await page.goto(f"{ada.url}/access")
    sessions = page.get_by_role("button", name="End", exact=True)
    await expect(sessions).to_have_count(1)
    await sessions.click()
    await expect(sessions).to_have_count(0)
    over = await page.request.get(
        f"{ada.url}/api/session", headers={"Cookie": f"{cookie['name']}={cookie['value']}"}
    )
    assert over.status == 401
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Lax"


_EXTRACTABLE = """() => new Promise((resolve) => {
  const asked = indexedDB.open('plait-key')
  asked.onsuccess = () => {
    const all = asked.result.transaction('keys').objectStore('keys').getAll()
    all.onsuccess = () => resolve(all.result.map((key) => key.private.extractable))
  }
})"""


async def test_a_token_is_shown_once_and_revoked(ada: Person) -> None:
    """It opens what was chosen for it, until it is revoked."""
    page = await ada.window("/access")
    await page.get_by_label("Name").fill("backup")
    await page.get_by_label("heaps").select_option("read")
    await page.get_by_role("button", name="Make a token").click()
    token = str(await page.locator("#new-token").text_content())
    bearer = {"Authorization": f"Bearer {token}"}
    works = await page.request.post(f"{ada.url}/api/heaps", headers=bearer, data={})
    await page.reload()
    await expect(page.get_by_role("button", name="Revoke backup")).to_be_visible()
    assert token not in await page.content()
    await page.get_by_role("button", name="Revoke backup").click()
    await page.get_by_role("button", name="Revoke", exact=True).last.click()
    await expect(page.get_by_role("button", name="Revoke backup")).to_have_count(0)
    ended = await page.request.post(f"{ada.url}/api/heaps", headers=bearer, data={})

    assert token.startswith("plait_pat_")
    assert (works.status, ended.status) == (200, 401)


async def test_a_command_line_is_let_in_or_refused(ada: Person) -> None:
    """The page names who asks and from where; the device hears of the answer."""
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
