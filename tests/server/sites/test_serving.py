"""Published sites over HTTP: on their own origin, with their policies, fresh after every edit."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import aiohttp
import pycrdt
import pytest
import pytest_asyncio

from crdt import plaintext, wire
from server.looking import change
from server.sites.access import ACCESS
from server.sites.catalogue import SITES
from server.sites.serving.library import LIBRARY
from storage.sites import Site
from tests.clients import Closed
from tests.inside import Guest, Inside, fresh_database, serving
from tests.server.sites.publishing import demo, listed, named, publish, put

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Reader:
    """Somebody who reads sites; hosts are told, as there is no DNS."""

    def __init__(self, inside: Inside, http: aiohttp.ClientSession) -> None:
        self.inside = inside
        self._http = http

    async def ask(
        self, path: str, host: str = "sites.localhost", method: str = "GET", **more: Any
    ) -> tuple[int, str, Any]:
        """Status, body and headers of what a host answers."""
        port = urlsplit(self.inside.url).port
        headers = {"Host": f"{host}:{port}", **more.pop("headers", {})}
        async with self._http.request(
            method, self.inside.url + path, headers=headers, allow_redirects=False, **more
        ) as response:
            return response.status, await response.text(errors="replace"), response.headers


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def inside(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Inside]:
    """A server with a site for whoever asks."""
    folder: Path = tmp_path_factory.mktemp("sites")
    async with fresh_database(postgres) as database:
        changes = {
            "sites_wildcard_url": "http://*.pages.example",
            "site_logins_per_minute": 100,
            "sites_render_s": 1.0,
            "sites_note_bytes_max": 300_000,
        }
        async with serving(database, folder, **changes) as made:
            yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ada(inside: Inside) -> AsyncIterator[Guest]:
    """Somebody who publishes."""
    async with inside.visitor() as guest:
        await named(inside, guest, "ada")
        yield guest


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(inside: Inside, ada: Guest) -> Site:
    """The demo vault, published."""
    return await publish(inside, ada.account, "notes", demo())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def reader(inside: Inside, site: Site) -> AsyncIterator[Reader]:
    """A reader of it."""
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(cookie_jar=jar, auto_decompress=True) as http:
        yield Reader(inside, http)


async def test_pages_are_shown_at_their_addresses(reader: Reader) -> None:
    """Root, folder, note, permalink, spaces both ways; what moved is redirected."""
    for path, title in (
        ("", "The Lighthouse Notebook"),
        ("/", "The Lighthouse Notebook"),
        ("/guides", "Guides"),
        ("/guides/Writing", "Writing"),
        ("/tides", "Tide tables"),
        ("/%C3%9Cn%C3%AFcode+&+s%C3%B6ng", "Ünïcode &amp; söng"),
        ("/%C3%9Cn%C3%AFcode%20&%20s%C3%B6ng", "Ünïcode &amp; söng"),
    ):
        status, text, headers = await reader.ask(f"/@ada/notes{path}")
        assert (status, f"<h1>{title}</h1>" in text) == (200, True), path
        assert headers["Content-Type"] == "text/html; charset=utf-8"

    for path, there, code in (
        ("/guides/deep/Tide+Tables", "/@ada/notes/tides", 308),
        ("/old-guide", "/@ada/notes/guides/Writing", 308),
        ("/for-now", "/@ada/notes/journal", 307),
        ("/elsewhere", "https://example.org/", 308),
    ):
        status, _, headers = await reader.ask(f"/@ada/notes{path}")
        assert (status, headers["Location"]) == (code, there)
        assert "Content-Security-Policy" in headers


async def test_what_is_not_published_is_not_there(reader: Reader) -> None:
    """Not as a page, not as a file: drafts, `publish: false`, nobody's names."""
    for path in (
        "/nowhere",
        "/drafts/draft",
        "/drafts/draft.md",
        "/private/secret",
        "/private/secret.md",
        "/%ff",
        "/guides/Writing/more",
    ):
        status, text, headers = await reader.ask(f"/@ada/notes{path}")
        assert status == 404, path
        assert 'class="not-found-title"' in text
        assert "default-src 'none'" in headers["Content-Security-Policy"]
    for path in ("/", "/@ada", "/@ada/other", "/@bob/notes", "/anon/x", "/nope"):
        assert (await reader.ask(path))[0] == 404, path


