"""What crawlers ask by a site's names."""

import pytest

from tests.inside import Guest
from tests.server.adapters.flowershow.tools import CommandLine

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def get(guest: Guest, path: str) -> tuple[int, str, str]:
    """Status, type and text."""
    async with guest.http.get(path) as response:
        return response.status, response.content_type, await response.text()


async def test_a_sitemap_has_the_root_and_every_note(cli: CommandLine, bob: Guest) -> None:
    """Escaped; of a site with a password there is none."""
    site = await cli.make("mapped")
    folder = {"index.md": b"# Home", "a & b.md": b"x", "c.md": b"---\npermalink: /see\n---\n"}
    await cli.sync(site, {**folder, "d.png": b"no note"})
    user = (await cli.ask("GET", "/api/user"))["username"]
    url = (await cli.ask("GET", f"/api/sites/id/{site}"))["site"]["url"]
    status, kind, text = await get(bob, f"/api/sitemap/{user}/Mapped")
    await cli.ask("PATCH", f"/api/sites/id/{site}", {"password": "correct horse"})
    hidden = await get(bob, f"/api/sitemap/{user}/mapped")

    assert (status, kind) == (200, "application/xml")
    assert text.index(f"<loc>{url}</loc>") < text.index("/see</loc>")
    assert text.count("<url>") == 3
    assert "a+&amp;+b" in text or "a+%26+b" in text
    assert hidden == (404, "text/plain", "Not found")


async def test_unknown_sites_and_hosts_are_not_found(bob: Guest) -> None:
    """In plain text."""
    for path in ("/api/sitemap/nobody/nothing", "/api/robots/nothing.example.com"):
        assert await get(bob, path) == (404, "text/plain", "Not found")
