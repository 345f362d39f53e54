"""Sites: made, emptied, listed, looked up, changed, deleted."""

from typing import Any

import pytest

from server.sites.catalogue import SITES
from tests.inside import Guest, Inside
from tests.server.adapters.flowershow.tools import Browser, CommandLine, ask

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def username(cli: CommandLine) -> str:
    """The name in the addresses of somebody's sites."""
    return str((await cli.ask("GET", "/api/user"))["username"])


async def test_a_site_is_made_once_under_a_name_that_fits(cli: CommandLine) -> None:
    """Every other letter becomes a hyphen; looked up as it was typed, too."""
    user = await username(cli)
    made = await cli.ask("POST", "/api/sites", {"projectName": "My Nötes!"})
    again = await cli.ask("POST", "/api/sites", {"projectName": "my n-tes-"})
    found = await ask(cli.guest, "GET", f"/api/sites/{user.upper()}/My%20Nötes!")

    assert made.status == 201
    assert made["site"]["projectName"] == "my-n-tes-"
    assert made["site"]["userId"] == cli.guest.account
    assert made["site"]["url"].endswith(f"/@{user}/my-n-tes-")
    assert made["site"]["id"].startswith("site_")
    assert (again.status, again["error"]) == (409, "site_exists")
    assert found["site"]["id"] == made["site"]["id"]


async def test_overwriting_empties_a_site_and_keeps_the_rest(cli: CommandLine) -> None:
    """Id, settings and time; of a new name it is a site like any other."""
    site = await cli.make("over")
    await cli.sync(site, {"a.md": b"a"})
    await cli.ask("PATCH", f"/api/sites/id/{site}", {"title": "Kept"})
    again = await cli.ask("POST", "/api/sites", {"projectName": "over", "overwrite": True})
    new = await cli.ask("POST", "/api/sites", {"projectName": "fresh", "overwrite": True})
    detail = await cli.ask("GET", f"/api/sites/id/{site}")

    assert (again.status, new.status) == (200, 201)
    assert again["site"]["id"] == site
    assert (detail["site"]["fileCount"], detail["site"]["title"]) == (0, "Kept")


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({}, "invalid_request"),
        ({"projectName": 1}, "invalid_request"),
        ({"projectName": ""}, "invalid_project_name"),
        ({"projectName": "x" * 101}, "invalid_project_name"),
        ({"projectName": "!!!"}, "invalid_project_name"),
        ({"projectName": "Admin"}, "invalid_project_name"),
    ],
    ids=["nothing", "number", "empty", "long", "signs", "reserved"],
)
async def test_bad_names_are_refused(cli: CommandLine, body: Any, word: str) -> None:
    """With 400."""
    answer = await cli.ask("POST", "/api/sites", body)

    assert (answer.status, answer["error"]) == (400, word)


async def test_who_has_no_username_makes_no_site(bob: Guest) -> None:
    """It would have no address."""
    answer = await ask(bob, "POST", "/api/sites", {"projectName": "x"}, **bob.bearer)

    assert (answer.status, answer["error"]) == (400, "no_username")


async def test_sites_are_listed_with_the_last_changed_first(cli: CommandLine) -> None:
    """With their files counted."""
    first, second = await cli.make("one"), await cli.make("two")
    await cli.sync(first, {"a.md": b"a", "b.png": b"b"})
    listed = await cli.ask("GET", "/api/sites")

    assert listed["total"] == 2
    assert [each["id"] for each in listed["sites"]] == [first, second]
    assert [each["fileCount"] for each in listed["sites"]] == [2, 0]
    assert listed["sites"][0]["updatedAt"].endswith("Z")


async def test_a_site_is_shown_as_the_page_says(cli: CommandLine) -> None:
    """Every field of it."""
    site = await cli.make("shown")
    await cli.sync(site, {"a.md": b"abc"})
    detail = (await cli.ask("GET", f"/api/sites/id/{site}"))["site"]
    expected = {
        "id": site, "projectName": "shown", "ghRepository": None, "ghBranch": None,
        "customDomain": None, "rootDir": None, "autoSync": False, "plan": "FREE",
        "privacyMode": "PUBLIC", "enableComments": False, "enableSearch": True,
        "syntaxMode": "auto", "fileCount": 1, "totalSize": 3,
    }  # fmt: skip

    assert expected.items() <= detail.items()


async def test_a_deleted_site_is_nowhere(cli: CommandLine, inside: Inside) -> None:
    """Its texts neither."""
    site = await cli.make("gone")
    await cli.sync(site, {"a.md": b"a", "b.bin": b"b"})
    document = (await cli.status(site))["blobs"][0]["document"]
    deleted = await cli.ask("DELETE", f"/api/sites/id/{site}")
    again = await cli.ask("DELETE", f"/api/sites/id/{site}")
    status = await ask(cli.guest, "GET", f"/api/sites/id/{site}/status")
    reply, _ = await cli.guest.get(f"/d/{document}/as-update")

    assert deleted.body == {"success": True, "message": "Site deleted", "deletedFiles": 2}
    assert (again.status, status.status) == (404, 404)
    assert reply in {403, 404}