async def test_files_are_handed_out_with_type_range_and_sandbox(reader: Reader) -> None:
    """Raw files by their suffix; HTML and SVG in a sandbox without an origin of ours."""
    for path, kind in (
        ("/media/lighthouse.png", "image/png"),
        ("/media/lamp.svg", "image/svg+xml"),
        ("/media/log.pdf", "application/pdf"),
        ("/media/tone.wav", "audio/wav"),
        ("/media/wave.webm", "video/webm"),
        ("/guides/chart.canvas", "application/json"),
        ("/page.html", "text/html; charset=utf-8"),
        ("/custom.css", "text/css; charset=utf-8"),
        ("/config.json", "application/json"),
        ("/guides/Writing.md", "text/markdown; charset=utf-8"),
    ):
        status, _, headers = await reader.ask(f"/@ada/notes{path}")
        assert (status, headers["Content-Type"]) == (200, kind), path
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "ETag" in headers
        policy = headers["Content-Security-Policy"]
        assert kind == "application/pdf" or "sandbox allow-scripts" in policy
        assert "allow-same-origin" not in policy

    path = "/@ada/notes/media/lighthouse.png"
    whole = await reader.ask(path)
    status, part, headers = await reader.ask(path, headers={"Range": "bytes=1-3"})
    assert (status, part) == (206, "PNG")
    assert headers["Content-Range"].startswith("bytes 1-3/")
    tag = {"If-None-Match": whole[2]["ETag"]}
    assert (await reader.ask(path, headers=tag))[0] == 304
    status, part, _ = await reader.ask("/@ada/notes/latest.md", headers={"Range": "bytes=0-7"})
    assert (status, part) == (206, "# Latest")
    assert (await reader.ask(path, headers={"Range": "bytes=999999-"}))[0] == 416
    assert (await reader.ask(path, method="HEAD"))[0] == 200


async def test_only_site_content_answers_at_the_sites_host(reader: Reader) -> None:
    """No API, page, socket or document of the server; and no writing."""
    for path in ("/api/", "/api/health", "/ws", "/ws/x", "/d/x/ws/x", "/docs", "/livez", "/w"):
        status, text, headers = await reader.ask(path)
        assert status == 404, path
        assert "Content-Security-Policy" in headers
        assert "Access-Control-Allow-Origin" not in headers
        assert "There is no site" in text
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        status, _, headers = await reader.ask("/@ada/notes", method=method)
        assert (status, headers["Allow"]) == (405, "GET, HEAD")
        assert (await reader.ask("/api/heaps", method=method))[0] in {404, 405}
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    assert (await reader.ask("/ws/x", headers=upgrade))[0] == 404


async def test_the_main_origin_sends_readers_on(reader: Reader) -> None:
    """`/@user/site` and `/anon/name` there are redirects to the sites' own origin."""
    for path in ("/@ada/notes", "/@ada/notes/guides?x=1", "/anon/some-name/page"):
        status, _, headers = await reader.ask(path, host="127.0.0.1")
        port = urlsplit(reader.inside.url).port
        assert (status, headers["Location"]) == (302, f"http://sites.localhost:{port}{path}")
    assert (await reader.ask("/_plait/x/site.css", host="127.0.0.1"))[0] == 404
    assert (await reader.ask("/@ada/notes", host="evil.example"))[0] == 421


async def test_pages_carry_etags_that_follow_what_they_show(
    reader: Reader, inside: Inside, site: Site
) -> None:
    """304 while nothing changed; a new tag with a live edit, at once and rendered once."""
    path = "/@ada/notes/Notes"
    _, text, headers = await reader.ask(path)
    tag = {"If-None-Match": headers["ETag"]}
    made = inside.app[LIBRARY].press.renders
    assert (await reader.ask(path, headers=tag))[0] == 304
    assert inside.app[LIBRARY].press.renders == made

    file = (await inside.app[SITES].listing(site)).files["Notes.md"]
    record = await inside.app[SITES].record(UUID(file.document))
    before = await inside.app[SITES].text(site, "Notes.md")
    after = before + "\nTyped *just now*, [[latest]].\n"
    await change(inside.documents, record, plaintext.merge(before, after), "")

    status, text, _ = await reader.ask(path, headers=tag)
    assert status == 200
    assert "Typed <em>just now</em>" in text
    assert "Typed *just now*" in (await reader.ask(f"{path}.md"))[1]
    assert ">Notes</a>" in (await reader.ask("/@ada/notes/latest"))[1].split("Linked from")[1]
    assert inside.app[LIBRARY].press.renders <= made + 2


