"""The pages: whole, strict, and with this server's real addresses."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import aiohttp
import pytest

from tests.inside import Inside, serving


async def page(inside: Inside, path: str = "/") -> tuple[str, dict[str, str]]:
    """A page and the headers that came with it."""
    async with aiohttp.ClientSession(inside.url) as session, session.get(path) as answer:
        assert answer.status == 200, path
        return await answer.text(), dict(answer.headers)


class Outline(HTMLParser):
    """The tags of a page, whether they are closed in order, and where its links lead."""

    VOID = frozenset({"meta", "link", "br", "img", "input", "wbr"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember it."""
        self.tags.append(tag)
        known = dict(attrs)
        self.links += [value for name in ("href", "src") if (value := known.get(name))]
        self.ids += [known["id"] or ""] if "id" in known else []
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """It must be the one that was opened last."""
        assert self.open.pop() == tag


async def test_it_shows_how_to_point_each_provider_here(database: str, tmp_path: Path) -> None:
    """With the port that is really bound; nothing is left to be filled in."""
    async with serving(database, tmp_path) as inside:
        text, _ = await page(inside)
        socket = inside.url.replace("http", "ws", 1)

    for wanted in ("WebsocketProvider", "HocuspocusProvider", "createYjsProvider"):
        assert wanted in text
    assert f"{socket}/ws" in text
    assert f"{inside.url}/doc/new" in text
    assert f"{inside.url}/api/auth/create_session" in text
    assert "{{" not in text


async def test_behind_a_proxy_it_names_the_public_address(database: str, tmp_path: Path) -> None:
    """Https becomes wss; the name of the server is shown as text, whatever it is."""
    async with serving(
        database, tmp_path, public_url="https://plait.example", name='A & B <script>"'
    ) as inside:
        text, _ = await page(inside)

    assert "wss://plait.example/ws" in text
    assert "A &amp; B &lt;script&gt;" in text
    assert "<script>" not in text
    assert "127.0.0.1" not in text


PAGES = (
    "/",
    "/w",
    "/w/one",
    "/w/one/two",
    "/key",
    "/access",
    "/sites",
    "/server",
    "/cli/verify",
    "/docs",
)


@pytest.mark.parametrize("path", PAGES)
async def test_it_is_whole_and_every_link_leads_somewhere(
    database: str, tmp_path: Path, path: str
) -> None:
    """Tags close in order, local links answer, anchors are there."""
    async with serving(database, tmp_path) as inside:
        text, _ = await page(inside, path)
        outline = Outline()
        outline.feed(text)
        assert not outline.open
        for link in dict.fromkeys(outline.links):
            if link.startswith("#"):
                assert link[1:] in outline.ids
            else:
                await page(inside, link)

    assert outline.tags.count("h1") == outline.tags.count("main") == 1
    assert '<html lang="en">' in text
    assert "viewport" in text


def asset_of(text: str, ending: str) -> str:
    """The address of an asset in a page."""
    found = re.search(rf'"(/assets/[^"]+{re.escape(ending)})"', text)
    assert found, ending
    return found[1]


async def test_its_style_serves_phones_and_dark_rooms(database: str, tmp_path: Path) -> None:
    """Both schemes, nothing wider than the screen, visible focus, nothing from elsewhere."""
    async with serving(database, tmp_path) as inside:
        text, _ = await page(inside)
        style, headers = await page(inside, asset_of(text, "style.css"))

    assert headers["Content-Type"].startswith("text/css")
    assert "prefers-color-scheme:dark" in style
    assert "overflow-x:auto" in style
    assert ":focus-visible" in style
    assert not re.search(r"url\(|@import", style)


@pytest.mark.parametrize("path", PAGES)
async def test_no_script_stands_in_a_page_and_nobody_frames_it(
    database: str, tmp_path: Path, path: str
) -> None:
    """A strict policy on every page, and no referrer from an address that may hold a token."""
    async with serving(database, tmp_path) as inside:
        text, headers = await page(inside, path)

    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert re.findall(r"<script(?![^>]+ src=\"/assets/)[^>]*>", text) == []
    assert not re.search(r" style=| on[a-z]+=\"", text)


async def test_a_browser_keeps_assets_until_they_change(database: str, tmp_path: Path) -> None:
    """A year under the present address, not at all under another; packed where that is taken."""
    async with serving(database, tmp_path) as inside:
        text, _ = await page(inside)
        script = asset_of(text, "pages.js")
        _, headers = await page(inside, script)
        _, other = await page(inside, "/assets/older/pages.js")
        async with (
            aiohttp.ClientSession(inside.url) as session,
            session.get(script, headers={"Accept-Encoding": "identity"}) as plain,
        ):
            assert "Content-Encoding" not in plain.headers
            assert b"import" in await plain.read()

    assert "immutable" in headers["Cache-Control"]
    assert headers["Content-Encoding"] == "gzip"
    assert headers["Content-Type"].startswith("text/javascript")
    assert other["Cache-Control"] == "no-store"


async def test_a_worker_keeps_what_opens_documents_and_nothing_of_anybody(
    database: str, tmp_path: Path
) -> None:
    """The shells and scripts of this version, for the pages below /w, asked for anew each time."""
    async with serving(database, tmp_path) as inside:
        script, headers = await page(inside, "/assets/worker.js")
        kept = json.loads(script.partition("self.plait = ")[2].partition("\n")[0])
        for name in kept["files"]:
            await page(inside, f"{kept['folder']}/{name}")
        shells = [await page(inside, path) for path in kept["shells"].values()]

    assert headers["Service-Worker-Allowed"] == "/w"
    assert headers["Cache-Control"] == "no-cache"
    assert headers["Content-Security-Policy"] == "default-src 'none'; connect-src 'self'"
    assert {"pages.js", "style.css"} < set(kept["files"])
    assert set(kept) == {"folder", "files", "shells"}
    assert all(f"{kept['folder']}/pages.js" in text for text, _ in shells)


async def test_there_are_no_other_pages(database: str, tmp_path: Path) -> None:
    """404, for people with the way to the others; no file of the server is served by its name."""
    told = {}
    async with serving(database, tmp_path) as inside, aiohttp.ClientSession(inside.url) as session:
        for path in ("/index.html", "/nothing", "/..%2fpyproject.toml", "/assets/x/..%2froutes.py"):
            for accepted in ("text/html,*/*;q=0.8", "*/*"):
                async with session.get(path, headers={"Accept": accepted}) as answer:
                    assert answer.status == 404
                    told[path, accepted[:4]] = answer.content_type, await answer.text()
        async with session.get("/api/nothing", headers={"Accept": "text/html"}) as answer:
            assert answer.content_type == "application/json"

    assert {kind for (_, accepted), (kind, _) in told.items() if accepted == "*/*"} == {
        "application/json"
    }
    assert told["/nothing", "text"][0] == "text/html"
    assert 'href="/w"' in told["/nothing", "text"][1]
    assert "<script" not in told["/nothing", "text"][1]
