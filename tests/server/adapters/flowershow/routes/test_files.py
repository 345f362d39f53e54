"""Syncing a folder with a site: what is wanted, what came, what was merged, what is gone."""

from typing import Any

import pytest
from pycrdt import Text

from crdt import wire
from server.sites.catalogue import SITES
from tests.clients import YClient
from tests.inside import Guest, Inside
from tests.server.adapters.flowershow.tools import (
    CommandLine,
    ask,
    command_line,
    git,
    manifest,
    sha1,
    sha256,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOTE = b"---\ntitle: Hello\n---\n# Hello\n\nFirst line.\n\nLast line.\n"
FOLDER = {"index.md": NOTE, "notes/a b.md": b"# A\n", "data.bin": b"\0\1\2"}
_PNG = (
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\6\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx\x9cc"
    b"\xf8\xcf\xc0\xf0\x1f\0\5\0\1\xff\x89\x99=\x1d\0\0\0\0IEND\xaeB`\x82"
)


async def typed(guest: Guest, document: str, at: int, text: str) -> YClient:
    """Type into a text, as an editor in a browser does."""
    editor = await guest.y(document)
    await editor.sync()
    content: Text = editor.replica.doc.get("content_v0", type=Text)
    update = editor.replica.edit(lambda: content.insert(at, text))
    await editor.send(wire.update(update))
    await editor.stored(update)
    return editor


async def text_of(inside: Inside, site: str, path: str) -> str:
    """A text as the site shows it."""
    found = await inside.app[SITES].by_id(site)
    assert found is not None
    return await inside.app[SITES].text(found, path)


async def test_a_folder_is_published_and_then_unchanged_for_every_client(
    cli: CommandLine,
) -> None:
    """Whichever hash it knows."""
    site = await cli.make()
    first = await cli.sync(site, FOLDER)
    plans = [await cli.plan(site, FOLDER, digest) for digest in (sha1, git, sha256)]
    status = await cli.status(site)

    assert [each["path"] for each in first["toUpload"]] == list(FOLDER)
    assert first["toUpload"][0]["contentType"] == "text/markdown"
    assert first["toUpload"][2]["contentType"] == "application/octet-stream"
    assert first["summary"] == {"toUpload": 3, "toUpdate": 0, "deleted": 0, "unchanged": 0}
    assert "dryRun" not in first.body
    assert all(plan["unchanged"] == list(FOLDER) and plan["dryRun"] for plan in plans)
    assert status["status"] == "complete"
    assert status["files"] == {"total": 3, "pending": 0, "success": 3, "failed": 0}
    assert [blob["extension"] for blob in status["blobs"]] == ["md", "md", "bin"]


async def test_what_changed_is_updated_and_what_is_gone_deleted_at_once(cli: CommandLine) -> None:
    """A dry run says the same and does nothing."""
    site = await cli.make()
    await cli.sync(site, FOLDER)
    folder = {"index.md": NOTE + b"more\n", "new.md": b"new"}
    plan = await cli.plan(site, folder)
    before = await cli.status(site)
    answer = await cli.ask("POST", f"/api/sites/id/{site}/sync", manifest(folder))
    after = await cli.status(site)

    assert before["files"]["total"] == 3
    assert [each["path"] for each in answer["toUpdate"]] == ["index.md"]
    assert [each["path"] for each in answer["toUpload"]] == ["new.md"]
    assert answer["deleted"] == ["data.bin", "notes/a b.md"] == plan["deleted"]
    assert plan["toUpdate"] == [
        {"path": "index.md", "uploadUrl": "", "blobId": "", "contentType": "text/markdown"}
    ]
    assert (after["status"], after["files"]["pending"]) == ("pending", 2)


async def test_what_was_never_brought_is_asked_for_again(cli: CommandLine) -> None:
    """A hash counts once the bytes came."""
    site = await cli.make()
    await cli.ask("POST", f"/api/sites/id/{site}/sync", manifest(FOLDER))
    again = await cli.plan(site, FOLDER)

    assert again["summary"]["toUpload"] == 3


async def test_an_edit_between_two_syncs_is_merged_and_told(
    cli: CommandLine, ada: Guest, inside: Inside
) -> None:
    """Whoever lacks it is asked for his own; what both have written stands there."""
    site = await cli.make()
    await cli.sync(site, FOLDER)
    status = await cli.status(site)
    document = status["blobs"][0]["document"]
    await typed(ada, document, len(NOTE), "From the browser.\n")
    same = await cli.plan(site, FOLDER)
    folder = FOLDER | {"index.md": NOTE.replace(b"First", b"Very first")}
    await cli.sync(site, folder)
    shown = await text_of(inside, site, "index.md")
    whole = shown.encode()
    caught_up = await cli.plan(site, folder | {"index.md": whole})

    assert [each["path"] for each in same["toUpdate"]] == ["index.md"]
    assert "Very first line." in shown
    assert shown.endswith("From the browser.\n")
    assert caught_up["unchanged"] == list(FOLDER)


async def test_bringing_the_same_again_keeps_what_was_typed(
    cli: CommandLine, ada: Guest, inside: Inside
) -> None:
    """However often."""
    site = await cli.make()
    await cli.sync(site, FOLDER)
    document = (await cli.status(site))["blobs"][0]["document"]
    await typed(ada, document, len(NOTE), "Typed.\n")
    for _ in range(2):
        answer = await cli.sync(site, FOLDER)
        assert [each["path"] for each in answer["toUpdate"]] == ["index.md"]

    assert await text_of(inside, site, "index.md") == NOTE.decode() + "Typed.\n"


async def test_two_folders_of_one_site_do_not_undo_each_other(
    cli: CommandLine, ada: Guest, inside: Inside
) -> None:
    """What one has is compared with what it had itself; going back on purpose is a change."""
    other = await command_line(ada)
    site = await cli.make()
    old, new = {"index.md": NOTE}, {"index.md": NOTE.replace(b"First", b"Second")}
    await cli.sync(site, old)
    await other.sync(site, old)
    added = await cli.ask("POST", f"/api/sites/id/{site}/files", manifest(old))
    theirs = await other.ask("POST", f"/api/sites/id/{site}/files", manifest(old))
    await cli.put(added["files"][0], NOTE)
    await other.put(theirs["files"][0], NOTE)
    await cli.sync(site, new)
    behind = await other.sync(site, old)
    kept = await text_of(inside, site, "index.md")
    await cli.sync(site, old)

    assert [each["path"] for each in behind["toUpdate"]] == ["index.md"]
    assert "Second line." in kept
    assert await text_of(inside, site, "index.md") == NOTE.decode()


async def test_an_open_editor_sees_a_sync_at_once(cli: CommandLine, ada: Guest) -> None:
    """It is an edit like any other."""
    site = await cli.make()
    await cli.sync(site, FOLDER)
    document = (await cli.status(site))["blobs"][0]["document"]
    editor = await typed(ada, document, 0, "")
    await cli.sync(site, FOLDER | {"index.md": NOTE + b"Synced.\n"})
    content: Text = editor.replica.doc.get("content_v0", type=Text)
    await editor.until(lambda: str(content).endswith("Synced.\n"))


async def test_errors_of_files_are_told(cli: CommandLine, ada: Guest) -> None:
    """Front matter that is none, bytes that are others, a picture that is broken, no text."""
    site = await cli.make()
    folder = {
        "bad.md": b"---\ntitle: [\n---\n",
        "latin.md": b"caf\xe9",
        "broken.png": _PNG[:12],
        "good.png": _PNG,
    }
    await cli.sync(site, folder)
    wrong = await cli.ask(
        "POST",
        f"/api/sites/id/{site}/files",
        {"files": [{"path": "x.md", "size": 1, "sha": sha1(b"other")}]},
    )
    await cli.put(wrong["files"][0], b"x")
    status = await cli.status(site)
    errors = {blob["path"]: blob["syncError"] for blob in status["blobs"]}
    public = await ask(ada, "GET", f"/api/sites/id/{site}/status")

    assert status["status"] == "error"
    assert status["files"] == {"total": 5, "pending": 0, "success": 1, "failed": 4}
    assert errors["good.png"] is None
    assert errors["x.md"] == "content hash mismatch"
    assert errors["latin.md"] == "not UTF-8 at byte 3"
    assert errors["bad.md"]
    assert errors["broken.png"]
    assert {each["path"] for each in public["errors"]} == set(folder) - {"good.png"} | {"x.md"}
    assert set(public.body) == {"status", "errors"}


async def test_an_image_is_measured(cli: CommandLine, inside: Inside) -> None:
    """Its width and height stand in the list."""
    site = await cli.make()
    await cli.sync(site, {"good.png": _PNG})
    found = await inside.app[SITES].by_id(site)
    assert found is not None
    file = (await inside.app[SITES].listing(found)).files["good.png"]

    assert (file.width, file.height) == (1, 1)


async def test_what_is_not_to_be_published_vanishes(cli: CommandLine) -> None:
    """Once its front matter was read."""
    site = await cli.make()
    await cli.sync(site, {"draft.md": b"---\npublish: false\n---\n", "a.md": b"a"})
    status = await cli.status(site)

    assert [blob["path"] for blob in status["blobs"]] == ["a.md"]


async def test_files_are_added_and_taken_away_beside_the_others(cli: CommandLine) -> None:
    """An unchanged one gets a URL all the same; what is not there is said."""
    site = await cli.make()
    await cli.sync(site, FOLDER)
    path = f"/api/sites/id/{site}/files"
    added = await cli.ask("POST", path, manifest({"index.md": NOTE, "b.md": b"b"}))
    gone = await cli.ask("DELETE", path, {"paths": ["x", "index.md", "index.md", "data.bin"]})
    again = await cli.ask("DELETE", path, {"paths": ["index.md"]})
    left = [blob["path"] for blob in (await cli.status(site))["blobs"]]

    assert [each["path"] for each in added["files"]] == ["index.md", "b.md"]
    assert gone.body == {"deleted": ["index.md", "data.bin"], "notFound": ["x", "index.md"]}
    assert again.body == {"deleted": [], "notFound": ["index.md"]}
    assert left == ["notes/a b.md", "b.md"]


async def test_a_deleted_text_begins_anew(cli: CommandLine, inside: Inside) -> None:
    """Nothing of what it was comes back."""
    site = await cli.make()
    await cli.sync(site, {"a.md": b"old\n"})
    await cli.sync(site, {})
    await cli.sync(site, {"a.md": b"new\n"})

    assert await text_of(inside, site, "a.md") == "new\n"


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        ({}, 400, "invalid_request"),
        ({"files": [{"path": "a.md"}]}, 400, "invalid_request"),
        ({"files": [{"path": "../a.md", "size": 1, "sha": "x"}]}, 400, "invalid_request"),
        ({"files": [{"path": "a", "size": 1, "sha": "x"}] * 2}, 400, "invalid_request"),
        (
            {"files": [{"path": f"{n}.md", "size": 1, "sha": "x"} for n in range(1001)]},
            413,
            "payload_too_large",
        ),
        (
            {"files": [{"path": f"{n}", "size": 100 << 20, "sha": "x"} for n in range(6)]},
            413,
            "payload_too_large",
        ),
        ({"files": [{"path": "a", "size": (100 << 20) + 1, "sha": "x"}]}, 413, "file_too_large"),
    ],
    ids=["nothing", "no size", "outside", "twice", "many", "much", "large"],
)
async def test_bad_manifests_are_refused(
    cli: CommandLine, body: dict[str, Any], status: int, word: str
) -> None:
    """By both routes, before anything is changed."""
    site = await cli.make()
    for route in ("sync", "files"):
        answer = await cli.ask("POST", f"/api/sites/id/{site}/{route}", body)
        assert (answer.status, answer["error"]) == (status, word)
        assert answer["message"]


