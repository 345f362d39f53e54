"""Sites as their owners see them: made, locked, named, claimed; and from a page to the editor."""

from __future__ import annotations

import re
import uuid

import aiohttp
import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Meet
from tests.browser.person import Person, is_saved, text_of
from tests.live import LiveServer
from tests.server.adapters.flowershow.names import NameServer

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def named(ada: Person, page: Page) -> str:
    """What sites of a person stand under; chosen anew for each test."""
    name = f"ada-{uuid.uuid4().hex[:8]}"
    await ada.ask(page, "/api/user", {"username": name}, "PATCH")
    return name


async def published(
    ada: Person, page: Page, site: str, files: dict[str, str], *, shorter: str = ""
) -> None:
    """A site, put there as the command line does it; one of its files comes cut off."""
    made = await ada.ask(page, "/api/sites", {"projectName": site})
    # What a client calls its bytes is its own affair; these are no digests of any kind.
    rows = [
        {"path": path, "size": len(text.encode()), "sha": f"v{number:040x}"}
        for number, (path, text) in enumerate(files.items())
    ]
    found = await ada.ask(page, f"/api/sites/id/{made['site']['id']}/files", {"files": rows})
    async with aiohttp.ClientSession() as http:
        for target in found["files"]:
            data = files[target["path"]].encode()[: -1 if target["path"] == shorter else None]
            async with http.put(target["uploadUrl"], data=data) as answer:
                assert answer.status < 300, await answer.text()


async def test_the_owner_presses_edit_and_is_in_the_live_editor(
    ada: Person, server: LiveServer
) -> None:
    """What is typed there is on the page at its next load; the text stays what it was besides."""
    page = await ada.window("/sites")
    name = await named(ada, page)
    note = "# Tides\n\nHigh at noon, says the [[keeper]].\n"
    await published(ada, page, "notes", {"guides/Tide tables.md": note, "keeper.md": "# Keeper\n"})
    port = server.url.rpartition(":")[2]
    address = f"http://sites.localhost:{port}/@{name}/notes/guides/Tide+tables"

    shown = await ada.window(f"{server.url}/@{name}/notes/guides/Tide+tables")
    await expect(shown).to_have_url(address)
    await expect(shown.locator("#mdxpage")).to_contain_text("High at noon")
    await shown.get_by_role("link", name="Edit").click()
    await expect(shown).to_have_url(re.compile(rf"{server.url}/w/[^/]+/guides%2FTide%20tables.md"))
    await expect(text_of(shown)).to_contain_text("High at noon, says the [[keeper]].")
    await text_of(shown).click()
    await shown.keyboard.press("Control+End")
    await shown.keyboard.type("And low at **six**.")
    await is_saved(shown)

    await shown.goto(address)
    await expect(shown.locator("#mdxpage strong")).to_have_text("six")
    await expect(shown.locator("#mdxpage")).to_contain_text("High at noon")


async def test_sites_are_made_locked_and_deleted(meet: Meet) -> None:
    """A name is asked for first; the list says how each is; what is deleted is gone."""
    ada = await meet()
    page = await ada.start()
    name = f"ada-{uuid.uuid4().hex[:8]}"
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


async def test_what_went_wrong_with_a_site_is_listed(ada: Person) -> None:
    """Each file that failed with its reason; of those that are there, texts lead to the editor."""
    page = await ada.window("/sites")
    await named(ada, page)
    files = {"guides/One two.md": "# One\n", "bird.png": "no picture"}
    await published(ada, page, "birds", files, shorter="bird.png")
    await page.reload()
    row = page.get_by_role("listitem").filter(has_text="birds")
    await expect(row).to_contain_text("has errors")
    await row.get_by_role("button", name="Errors of birds").click()
    wrong = page.get_by_role("dialog").get_by_role("listitem")
    await expect(wrong).to_have_count(1)
    await expect(wrong).to_contain_text("bird.png")
    await page.keyboard.press("Escape")
    await row.get_by_role("button", name="Files of birds").click()
    await page.get_by_role("link", name="Edit guides/One two.md").click()

    await expect(text_of(page)).to_contain_text("# One")


async def test_a_domain_is_pointed_at_a_site(ada: Person, names: NameServer) -> None:
    """The page says which record is missing, until there is none; and can be taken back."""
    page = await ada.window("/sites")
    domain = f"{await named(ada, page)}.example"
    await ada.ask(page, "/api/sites", {"projectName": "tides"})
    await page.reload()
    row = page.get_by_role("listitem").filter(has_text="tides")
    await row.get_by_role("button", name="Domain of tides").click()
    await page.get_by_label("A domain that is yours").fill(domain.upper())
    await page.keyboard.press("Enter")
    told = page.get_by_role("dialog")
    await expect(told).to_contain_text("Pending Verification")
    kind, where, value = str(await told.locator("code").text_content()).split(" ", 2)
    names.put(where, kind, f'"{value}"')
    await told.get_by_role("button", name="Ask again").click()
    await expect(told).to_contain_text("so that it leads here")
    kind, where, value = str(await told.locator("code").text_content()).split(" ", 2)
    names.put(where, kind, f"{value}.")
    await told.get_by_role("button", name="Ask again").click()
    await expect(told).to_contain_text("The site stands at this domain")
    await page.keyboard.press("Escape")
    await expect(row).to_contain_text(domain)
    await row.get_by_role("button", name="Domain of tides").click()
    await page.get_by_role("button", name="Use none").click()

    await expect(row).not_to_contain_text(domain)


async def test_a_site_without_an_owner_is_claimed_once(ada: Person, server: LiveServer) -> None:
    """By its id and token, or by a link that holds both; a token that was used opens nothing."""
    page = await ada.window("/sites")
    await named(ada, page)
    made = []
    for _ in range(2):
        file = {"fileName": "hello.md", "fileSize": 8, "sha": "v1"}
        body = {"anonymousUserId": str(uuid.uuid4()), "files": [file]}
        said = await page.request.post(f"{server.url}/api/sites/publish-anon", data=body)
        made.append(await said.json())
    first, second = made
    await page.get_by_role("button", name="Claim a site").click()
    for token in ("wrong", first["ownershipToken"]):
        await page.get_by_label("Id of the site").fill(first["siteId"])
        await page.get_by_label("Ownership token").fill(token)
        await page.keyboard.press("Enter")
        if token == "wrong":
            await expect(page.locator("#toasts")).to_contain_text("could not be claimed")
            await page.get_by_role("button", name="Claim a site").click()
    await expect(page.get_by_role("link", name=first["projectName"])).to_be_visible()
    link = f"/sites#site={second['siteId']}&token={second['ownershipToken']}"
    other = await ada.window(link)
    await expect(other.get_by_role("link", name=second["projectName"])).to_be_visible()
    again = await ada.window(link)

    await expect(again.locator("#toasts")).to_contain_text("could not be claimed")