async def test_settings_are_changed_by_their_owner(cli: CommandLine, bob: Guest) -> None:
    """By token or browser; what cannot be is refused and changes nothing."""
    site = await cli.make("set")
    path = f"/api/sites/id/{site}"
    body = {
        "title": "My site", "enableSearch": False, "enableComments": True,
        "syntaxMode": "md", "customDomain": "Docs.Example.com.",
    }  # fmt: skip
    changed = (await cli.ask("PATCH", path, body))["site"]
    browser = await (await Browser.of(cli.guest)).ask("PATCH", path, {"customDomain": None})
    foreign = await ask(bob, "PATCH", path, {}, **bob.bearer)
    refused = [
        (await cli.ask("PATCH", path, each))["error"]
        for each in (
            {"customDomain": "no domain"},
            {"password": "short"},
            {"password": " eight letters "},
            {"privacyMode": "SECRET"},
            {"privacyMode": "PASSWORD"},
            {"autoSync": True},
            {"title": "x\n"},
        )
    ]

    assert (changed["title"], changed["enableSearch"]) == ("My site", False)
    assert (changed["syntaxMode"], changed["enableComments"]) == ("md", True)
    assert (changed["customDomain"], changed["domainVerified"]) == ("docs.example.com", False)
    assert changed["domainTxtName"] == "_flowershow.docs.example.com"
    assert "/@" in changed["url"]
    assert browser["site"]["customDomain"] is None
    assert foreign.status == 403
    assert refused == ["invalid_domain", "invalid_password", "invalid_password",
                       *["invalid_request"] * 4]  # fmt: skip


async def test_strangers_see_public_sites_and_nothing_of_others(
    cli: CommandLine, bob: Guest
) -> None:
    """A protected one is `{}` to them, whoever they are; never a hash of anything."""
    site = await cli.make("secret")
    user = await username(cli)
    path = f"/api/sites/{user}/secret"
    public = await ask(bob, "GET", path)
    await cli.ask("PATCH", f"/api/sites/id/{site}", {"password": "correct horse"})
    hidden = await ask(bob, "GET", path, **bob.bearer)
    own = await cli.ask("GET", path)
    unknown = await ask(bob, "GET", f"/api/sites/{user}/nothing")

    assert public["site"]["id"] == site
    assert (hidden.status, hidden.body) == (200, {})
    assert own["site"]["privacyMode"] == "PASSWORD"
    assert "assword" not in str(dict.fromkeys(own["site"], 0))
    assert (unknown.status, unknown["error"]) == (404, "not_found")


async def test_old_command_lines_are_told_to_update(cli: CommandLine) -> None:
    """Before anything else is looked at, on the routes that they use."""
    old = {"X-Flowershow-CLI-Version": "0.9.9", "Authorization": "Bearer nothing"}
    site = await cli.make("old")
    answers = [
        await ask(cli.guest, method, path, {}, **old)
        for method, path in (
            ("GET", "/api/sites"),
            ("POST", "/api/sites"),
            ("GET", f"/api/sites/id/{site}"),
            ("POST", f"/api/sites/id/{site}/sync"),
            ("GET", f"/api/sites/id/{site}/status"),
            ("POST", f"/api/sites/id/{site}/files"),
            ("GET", "/api/user"),
        )
    ]

    assert [answer.status for answer in answers] == [426] * 5 + [401] * 2
    assert answers[0].body | {"message": "", "error_description": ""} == {
        "error": "client_outdated", "message": "", "error_description": "",
        "currentVersion": "0.9.9", "minimumVersion": "1.0.0",
    }  # fmt: skip


async def test_pages_of_obsidian_may_ask_and_no_others(cli: CommandLine) -> None:
    """Of all origins."""
    for origin, allowed in (
        ("app://obsidian.md", "app://obsidian.md"),
        ("https://x.example", None),
    ):
        async with cli.guest.http.options(
            "/api/sites",
            headers={"Origin": origin, "Access-Control-Request-Method": "POST"},
        ) as response:
            assert response.status == 204
            assert response.headers.get("Access-Control-Allow-Origin") == allowed
        async with cli.guest.http.get("/api/sites", headers={"Origin": origin}) as response:
            assert response.headers.get("Access-Control-Allow-Origin") == allowed


async def test_the_list_of_files_is_written_by_nobody_on_sockets(
    cli: CommandLine, inside: Inside
) -> None:
    """Its owner reads it there."""
    site = await cli.make("list")
    await cli.sync(site, {"a.md": b"a"})
    found = await inside.app[SITES].by_id(site)
    assert found is not None
    editor = await cli.guest.y(f"{found.scope}:plait:files")
    await editor.sync()
    await editor.write("text")

    assert await editor.closed() >= 1000
    assert list((await inside.app[SITES].listing(found)).files) == ["a.md"]
