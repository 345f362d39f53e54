"""What showing a site needs: found by address, its list kept, its texts as they are now."""

import os

import aiohttp
import msgspec
import pytest
from pycrdt import Text

from crdt import plaintext, wire
from crdt.ids import make_ulid
from server.errors import NotFound
from server.looking import change
from server.sites.catalogue import SITES, Catalogue
from server.sites.listing import SUCCESS, File, write
from storage.sites import NewSite, Site
from tests.inside import Guest, Inside

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def a_site(inside: Inside, guest: Guest) -> tuple[Catalogue, Site]:
    """A site with one Markdown file."""
    catalogue = inside.app[SITES]
    scope = make_ulid(1, os.urandom(10))
    new = NewSite(
        id=f"site-{guest.account}",
        scope=scope,
        account=guest.account,
        name="notes",
        domain_token="",
    )
    made = await catalogue.store.add(new)
    assert made is not None
    text = await inside.documents.store.create(scope, "a.md", guest.account)
    await change(inside.documents, text, plaintext.merge("", "# Hello"), guest.account)
    file = File(id="f", status=SUCCESS, created_at=1, hash="ab" * 32, document=str(text.id))
    listed = await catalogue.record(made.document)
    await change(inside.documents, listed, lambda doc: write(doc, {"a.md": file}), guest.account)
    return catalogue, made


async def test_the_list_is_read_once_until_it_changes(inside: Inside, ada: Guest) -> None:
    """The same object, so that who derives something from it can tell."""
    catalogue, site = await a_site(inside, ada)
    first, second = [await catalogue.listing(site) for _ in range(2)]
    record = await catalogue.record(site.document)
    await change(inside.documents, record, lambda doc: write(doc, {}, ["a.md"]), ada.account)
    third = await catalogue.listing(site)

    assert first is second
    assert list(first.files) == ["a.md"]
    assert third.version != first.version
    assert not third.files


async def test_a_text_is_what_was_typed_last(inside: Inside, ada: Guest) -> None:
    """By anybody who has it open; a path without a text is not found."""
    catalogue, site = await a_site(inside, ada)
    editor = await ada.y(f"{site.scope}:a.md")
    await editor.sync()
    text: Text = editor.replica.doc.get("content_v0", type=Text)
    update = editor.replica.edit(lambda: text.insert(7, ", world"))
    await editor.send(wire.update(update))
    await editor.stored(update)

    assert await catalogue.text(site, "a.md") == "# Hello, world"
    with pytest.raises(NotFound):
        await catalogue.text(site, "b.md")


async def test_strangers_open_neither_text_nor_list(inside: Inside, ada: Guest, bob: Guest) -> None:
    """They are told what they are told of any document."""
    _, site = await a_site(inside, ada)
    for guest, name in ((bob, "a.md"), (bob, "plait:files")):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await guest.y(f"{site.scope}:{name}")
        assert refused.value.status == 403


async def test_addresses_say_user_and_name(inside: Inside, ada: Guest) -> None:
    """On the sites' own origin; a verified domain is the address, an unclaimed site has its own."""
    catalogue, site = await a_site(inside, ada)
    named = msgspec.structs.replace(site, username="ada")
    anonymous = msgspec.structs.replace(site, account=None)
    origin = inside.url.replace("127.0.0.1", "sites.localhost")

    assert catalogue.url(named) == f"{origin}/@ada/notes"
    assert catalogue.url(anonymous) == f"{origin}/anon/notes"
    domain = msgspec.structs.replace(
        site, domain="docs.example.com", domain_verified_at=site.created_at
    )
    assert catalogue.url(domain) == "http://docs.example.com"
