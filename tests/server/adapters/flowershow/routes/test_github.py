"""Sites that follow a repository: the App is installed, a branch is published, pushes are heard."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio

from server.sites.catalogue import SITES
from tests.inside import Guest, Inside, fresh_database, serving
from tests.server.adapters.flowershow.hub import APP_ID, PRIVATE, SECRET, Hub, event
from tests.server.adapters.flowershow.tools import Answer, Browser, ask, with_username
from tests.server.realtime.conftest import Serve
from tests.storage.papers import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

API = "/api/github-app"
FILES = {"notes/index.md": b"# Hello", "notes/a.png": b"no image", "other.md": b"elsewhere"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hub() -> AsyncIterator[Hub]:
    """A GitHub."""
    running = await Hub().start()
    yield running
    await running.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def inside(
    postgres: str, hub: Hub, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Inside]:
    """A server with an App there."""
    folder = tmp_path_factory.mktemp("inside")
    async with (
        fresh_database(postgres) as database,
        serving(
            database,
            folder,
            github_url="https://github.example",
            github_api_url=hub.url,
            github_app_id=APP_ID,
            github_app_slug="plait-sites",
            github_app_key=PRIVATE,
            github_webhook_secret=SECRET,
        ) as running,
    ):
        yield running


async def callback(guest: Guest, **query: str) -> str:
    """Come back from GitHub; where one is sent then."""
    async with guest.http.get(f"{API}/callback", params=query, allow_redirects=False) as response:
        assert response.status == 302
        return response.headers["Location"]


async def linked(guest: Guest, number: int) -> tuple[Browser, dict[str, Any]]:
    """Link an installation to somebody's account."""
    browser = await with_username(guest)
    state = (await browser.ask("POST", f"{API}/installation-url", {}))["state"]
    where = await callback(guest, installation_id=str(number), state=state, setup_action="install")
    assert where == f"{guest.url}/sites?github=linked"
    (row,) = (await browser.ask("GET", f"{API}/installations"))["installations"]
    return browser, row


async def follow(guest: Guest, link: str, **more: Any) -> Answer:
    """Make a site that follows."""
    body = {"ghRepository": "ada/my-notes", "ghBranch": "main", "installationId": link, **more}
    return await ask(guest, "POST", "/api/sites/github", body, **guest.bearer)


async def paths(inside: Inside, site: str) -> list[str]:
    """The files that a site has by now."""
    found = await inside.app[SITES].by_id(site)
    if found is None:
        return []
    files = (await inside.app[SITES].listing(found)).files
    return sorted(path for path, file in files.items() if file.status == "SUCCESS")


async def become(inside: Inside, site: str, wanted: list[str]) -> None:
    """Wait until a site has these files and no others."""

    async def holds() -> bool:
        return await paths(inside, site) == wanted

    await until(holds)


async def test_the_app_is_installed_by_somebody_who_comes_back_with_a_state(
    ada: Guest, hub: Hub
) -> None:
    """Every page of repositories is read; ids are text."""
    hub.install(1, "ada", "ada/my-notes", *(f"ada/r{number}" for number in range(120)))
    browser = await Browser.of(ada)
    url = await browser.ask("POST", f"{API}/installation-url", {"suggestedTargetId": "7"})
    parts = urlsplit(url["url"])
    _, row = await linked(ada, 1)

    assert url["url"].startswith("https://github.example/apps/plait-sites/installations/new?")
    assert parse_qs(parts.query) == {"state": [url["state"]], "suggested_target_id": ["7"]}
    assert (row["installationId"], row["accountLogin"], row["accountType"]) == ("1", "ada", "User")
    assert len(row["repositories"]) == 121
    assert isinstance(row["repositories"][0]["repositoryId"], str)


async def test_a_callback_without_what_it_takes_links_nothing(
    ada: Guest, bob: Guest, hub: Hub
) -> None:
    """No number, no state, another's installation that was made long ago, none at GitHub."""
    hub.install(2, "victim", "victim/secret")
    hub.installations[2]["updated_at"] = "2020-01-01T00:00:00Z"
    browser = await Browser.of(bob)
    state = (await browser.ask("POST", f"{API}/installation-url"))["state"]
    words = [
        parse_qs(urlsplit(await callback(ada, **query)).query)["error"][0]
        for query in (
            {"state": state},
            {"installation_id": "2"},
            {"installation_id": "2", "state": "x"},
            {"installation_id": "2", "state": state},
            {"installation_id": "99", "state": state},
        )
    ]
    listed = await browser.ask("GET", f"{API}/installations")

    assert words == [
        "missing_installation_id", "invalid_state", "invalid_state", "callback_failed",
        "callback_failed",
    ]  # fmt: skip
    assert listed["installations"] == []