async def test_files_that_come_and_go_change_the_pages_that_link_to_them(
    reader: Reader, inside: Inside, site: Site
) -> None:
    """A missing link becomes a link, and the page goes again with its file."""
    page = "/@ada/notes/guides/Linking"
    assert 'class="internal new" href="/@ada/notes/Nowhere"' in (await reader.ask(page))[1]

    await put(inside, site, {"far/Nowhere.md": b"# Found\n"})
    assert 'class="internal" href="/@ada/notes/far/Nowhere"' in (await reader.ask(page))[1]
    assert (await reader.ask("/@ada/notes/far/Nowhere"))[0] == 200

    await listed(inside, site, {}, ("far/Nowhere.md",))
    assert (await reader.ask("/@ada/notes/far/Nowhere"))[0] == 404
    assert 'class="internal new" href="/@ada/notes/Nowhere"' in (await reader.ask(page))[1]


async def test_search_finds_words_and_hides_what_is_hidden(reader: Reader) -> None:
    """As JSON while typing and as a page; all words must be there."""
    _, found, headers = await reader.ask("/@ada/notes/_search.json?q=MERIDIAN+ship")
    hits = json.loads(found)["hits"]
    assert [hit["url"] for hit in hits] == ["/@ada/notes/guides/Writing"]
    assert headers["Content-Type"] == "application/json"

    status, text, _ = await reader.ask("/@ada/notes/_search?q=%3Cb%3Efog")
    assert (status, "<b>" in text) == (200, False)
    assert "Fog &amp; silence" in (await reader.ask("/@ada/notes/_search?q=fog"))[1]
    for query in ("hidden", "published+nowhere", "draft"):
        answer = (await reader.ask(f"/@ada/notes/_search.json?q={query}"))[1]
        assert "private" not in answer
        assert "drafts" not in answer


async def test_feeds_sitemap_and_robots(reader: Reader) -> None:
    """Each with its type, escaped, and with the canonical addresses."""
    for name, kind, part in (
        ("rss.xml", "application/rss+xml", "Fog &amp; silence"),
        ("atom.xml", "application/atom+xml", "Fog &amp; silence"),
        ("sitemap.xml", "application/xml", "<loc>http://ada.pages.example/notes/tides</loc>"),
        ("robots.txt", "text/plain", "Sitemap: http://ada.pages.example/notes/sitemap.xml"),
    ):
        status, text, headers = await reader.ask(f"/@ada/notes/{name}")
        assert (status, headers["Content-Type"].partition(";")[0]) == (200, kind)
        assert part in text
    assert (await reader.ask("/robots.txt"))[0] == 200


async def test_the_host_of_a_user_and_a_verified_domain_show_the_site(
    reader: Reader, inside: Inside, site: Site
) -> None:
    """Each with addresses of its own; a domain that nobody verified is refused."""
    status, text, headers = await reader.ask("/notes/guides", host="ada.pages.example")
    assert status == 200
    assert 'href="/notes/guides/Writing"' in text
    assert "script-src http://ada.pages.example/_plait/" in headers["Content-Security-Policy"]
    assert (await reader.ask("/notes", host="bob.pages.example"))[0] == 404
    assert (await reader.ask("/notes", host="a;b.pages.example"))[0] == 421
    assert (await reader.ask("/api/health", host="ada.pages.example"))[0] == 404

    store = inside.app[SITES].store
    await store.change(site.id, {"domain": "notes.example"})
    assert (await reader.ask("/", host="unproved.example"))[0] == 421
    await store.change(site.id, {"domain_verified_at": datetime.now(UTC)})
    status, text, _ = await reader.ask("/guides/Writing", host="notes.example")
    assert status == 200
    assert 'href="/guides/Callouts"' in text
    assert '<link rel="canonical" href="http://notes.example/guides/Writing">' in text
    assert (await reader.ask("/api/health", host="notes.example"))[0] == 404
    await store.change(site.id, {"domain": None, "domain_verified_at": None})


