"""Published sites in a real Chromium: readable everywhere, and harmless whatever they hold.

The hosts are the worst case for the server's cookies: the sites' host lies below the server's own,
so browsers take both for one site and send cookies that are SameSite=Lax from one to the other.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from server.session.cookie import NAME
from tests.inside import Inside, fresh_database, serving
from tests.server.sites.publishing import demo, named, publish

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("processes")]

PAGES = (
    "",
    "guides/Writing",
    "guides/Linking",
    "guides/Callouts",
    "guides/Mathematics",
    "guides/Drawings",
    "people/ada",
    "hostile",
    "nowhere",
)

HOSTILE = (Path(__file__).parent / "hostile.js").read_text()


def free_port() -> int:
    """A port that nobody listens at, for a moment at least."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def inside(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Inside]:
    """A server whose sites lie below its own host, with the demo and a hostile site."""
    port = free_port()
    changes = {
        "port": port,
        "public_url": f"http://plait.example:{port}",
        "sites_url": f"http://sites.plait.example:{port}",
        "registration": "open",
    }
    folder = tmp_path_factory.mktemp("browser")
    async with (
        fresh_database(postgres) as database,
        serving(database, folder, **changes) as made,
        made.visitor() as ada,
    ):
        await named(made, ada, "ada")
        await publish(made, ada.account, "notes", demo())
        script = HOSTILE.replace("@MAIN@", f"http://plait.example:{port}")
        svg = f'<svg xmlns="http://www.w3.org/2000/svg"><script><![CDATA[{script}]]></script></svg>'
        files = {
            "index.html": f"<!doctype html><title>x</title><script>{script}</script>".encode(),
            "evil.svg": svg.encode(),
            "worker.js": b"",
        }
        await publish(made, ada.account, "evil", files)
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """A Chromium for which every host of the tests is this machine, and no other one exists."""
    path = shutil.which("chromium")
    assert path, "Chromium is missing: apt-get install chromium"
    rules = "MAP *.example 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    async with async_playwright() as driver:
        made = await driver.chromium.launch(
            executable_path=path,
            args=["--no-sandbox", "--disable-dev-shm-usage", f"--host-resolver-rules={rules}"],
            timeout=60_000,
        )
        yield made
        await made.close()


async def opened(context: BrowserContext, url: str) -> tuple[Page, list[str], list[str]]:
    """A page; the addresses that it asks for, and what it complains about."""
    page = await context.new_page()
    page.set_default_timeout(60_000)
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    await page.goto(url)
    return page, asked, complaints


@pytest.mark.parametrize("file", ["", "index.html", "evil.svg"])
async def test_hostile_files_reach_nothing_of_the_server(
    inside: Inside, browser: Browser, file: str
) -> None:
    """HTML and SVG that run as what they are: no session is read, no API called, no cookie set."""
    main, sites = inside.settings.public_url, inside.settings.sites_url
    context = await browser.new_context()
    cookie = {"name": NAME, "value": "secret", "url": main, "httpOnly": False, "sameSite": "Lax"}
    await context.add_cookies([cookie])  # type: ignore[list-item]

    answered: list[str] = []
    context.on("response", lambda response: answered.append(response.url))
    page, _, _ = await opened(context, f"{sites}/@ada/evil/{file}")
    await page.wait_for_selector("[data-found]", state="attached")
    found: dict[str, Any] = json.loads(
        await page.evaluate("document.documentElement.dataset.found")
    )

    assert len(found) == 11
    assert {name: said for name, said in found.items() if not said.startswith("no: ")} == {}
    cookies = await context.cookies()
    assert [(each["name"], each["value"]) for each in cookies] == [(NAME, "secret")]
    reached = [said for said in answered if said.startswith(main)]
    assert reached == []
    await context.close()


async def test_a_hostile_note_is_a_harmless_page(inside: Inside, browser: Browser) -> None:
    """Nothing in it ran, even where it is pressed and pointed at."""
    context = await browser.new_context()
    page, asked, _ = await opened(context, f"{inside.settings.sites_url}/@ada/notes/hostile")
    for link in await page.query_selector_all("#mdxpage a, #mdxpage img"):
        await link.dispatch_event("mouseover")
        await link.dispatch_event("click")

    assert await page.evaluate("document.body.dataset.owned") is None
    assert await page.query_selector("#mdxpage :is(script, form, svg, object, style)") is None
    assert not [url for url in asked if "evil.example" in url]
    await context.close()


SCREENS: list[tuple[int, Any]] = [(1280, "light"), (390, "dark"), (1280, "dark"), (390, "light")]


@pytest.mark.parametrize(
    ("width", "scheme"), SCREENS if os.environ.get("PLAIT_TEST_FULL") else SCREENS[:1]
)
async def test_every_page_fits_desktop_and_phone_in_light_and_dark(
    inside: Inside, browser: Browser, width: int, scheme: Any
) -> None:
    """None is wider than its screen, complains, or asks anybody else; also when it is changed."""
    sites = inside.settings.sites_url
    context = await browser.new_context(
        viewport={"width": width, "height": 844}, color_scheme=scheme
    )
    for path in PAGES:
        page, asked, complaints = await opened(context, f"{sites}/@ada/notes/{path}")
        for wide, dress in ((width, scheme), SCREENS[1]):
            await page.set_viewport_size({"width": wide, "height": 844})
            await page.emulate_media(color_scheme=dress)
            shown = await page.evaluate("document.documentElement.scrollWidth")
            paper = await page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert shown <= wide, path
            assert (paper == "rgb(255, 255, 255)") is (dress == "light"), path
        assert {url for url in asked if not url.startswith((sites, "data:"))} == set(), path
        expected = {"nowhere": "404", "hostile": "404"}.get(path)
        assert not [each for each in complaints if not (expected and expected in each)], path
        await page.close()
    await context.close()


async def test_a_reader_searches_draws_folds_and_prints(inside: Inside, browser: Browser) -> None:
    """The scripts of a page do what they are for, under its policy."""
    base = f"{inside.settings.sites_url}/@ada/notes"
    context = await browser.new_context(viewport={"width": 390, "height": 844})
    page, _, complaints = await opened(context, f"{base}/guides/Drawings")
    await page.wait_for_selector("pre.mermaid.drawn:nth-of-type(2) svg")
    await page.wait_for_selector("pre.mermaid.broken")
    assert await page.locator("pre.mermaid svg").count() == 2

    assert not await page.locator(".site-sidebar").is_visible()
    await page.click(".menu-button")
    assert await page.locator('.site-sidebar a[aria-current="page"]').is_visible()

    await page.click(".theme-button")
    theme = await page.evaluate("document.documentElement.dataset.theme")
    await page.reload()
    assert await page.evaluate("document.documentElement.dataset.theme") == theme

    await page.keyboard.press("/")
    await page.keyboard.type("meridian", delay=1)
    await page.wait_for_selector(".search-results a")
    await page.keyboard.press("ArrowDown")
    async with page.expect_navigation():  # The page it is on has an address of that kind already.
        await page.keyboard.press("Enter")
    assert complaints == []

    await page.goto(f"{base}/guides/Writing")
    await page.emulate_media(media="print")
    for part in (".site-navbar", ".site-sidebar", ".site-footer", ".page-edit"):
        assert not await page.locator(part).is_visible(), part
    assert await page.locator("#mdxpage table").is_visible()
    await context.close()
