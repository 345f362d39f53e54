"""Exports over real HTTP: as Markdown, HTML and PDF, with pictures, for readers only."""

from __future__ import annotations

import base64

import pycrdt
import pytest

from tests.inside import Guest
from tests.server.adapters.heaps.device import new_id
from tests.server.adapters.heaps.sender import Sender
from tests.server.test_exporting import PNG, words_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def written(guest: Guest, text: str, block: str | None = None) -> str:
    """A block of the guest's that holds a title and a Markdown text."""
    doc: pycrdt.Doc[pycrdt.Text] = pycrdt.Doc()
    doc["title_v0"] = pycrdt.Text("Birds / and *bees*")
    doc["markdown_v0"] = pycrdt.Text(text)
    block = block or new_id()
    said = {"block_id": block, "workspace_id": guest.workspace}
    update = base64.b64encode(doc.get_update()).decode()
    status, answer, _ = await guest.post(
        "/api/sync/push", json={"blocks": [{**said, "update": update}]}
    )
    assert status == 200
    assert answer["results"][0]["success"], answer
    return block


async def exported(guest: Guest, block: str, form: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and bytes of an export."""
    async with guest.http.get(f"/api/export/{block}/{form}", headers=guest.bearer) as answer:
        return answer.status, dict(answer.headers), await answer.read()


async def test_a_block_leaves_in_three_forms(ada: Guest) -> None:
    """Each says the same and is named after the title, without what no file may be called."""
    block = await written(ada, "# One\n\nA **bold** word.\n")

    for form, kind, has in (
        ("md", "text/markdown", b"A **bold** word."),
        ("html", "text/html", b"<strong>bold</strong>"),
        ("pdf", "application/pdf", b"%PDF"),
    ):
        status, headers, body = await exported(ada, block, form)
        assert status == 200
        assert headers["Content-Type"].startswith(kind)
        assert has in body
        assert "sandbox" in headers["Content-Security-Policy"]
        assert f'filename="Birds and bees.{form}"' in headers["Content-Disposition"]
        assert headers["Content-Disposition"].startswith("attachment")
        if form == "pdf":
            assert "A bold word." in words_of(body)


async def test_pictures_of_the_block_go_along(ada: Guest) -> None:
    """An HTML file shows them without any server; in a part for a page they keep their address."""
    sender = Sender(ada, PNG)
    assert (await sender.direct())[0] == 200
    address = f"/api/file/{sender.block}/raw/{sender.hash}"
    await written(ada, f"![wren]({address})", sender.block)

    _, _, whole = await exported(ada, sender.block, "html")
    _, _, part = await exported(ada, sender.block, "html?fragment=1")
    _, _, paper = await exported(ada, sender.block, "pdf")

    assert base64.b64encode(PNG) in whole
    assert f'src="{address}"'.encode() in part
    assert b"<body" not in part
    assert "wren" not in words_of(paper)


async def test_what_is_foreign_or_unknown_is_not_there(ada: Guest, bob: Guest) -> None:
    """404 alike for another's block, one that nobody has, and a form that there is not."""
    block = await written(ada, "secret")

    assert (await exported(bob, block, "md"))[0] == 404
    assert (await exported(ada, new_id(), "md"))[0] == 404
    assert (await exported(ada, block, "docx"))[0] == 404


async def test_a_link_to_the_document_may_take_it_along(ada: Guest, bob: Guest) -> None:
    """A document token exports its document, and no other."""
    block, other = await written(ada, "shared"), await written(ada, "secret")
    status, made, _ = await ada.post(f"/api/block/{block}/links", json={"role": "viewer"})
    assert status == 201
    headers = {"Authorization": f"Bearer {made['token']}"}

    async with bob.http.get(f"/api/export/{block}/md", headers=headers) as answer:
        assert (answer.status, await answer.text()) == (200, "shared")
    async with bob.http.get(f"/api/export/{other}/md", headers=headers) as answer:
        assert answer.status == 404