async def test_a_password_is_asked_for_before_everything(
    reader: Reader, inside: Inside, ada: Guest
) -> None:
    """Pages, files, feeds and search; the cookie opens this site until the password changes."""
    site = await publish(inside, ada.account, "diary", demo())
    access, store = inside.app[ACCESS], inside.app[SITES].store
    hashed = await access.hash("open sesame")
    await store.change(site.id, {"privacy": "PASSWORD", "password_hash": hashed})
    host, base = "ada.pages.example", "/diary"
    for path in ("", "/guides", "/media/lighthouse.png", "/_search.json?q=a", "/page.html"):
        status, text, headers = await reader.ask(base + path, host=host)
        assert (status, text) == (307, "")
        assert headers["Location"].startswith("/diary/_login?returnTo=%2Fdiary")
    for path in ("/sitemap.xml", "/robots.txt", "/rss.xml", "/config.json", "/custom.css"):
        assert (await reader.ask(base + path, host=host))[0] == 404
    status, _, headers = await reader.ask("/@ada/diary/guides")
    assert (status, headers["Location"]) == (307, "http://ada.pages.example/diary/guides")

    status, text, _ = await reader.ask(f"{base}/_login?returnTo=/diary/guides", host=host)
    assert (status, 'value="/diary/guides"' in text) == (200, True)
    form = {"password": "wrong", "returnTo": "/diary/guides"}
    send = {"host": host, "method": "POST"}
    assert (await reader.ask(f"{base}/_login", data=form, **send))[0] == 401
    form["password"] = "open sesame"
    status, _, headers = await reader.ask(f"{base}/_login", data=form, **send)
    assert (status, headers["Location"]) == (303, "/diary/guides")
    cookie = headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "Path=/diary" in cookie
    shown = {"Cookie": cookie.partition(";")[0]}
    for path in ("/guides", "/media/lighthouse.png", "/config.json"):
        status, _, headers = await reader.ask(base + path, host=host, headers=shown)
        assert (status, headers["Cache-Control"]) == (200, "private, no-cache")
    assert (await reader.ask(f"{base}/sitemap.xml", host=host, headers=shown))[0] == 404
    for back in ("//evil.example", "https://evil.example/", "/notes", "/diary/../x", "/\\evil"):
        form["returnTo"] = back
        _, _, headers = await reader.ask(f"{base}/_login", data=form, **send)
        assert headers["Location"] == "/diary"

    await store.change(site.id, {"password_hash": await access.hash("another one")})
    assert (await reader.ask(f"{base}/guides", host=host, headers=shown))[0] == 307


async def test_hostile_notes_neither_stall_nor_kill(
    reader: Reader, inside: Inside, ada: Guest
) -> None:
    """What takes too long or is too large is shown as its source; other pages go on."""
    files = {
        "index.md": b"# Fine\n",
        "nested.md": b"> " * 10_000 + b"x",
        "slow.md": b"[" * 250_000,
        "large.md": b"word " * 100_000,
        "huge.md": b"---\ntitle: Huge\n---\n" + b"word " * 3_200_000,
        "huge-secret.md": b"---\npublish: false\n---\n" + b"word " * 1_200_000,
    }
    await publish(inside, ada.account, "hostile", files)

    for name in ("huge-secret", "huge-secret.md"):
        assert (await reader.ask(f"/@ada/hostile/{name}"))[0] == 404
    for name in ("nested", "large", "huge", "slow"):
        status, text, _ = await reader.ask(f"/@ada/hostile/{name}")
        assert status == 200
        assert len(text) < 2_000_000
        if name != "nested":
            assert "too large or too intricate" in text
    assert "<h1>Fine</h1>" in (await reader.ask("/@ada/hostile"))[1]


async def test_assets_come_with_their_version(reader: Reader) -> None:
    """Pages name them by a version, so browsers keep them for good; Mermaid comes packed."""
    _, text, _ = await reader.ask("/@ada/notes/guides/Drawings")
    names = [part.split('"')[0] for part in text.split('="/_plait')[1:]]
    assert len(names) == 5
    for name in names:
        status, body, headers = await reader.ask(f"/_plait{name}")
        assert status == 200
        assert "immutable" in headers["Cache-Control"]
        assert len(body) > 100
    assert (await reader.ask("/_plait/x/site.css"))[2]["Cache-Control"] == "no-cache"
    assert (await reader.ask("/_plait/x/nope.js"))[0] == 404


