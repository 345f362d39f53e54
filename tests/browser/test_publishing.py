"""From a published page into the editor and back, as its owner."""

from __future__ import annotations

import re
from typing import Any

import aiohttp
import pytest
from playwright.async_api import expect

from tests.browser.conftest import Meet
from tests.browser.person import is_saved, text_of
from tests.live import LiveServer

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def published(url: str, token: str, files: dict[str, str]) -> None:
    """A site of some files, put there as the command line does it."""
    bearer = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession() as http:

        async def ask(method: str, path: str, body: Any) -> Any:
            async with http.request(method, url + path, json=body, headers=bearer) as answer:
                assert answer.status < 300, await answer.text()
                return await answer.json()

        made = await ask("POST", "/api/sites", {"projectName": "notes"})
        rows = [
            {"path": path, "size": len(text.encode()), "sha": f"{number:040x}"}
            for number, (path, text) in enumerate(files.items())
        ]
        site = made["site"]["id"]
        # What a client calls its bytes is its own affair; these are no digests of any kind.
        rows = [row | {"sha": f"v{row['sha']}"} for row in rows]
        found = await ask("POST", f"/api/sites/id/{site}/files", {"files": rows})
        for target in found["files"]:
            data = files[target["path"]].encode()
            async with http.put(target["uploadUrl"], data=data) as answer:
                assert answer.status < 300, await answer.text()


async def test_the_owner_presses_edit_and_is_in_the_live_editor(
    meet: Meet, server: LiveServer
) -> None:
    """What is typed there is on the page at its next load; the text stays what it was besides."""
    ada = await meet()
    page = await ada.start()
    await ada.ask(page, "/api/user", {"username": "ada-writes"}, "PATCH")
    body = {"name": "cli", "scopes": ["flowershow:write"]}
    token = (await ada.ask(page, "/api/access-tokens", body))["token"]
    note = "# Tides\n\nHigh at noon, says the [[keeper]].\n"
    await published(server.url, token, {"guides/Tide tables.md": note, "keeper.md": "# Keeper\n"})
    port = server.url.rpartition(":")[2]
    address = f"http://sites.localhost:{port}/@ada-writes/notes/guides/Tide+tables"

    shown = await ada.window(f"{server.url}/@ada-writes/notes/guides/Tide+tables")
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
