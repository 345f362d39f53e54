"""A person at a browser: what they do on our pages, and what they see."""

from __future__ import annotations

import os
import re
import time
from typing import Any

from playwright.async_api import Browser, BrowserContext, Locator, Page, expect

from crdt.ids import make_ulid

WAIT_MS = 45_000
"""How long something may take on a machine that does many other things; nothing is judged by it."""

expect.set_options(timeout=WAIT_MS)

_HARMLESS = re.compile(r"Failed to load resource|WebSocket connection to|ERR_INTERNET_DISCONNECTED")
"""What a browser itself says when the network or the server is away, or an answer is an error."""

_ASK = """async ([method, path, body]) => {
  const headers = {'Content-Type': 'application/json'}
  const asked = await fetch('/api/session/token', {method: 'POST', headers, body: '{}'})
  headers.Authorization = 'Bearer ' + (await asked.json()).access_token
  const sent = method === 'GET' ? undefined : JSON.stringify(body)
  const answer = await fetch(path, {method, headers, body: sent})
  if (!answer.ok) throw new Error(path + ' answered ' + answer.status)
  return answer.json()
}"""


class Person:
    """Somebody with a browser profile of their own, and any number of windows."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.context = context
        self.url = url
        self.workspace = ""
        """Where the documents are that they start to write."""
        self.errors: list[str] = []
        """What scripts and the policy complained of."""

    @classmethod
    async def in_browser(cls, browser: Browser, url: str, **options: Any) -> Person:
        """A new one; options go to the browser's context."""
        usual = {
            "viewport": {"width": 1200, "height": 900},
            "reduced_motion": "reduce",
            # Else every new browser takes in all pages; those that do without the server do so.
            "service_workers": "block",
        }
        context = await browser.new_context(**{**usual, **options})
        context.set_default_timeout(WAIT_MS)
        return cls(context, url)

    async def window(self, path: str = "") -> Page:
        """A new window, on a page if one is named."""
        page = await self.context.new_page()
        page.on("pageerror", lambda error: self.errors.append(f"{page.url}: {error}"))
        page.on("console", lambda said: self._heard(said.type, said.text))
        if path:
            await page.goto(path if path.startswith("http") else f"{self.url}{path}")
        return page

    def _heard(self, kind: str, text: str) -> None:
        if kind == "error" and not _HARMLESS.search(text):
            self.errors.append(text)

    async def rest(self) -> None:
        """Close all windows."""
        for page in self.context.pages:
            await page.close()

    async def begin(self, page: Page) -> str:
        """Make a key on the front page, open a document; the words of the key."""
        await page.get_by_role("button", name="Start writing").click()
        await expect(page.locator(".words li")).to_have_count(24)
        words = " ".join(await page.locator(".words li").all_text_contents())
        await page.get_by_role("button", name="Continue").click()
        await expect(text_of(page)).to_be_focused()
        self.workspace = page.url.split("/")[4]
        return words

    async def start(self, page: Page | None = None) -> Page:
        """Make a key on the front page and open a document; the window that shows it."""
        page = page or await self.window("/")
        await self.begin(page)
        return page

    async def sign_in(self, page: Page, words: str) -> None:
        """Come with a key of before, from the front page."""
        await page.get_by_role("button", name="Sign in with a key").click()
        await page.get_by_label("The 24 words").fill(words)
        await page.get_by_role("button", name="Sign in", exact=True).click()
        await page.wait_for_url("**/w")

    async def write(self, kind: str = "markdown") -> Page:
        """A new document in the workspace where they started; the window that shows it."""
        block = make_ulid(time.time_ns() // 1_000_000, os.urandom(10))
        page = await self.window(f"/w/{self.workspace}/{block}?new={kind}")
        await expect(text_of(page)).to_be_focused()
        return page

    async def ask(self, page: Page, path: str, body: Any = None, method: str = "POST") -> Any:
        """Ask an API as this person does, from a page."""
        return await page.evaluate(_ASK, [method, path, {} if body is None else body])


def text_of(page: Page) -> Locator:
    """The text of the editor, of either kind."""
    return page.locator('#editor [contenteditable]:not([contenteditable="false"])').first


def block_of(page: Page) -> str:
    """Which document a window shows."""
    return page.url.split("/")[5].partition("?")[0]


def saved(page: Page) -> Locator:
    """Where the page says whether all is safe."""
    return page.locator("#saved")


async def is_saved(page: Page) -> None:
    """Wait until the server has acknowledged everything."""
    await expect(saved(page)).to_have_text("Saved")