async def test_the_edit_link_leads_to_the_editor_of_the_text(
    reader: Reader, inside: Inside, site: Site
) -> None:
    """On the main origin, under the site's workspace and the note's path."""
    _, text, _ = await reader.ask("/@ada/notes/guides/Writing")

    there = f"{inside.url}/w/{site.scope}/guides%2FWriting.md"
    assert f'<a class="edit-link" href="{there}" rel="nofollow">Edit</a>' in text


async def test_a_new_configuration_changes_what_is_shown(
    reader: Reader, inside: Inside, ada: Guest
) -> None:
    """Left-out files go, redirects come, at once; what cannot be read is no configuration."""
    files = {"index.md": b"# Home\n", "a.md": b"# A\n", "b.md": b"# B\n"}
    site = await publish(inside, ada.account, "configured", files)
    assert (await reader.ask("/@ada/configured/a"))[0] == 200

    config = {"contentExclude": ["/a"], "redirects": [{"from": "/c", "to": "/b"}], "title": "New"}
    await put(inside, site, {"config.json": json.dumps(config).encode()})
    assert (await reader.ask("/@ada/configured/a"))[0] == 404
    assert (await reader.ask("/@ada/configured/a.md"))[0] == 404
    assert (await reader.ask("/@ada/configured/c"))[2]["Location"] == "/@ada/configured/b"
    assert "<title>B - New</title>" in (await reader.ask("/@ada/configured/b"))[1]

    await put(inside, site, {"config.json": b"{"})
    assert (await reader.ask("/@ada/configured/a"))[0] == 200


async def test_a_large_site_is_known_again_without_reading_its_texts(
    reader: Reader, inside: Inside, ada: Guest
) -> None:
    """What was read of notes is stored with their heads; one that was edited since is read anew."""
    files = {f"n{number}.md": f"# Note {number}\n\n[[n1]]\n".encode() for number in range(60)}
    site = await publish(inside, ada.account, "large", files)
    assert (await reader.ask("/@ada/large/n1"))[1].count("Linked from") == 1
    library = inside.app[LIBRARY]
    known = await library.known(site.scope)
    assert len([each for each in known.values() if each.is_fresh]) == 60

    await put(inside, site, {"n7.md": b"# Seventh\n"})
    library._shelves.clear()
    text = (await reader.ask("/@ada/large/n1"))[1]
    assert text.count(">Note ") > 60
    assert ">Seventh</a>" in text
    assert "Note 7<" not in text.split("Linked from")[1]
    await inside.app[SITES].store.remove(site.id)
    assert (await reader.ask("/@ada/large/n1"))[0] == 404
    assert all(each.facts is None for each in (await library.known(site.scope)).values())


async def test_what_an_editor_types_is_on_the_page_at_once(
    reader: Reader, ada: Guest, site: Site
) -> None:
    """Through the door that the editor of the "Edit" link uses; strangers do not get in."""
    name = f"{site.scope}:guides/Media.md"
    client = await (await ada.y(name)).sync()
    text = client.replica.doc.get("content_v0", type=pycrdt.Text)
    assert str(text).startswith("# Media")

    update = client.replica.edit(lambda: text.insert(len("# Media"), " and more"))
    await client.send(wire.update(update))
    await client.stored(update)

    assert "<h1>Media and more</h1>" in (await reader.ask("/@ada/notes/guides/Media"))[1]
    async with reader.inside.visitor() as stranger:
        with pytest.raises((Closed, aiohttp.WSServerHandshakeError)):
            await (await stranger.y(name)).sync()


async def test_without_a_host_of_their_own_sites_are_shown_in_a_sandbox(
    postgres: str, tmp_path: Path
) -> None:
    """Where sites share the server's host every page is in a sandbox without its origin."""
    shared = {"sites_url": "http://127.0.0.1"}
    async with (
        fresh_database(postgres) as database,
        serving(database, tmp_path, **shared) as made,
        made.visitor() as guest,
        aiohttp.ClientSession() as http,
    ):
        await named(made, guest, "ada")
        await publish(made, guest.account, "notes", {"index.md": b"# Home", "a.html": b"<p>"})
        reader = Reader(made, http)
        for path in ("", "/nowhere", "/a.html"):
            status, _, headers = await reader.ask(f"/@ada/notes{path}", host="127.0.0.1")
            assert status in {200, 404}
            policy = headers["Content-Security-Policy"]
            assert "sandbox allow-scripts" in policy
            assert "allow-same-origin" not in policy
        assert (await reader.ask("/api/health", host="127.0.0.1"))[0] == 200