async def test_a_branch_is_published_and_followed(ada: Guest, inside: Inside, hub: Hub) -> None:
    """Below its folder; a push brings what is new and takes away what is gone."""
    hub.install(3, "ada", "ada/my-notes")
    hub.branches["ada/my-notes", "main"] = FILES
    _, row = await linked(ada, 3)
    made = await follow(ada, row["id"], rootDir="/notes/")
    again = await follow(ada, row["id"], projectName="My Notes")
    site = made["site"]["id"]
    await become(inside, site, ["index.md"])
    hub.branches["ada/my-notes", "main"] = {"notes/new.md": b"new"}
    data, headers = event(
        "push",
        {
            "ref": "refs/heads/main",
            "installation": {"id": 3},
            "repository": {"full_name": "Ada/My-Notes"},
        },
    )
    async with ada.http.post("/api/webhooks/github-app", data=data, headers=headers) as heard:
        assert (heard.status, await heard.json()) == (200, {"success": True})
    await become(inside, site, ["new.md"])
    detail = await ask(ada, "GET", f"/api/sites/id/{site}", **ada.bearer)

    assert made.status == 201
    assert (made["site"]["projectName"], again["site"]["projectName"]) == ("my-notes", "my-notes-2")
    assert (made["site"]["autoSync"], made["site"]["rootDir"]) == (True, "notes")
    assert detail["site"]["ghRepository"] == "ada/my-notes"


async def test_what_the_sites_own_settings_exclude_is_not_fetched(
    ada: Guest, inside: Inside, hub: Hub
) -> None:
    """ContentExclude of its config.json."""
    hub.install(4, "ada", "ada/my-notes")
    hub.branches["ada/my-notes", "draft"] = {
        "config.json": b'{"contentExclude": ["private"]}',
        "a.md": b"a",
        "private/b.md": b"b",
    }
    _, row = await linked(ada, 4)
    made = await follow(ada, row["id"], ghBranch="draft")
    await become(inside, made["site"]["id"], ["a.md", "config.json"])


