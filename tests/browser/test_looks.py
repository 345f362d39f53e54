"""Every page for every reader: axe finds nothing, phones need no sideways scroll, keys suffice."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Page, Route, expect

from tests.browser.conftest import Meet
from tests.browser.person import Person, is_saved, saved, text_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

AXE = Path(__file__).parents[2] / "server/pages/node_modules/axe-core/axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_RUN = """async (tags) => {
  const wanted = {runOnly: {type: 'tag', values: tags}, resultTypes: ['violations']}
  const found = await axe.run(document, wanted)
  return found.violations.map((one) => one.id + ': ' + one.nodes.slice(0, 4).map(
    (node) => node.target.join(' ') + ' ' + (node.any[0]?.message ?? '')).join(' | '))
}"""


SHOTS = os.environ.get("PLAIT_TEST_SHOTS", "")
"""A folder that gets a picture of each page, for people to look at."""
SCREENS: list[tuple[int, Literal["light", "dark"]]] = [
    (1200, "light"),
    (360, "dark"),
    *([(1200, "dark"), (360, "light")] if SHOTS else []),
]


async def violations(page: Page) -> list[str]:
    """What axe has against a page as it stands."""
    if not await page.evaluate("typeof axe === 'object'"):
        await page.evaluate(AXE.read_text("utf-8"))
    found: list[str] = await page.evaluate(_RUN, TAGS)
    return found


async def overflow(page: Page) -> int:
    """By how many pixels the page is wider than the window."""
    wide: int = await page.evaluate(
        "document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth"
    )
    return wide


async def tour(person: Person) -> dict[str, Page]:
    """A window on each page, with something on it."""
    page = await person.write()
    await page.keyboard.insert_text("# Head\n\nSome **words** and a [link](https://example.org).\n")
    await page.get_by_label("Title").fill("A document")
    await is_saved(page)
    blocks = await person.write("blocks")
    await blocks.keyboard.type("## Head\nwords\n- one\n")
    await is_saved(blocks)
    shown = {"editor": page, "blocks": blocks}
    for path in ("/", "/w", "/key", "/access", "/sites", "/server", "/docs?q=trash", "/cli/verify"):
        shown[path] = await person.window(path)
    shown["lost"] = await person.window("/nowhere")
    for window in shown.values():
        await expect(window.locator("[aria-busy='true']")).to_have_count(0)
    for name in ("share", "history", "people"):
        shown[name] = await opened(person, page, name)
    return shown


async def opened(person: Person, page: Page, what: str) -> Page:
    """A window where a dialog, or the panel beside a document, is open."""
    window = await person.window("/w" if what == "people" else page.url)
    if what == "share":
        await window.get_by_role("button", name="Share").click()
        await expect(window.get_by_role("dialog")).to_be_visible()
    elif what == "people":
        await window.get_by_role("button", name="People").click()
        await expect(window.locator("dialog .list").first).to_be_visible()
    else:
        await window.get_by_role("button", name="More").click()
        await window.get_by_role("button", name="History").click()
        await expect(window.locator("#difference ins").first).to_be_visible()
    return window


async def test_axe_finds_nothing_and_nothing_is_wider_than_the_window(ada: Person) -> None:
    """On every page and in every dialog, at a desk in light and on a phone in the dark."""
    wrong = []
    for name, page in (await tour(ada)).items():
        for width, scheme in SCREENS:
            await page.set_viewport_size({"width": width, "height": 740})
            await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            wrong += [f"{name}, {width} px, {scheme}: {each}" for each in await violations(page)]
            if await overflow(page) > 0:
                wrong.append(f"{name} is {await overflow(page)} px wider than {width}")
            if SHOTS:
                called = re.sub(r"\W+", "-", name).strip("-") or "front"
                shot = Path(SHOTS) / f"{called}-{width}-{scheme}.png"
                await page.screenshot(path=shot, full_page=True)

    assert wrong == [], "\n".join(wrong)


async def test_the_keyboard_is_enough(meet: Meet) -> None:
    """From the front page to a saved document without a pointer."""
    ada = await meet()
    page = await ada.window("/")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    start = page.get_by_role("button", name="Start writing")
    await reach(page, "start-writing")
    await expect(start).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Continue")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(text_of(page)).to_be_focused()
    await page.keyboard.type("typed")
    await is_saved(page)


async def test_the_keyboard_is_enough_in_a_document(ada: Person) -> None:
    """Out of the text, along the tools, into a menu and a dialog, and back to where one was."""
    page = await ada.write()
    # Tab indents in the text; Escape first, and it leaves.
    await page.keyboard.press("Escape")
    await page.keyboard.press("Shift+Tab")
    await expect(text_of(page)).not_to_be_focused()
    await page.get_by_role("button", name="Bold").focus()
    await page.keyboard.press("ArrowRight")
    await expect(page.get_by_role("button", name="Italic")).to_be_focused()
    await page.get_by_role("button", name="More").focus()
    await page.keyboard.press("ArrowDown")
    await expect(page.get_by_role("button", name="Undo")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("button", name="More")).to_be_focused()
    await share_by_keyboard(page)


async def share_by_keyboard(page: Page) -> None:
    """Open the dialog, go through it, leave it: the focus is where it was."""
    # Its dialog comes when its part of the page is loaded: meanwhile one may have gone on by Tab.
    gone_on = asyncio.Event()

    async def come_late(route: Route) -> None:
        await gone_on.wait()
        await route.continue_()

    await page.route("**/sharing-*.js", come_late)
    await page.get_by_role("button", name="Share").press("Enter")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("button", name="Share")).not_to_be_focused()
    gone_on.set()
    await expect(page.get_by_role("dialog")).to_be_visible()
    await reach(page, "link-role")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("button", name="Share")).to_be_focused()


async def reach(page: Page, element: str) -> None:
    """Press Tab until an element has the focus."""
    for _ in range(40):
        if await page.evaluate("document.activeElement?.id") == element:
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach #{element}")


async def test_a_phone_has_room_to_write(meet: Meet) -> None:
    """By touch, on a narrow screen: start, write, see that it is saved, open the menu."""
    ada = await meet(
        viewport={"width": 360, "height": 640}, has_touch=True, is_mobile=True, color_scheme="dark"
    )
    page = await ada.window("/")
    await page.get_by_role("button", name="Start writing").tap()
    await page.get_by_role("button", name="Continue").tap()
    await text_of(page).tap()
    await page.keyboard.type("on the train")
    await is_saved(page)
    await expect(saved(page)).to_be_in_viewport()
    await page.get_by_role("button", name="More").tap()
    await expect(page.get_by_role("button", name="Move to the trash")).to_be_in_viewport()

    assert await overflow(page) <= 0


async def test_weight_and_time_to_the_first_keystroke_are_printed(meet: Meet) -> None:
    """Everything comes from here, packed; the figures are for people to read."""
    ada = await meet()
    weights: dict[str, int] = {}
    hosts: set[str] = set()
    page = await ada.window("/")
    session = await ada.context.new_cdp_session(page)
    await session.send("Network.enable")
    sizes: list[int] = []
    session.on("Network.loadingFinished", lambda said: sizes.append(int(said["encodedDataLength"])))
    page.on("request", lambda asked: hosts.add(asked.url.split("/")[2]))
    await page.reload(wait_until="networkidle")
    weights["front"] = sum(sizes)
    sizes.clear()
    await ada.start(page)
    weights["front and editor"] = sum(sizes)
    blocks = await ada.write("blocks")
    ready = {
        name: await one.evaluate("performance.getEntriesByName('plait-ready')[0].startTime")
        for name, one in (("markdown", page), ("blocks", blocks))
    }
    print()  # noqa: T201
    for name, size in weights.items():
        print(f"weight of {name}: {size / 1000:.0f} kB")  # noqa: T201
    for name, at in ready.items():
        print(f"time to the first keystroke, {name}: {at:.0f} ms")  # noqa: T201

    assert {host for host in hosts if host} == {ada.url.split("/")[2]}
    assert 0 < weights["front"] < 80_000
    assert weights["front and editor"] < 350_000
