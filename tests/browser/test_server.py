"""The page of administrators, and a server that stops and comes back under open windows."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import Meet, database_of_its_own
from tests.browser.person import Person, block_of, is_saved, saved, text_of
from tests.live import LiveServer

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture(scope="module")
def strict(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server where each new account waits for an administrator."""
    with database_of_its_own(postgres, f"strict_{os.getpid()}") as database:
        live = LiveServer(
            tmp_path_factory.mktemp("strict"),
            database_url=database,
            registration="approval",
            shutdown_grace_s=0.2,
        ).start()
        yield live
        live.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def chief(chromium: Browser, strict: LiveServer) -> AsyncIterator[Person]:
    """Its administrator, who came first."""
    person = await Person.in_browser(chromium, strict.url, service_workers="allow")
    await person.start()
    yield person
    await person.context.close()
    assert person.errors == []


async def test_who_waits_is_let_in_and_put_out_by_a_click(
    chief: Person, strict: LiveServer, meet: Meet
) -> None:
    """The page says what it waits for; the administrator sees who waits; no other may look."""
    newcomer = await meet(at=strict)
    page = await newcomer.window("/")
    await page.get_by_role("button", name="Start writing").click()
    await page.get_by_role("button", name="Continue").click()
    await expect(page.locator("#here")).to_contain_text("An administrator has to let")
    desk = await chief.window("/server")
    await expect(desk.locator("#accounts")).to_contain_text("1 waits for approval")
    await desk.get_by_role("button", name="Approve:").click()
    await expect(desk.locator("#accounts")).not_to_contain_text("for approval")
    await page.get_by_role("button", name="Try again").click()
    await page.get_by_role("button", name="New Markdown").click()
    await expect(text_of(page)).to_be_focused()
    other = await newcomer.window("/server")
    await expect(other.locator("#here")).to_contain_text("for administrators")
    row = desk.locator("#accounts li").filter(has_text="active")
    await row.get_by_role("button", name="Disable:").click()
    await desk.get_by_role("button", name="Yes", exact=True).click()

    await expect(desk.get_by_role("button", name="Let in:")).to_be_visible()
    await expect(saved(page)).to_have_text("Closed")


async def test_administrators_see_the_server_and_into_a_document(chief: Person) -> None:
    """Figures, charts, live documents, what one costs and who is in it; compaction at once."""
    page = await chief.write()
    await page.keyboard.type("inspected")
    await is_saved(page)
    desk = await chief.window("/server")
    await expect(desk.locator("#rooms table")).to_be_visible()
    await desk.get_by_label("Document", exact=True).fill(f"{chief.workspace}:{block_of(page)}")
    await desk.get_by_role("button", name="Inspect", exact=True).last.click()
    inside = desk.locator("#inspected")
    await expect(inside).to_contain_text("State vector")
    await expect(inside).to_contain_text("hocuspocus")
    await desk.get_by_role("button", name="Compact now").click()
    await expect(desk.locator("#toasts")).to_contain_text("Compacted")
    await expect(inside).to_contain_text("Sizes")

    await expect(desk.locator(".chart path[d]").first).to_have_attribute("d", re.compile("^M"))


async def test_a_restarted_server_is_joined_again_by_itself(
    chief: Person, strict: LiveServer
) -> None:
    """Killed between two keystrokes: windows come back, also one that was opened meanwhile."""
    one = await chief.write()
    await one.keyboard.type("before ")
    await is_saved(one)
    two = await chief.window(one.url)
    await expect(text_of(two)).to_contain_text("before")
    await one.evaluate("navigator.serviceWorker.ready.then(() => true)")
    strict.kill()
    try:
        await expect(saved(one)).to_contain_text("Offline")
        await at_the_end(one, "between")
        await expect(saved(one)).to_have_text("Offline, 7 edits kept here")
        three = await chief.window(one.url)
        await expect(text_of(three)).to_contain_text("before between")
    finally:
        strict.start()

    await is_saved(one)
    await expect(text_of(two)).to_contain_text("before between")
    await is_saved(three)


async def at_the_end(page: Page, words: str) -> None:
    """Type behind what is there."""
    await page.bring_to_front()
    await text_of(page).click()
    await page.keyboard.press("Control+End")
    await page.keyboard.type(words)