@pytest.mark.parametrize(
    ("change", "status", "word"),
    [
        ({"ghRepository": ""}, 400, "invalid_request"),
        ({"ghBranch": None}, 400, "invalid_request"),
        ({"installationId": ""}, 400, "invalid_request"),
        ({"ghRepository": "../etc"}, 400, "invalid_request"),
        ({"rootDir": "../x"}, 400, "invalid_request"),
        ({"ghBranch": "none"}, 400, "branch_not_found"),
        ({"ghRepository": "ada/unknown"}, 400, "branch_not_found"),
        ({"installationId": "inst_x"}, 404, "installation_not_found"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_what_cannot_be_followed_is_refused(
    ada: Guest, hub: Hub, change: dict[str, Any], status: int, word: str
) -> None:
    """Each with its word."""
    hub.install(5, "ada", "ada/my-notes")
    hub.branches["ada/my-notes", "main"] = FILES
    _, row = await linked(ada, 5)
    answer = await follow(ada, row["id"], **change)

    assert (answer.status, answer["error"]) == (status, word)


async def test_a_foreign_installation_gets_no_token(ada: Guest, bob: Guest, hub: Hub) -> None:
    """GitHub is not even asked."""
    hub.install(6, "ada", "ada/my-notes")
    _, row = await linked(ada, 6)
    browser = await with_username(bob)
    hub.asked.clear()
    followed = await follow(bob, row["id"])
    synced = await browser.ask("POST", f"{API}/sync-repositories", {"installationId": row["id"]})
    removed = await browser.ask("DELETE", f"{API}/installations/{row['id']}")

    assert (followed.status, synced.status, removed.status) == (404, 404, 403)
    assert hub.asked == []


async def test_repositories_are_read_again_and_links_forgotten(ada: Guest, hub: Hub) -> None:
    """By GitHub's number or our id."""
    hub.install(7, "ada", "ada/one")
    browser, row = await linked(ada, 7)
    hub.repositories[7].append("ada/two")
    counts = [
        (await browser.ask("POST", f"{API}/sync-repositories", {"installationId": each})).body
        for each in ("7", row["id"])
    ]
    missing = await browser.ask("POST", f"{API}/sync-repositories", {})
    bearer = await ask(ada, "GET", f"{API}/installations", **ada.bearer)
    removed = await browser.ask("DELETE", f"{API}/installations/{row['id']}")
    again = await browser.ask("DELETE", f"{API}/installations/{row['id']}")

    assert counts == [{"success": True, "repositoriesCount": 2}] * 2
    assert (missing.status, missing["error"]) == (400, "invalid_request")
    assert bearer.status == 401
    assert removed.body == {"success": True, "message": "Installation deleted"}
    assert again.status == 404


async def test_events_need_their_signature(ada: Guest) -> None:
    """Of the right secret, over these bytes, of the newer kind."""
    data, headers = event("ping", {})
    wrong = event("ping", {}, "other")[1]
    statuses = []
    for body, shown in (
        (data, {}),
        (data, wrong),
        (data + b" ", headers),
        (data, {"X-Hub-Signature": "sha1=00"}),
        (data, headers),
    ):
        async with ada.http.post("/api/webhooks/github-app", data=body, headers=shown) as answer:
            statuses.append(answer.status)

    assert statuses == [401, 401, 401, 401, 200]


async def test_what_happens_to_an_installation_is_taken_in(
    ada: Guest, inside: Inside, hub: Hub
) -> None:
    """Repositories that go, suspension, and the end of it."""
    hub.install(8, "ada", "ada/my-notes")
    hub.branches["ada/my-notes", "main"] = FILES
    browser, row = await linked(ada, 8)
    made = await follow(ada, row["id"])
    site = made["site"]["id"]

    async def tell(kind: str, **body: Any) -> list[dict[str, Any]]:
        data, headers = event(kind, {"installation": {"id": 8}, **body})
        async with ada.http.post("/api/webhooks/github-app", data=data, headers=headers) as answer:
            assert answer.status == 200
        return list((await browser.ask("GET", f"{API}/installations"))["installations"])

    added = {"id": 9, "name": "new", "full_name": "ada/new", "private": False}
    with_new = await tell("installation_repositories", repositories_added=[added])
    gone = {**row["repositories"][0], "id": int(row["repositories"][0]["repositoryId"])}
    named = {"id": gone["id"], "name": "my-notes", "full_name": "ada/my-notes", "private": True}
    without = await tell("installation_repositories", repositories_removed=[named])
    found = await inside.app[SITES].by_id(site)
    asleep = await tell("installation", action="suspend")
    awake = await tell("installation", action="unsuspend")
    ended = await tell("installation", action="deleted")

    assert [each["fullName"] for each in with_new[0]["repositories"]] == ["ada/my-notes", "ada/new"]
    assert [each["fullName"] for each in without[0]["repositories"]] == ["ada/new"]
    assert found is not None
    assert (found.auto_sync, found.gh_installation) == (False, None)
    assert asleep[0]["suspendedAt"]
    assert awake[0]["suspendedAt"] is None
    assert ended == []


async def test_a_github_that_fails_is_told_of(ada: Guest, hub: Hub) -> None:
    """And is no fault of this server."""
    hub.install(10, "ada", "ada/my-notes")
    browser, row = await linked(ada, 10)
    hub.broken = True
    try:
        answer = await browser.ask(
            "POST", f"{API}/sync-repositories", {"installationId": row["id"]}
        )
    finally:
        hub.broken = False

    assert (answer.status, answer["error"]) == (502, "github_error")


async def test_without_an_app_everything_says_so(serve: Serve) -> None:
    """In the shape of every other error."""
    inside = await serve()
    async with inside.visitor() as guest:
        browser = await with_username(guest)
        answers = [
            await follow(guest, "inst_x"),
            await browser.ask("POST", f"{API}/installation-url", {}),
            await browser.ask("POST", f"{API}/sync-repositories", {"installationId": "1"}),
            await ask(
                guest, "POST", "/api/webhooks/github-app", {}, **{"X-Hub-Signature-256": "sha256=0"}
            ),
        ]
        listed = await browser.ask("GET", f"{API}/installations")
        where = await callback(guest, installation_id="1", state="x")

    assert [(answer.status, answer["error"]) for answer in answers] == [(501, "not_configured")] * 4
    assert all(answer["message"] for answer in answers)
    assert listed.body == {"installations": []}
    assert where.endswith("/sites?error=invalid_state")