async def test_an_empty_list_of_files_is_a_sync_and_nothing_else(cli: CommandLine) -> None:
    """It empties the site."""
    site = await cli.make()
    await cli.sync(site, FOLDER)
    added = await cli.ask("POST", f"/api/sites/id/{site}/files", {"files": []})
    deleted = await cli.ask("DELETE", f"/api/sites/id/{site}/files", {"paths": []})
    synced = await cli.ask("POST", f"/api/sites/id/{site}/sync", {"files": []})
    status = await cli.status(site)

    assert (added.status, deleted.status) == (400, 400)
    assert synced["summary"]["deleted"] == 3
    assert (status["status"], status["blobs"]) == ("pending", [])


async def test_upload_urls_are_for_one_file(cli: CommandLine, ada: Guest) -> None:
    """Changed ones are refused, good ones may be used again, by pages of any origin."""
    site = await cli.make()
    answer = await cli.ask("POST", f"/api/sites/id/{site}/sync", manifest({"a b.md": b"a"}))
    url = answer["toUpload"][0]["uploadUrl"]
    other = await ask(ada, "PUT", url.replace("a%20b.md", "b.md"))
    changed = await ask(ada, "PUT", url[:-2] + "xx")
    bare = await ask(ada, "PUT", url.partition("?")[0])
    page = {"Origin": "https://anywhere.example", "x-amz-meta-publish-id": "1"}
    statuses = []
    for _ in range(2):
        async with ada.http.put(url, data=b"a", headers=page) as response:
            statuses.append(response.status)
            origin = response.headers["Access-Control-Allow-Origin"]

    assert (other.status, changed.status, bare.status) == (403, 403, 403)
    assert other["error"] == "forbidden"
    assert statuses == [200, 200]
    assert origin == page["Origin"]


async def test_strangers_learn_and_change_nothing(cli: CommandLine, bob: Guest) -> None:
    """404 for what is not there, 403 for what is somebody else's, before the body is read."""
    site = await cli.make()
    stranger = CommandLine(bob, bob.token)
    for method, path in (("POST", "sync"), ("POST", "files"), ("DELETE", "files")):
        foreign = await stranger.ask(method, f"/api/sites/id/{site}/{path}", [])
        unknown = await stranger.ask(method, f"/api/sites/id/site_x/{path}", [])
        nobody = await ask(bob, method, f"/api/sites/id/{site}/{path}", {})
        assert (foreign.status, unknown.status, nobody.status) == (403, 404, 401)
        assert [each["error"] for each in (foreign, unknown, nobody)] == [
            "forbidden",
            "not_found",
            "unauthorized",
        ]
    status = await stranger.ask("GET", f"/api/sites/id/{site}/status")
    unknown = await ask(bob, "GET", "/api/sites/id/site_x/status")
    bad = await ask(bob, "GET", f"/api/sites/id/{site}/status", Authorization="Bearer fs_pat_x")

    assert (status.status, unknown.status, bad.status) == (403, 404, 200)
    assert bad.body == {"status": "pending"}
