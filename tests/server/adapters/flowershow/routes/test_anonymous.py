"""Publishing without an account, and claiming what was published."""

import uuid
from typing import Any

import pytest

from server.identity import IDENTITY
from server.sites.catalogue import SITES
from tests.inside import Guest, Inside
from tests.server.adapters.flowershow.tools import Answer, Browser, ask, sha256, with_username
from tests.server.realtime.conftest import Serve

pytestmark = pytest.mark.asyncio(loop_scope="module")

PUBLISH, CLAIM = "/api/sites/publish-anon", "/api/sites/claim"
NOTE = b"# Hello"


def body(*names: str, **more: Any) -> dict[str, Any]:
    """What a browser sends."""
    files = [{"fileName": name, "fileSize": len(NOTE), "sha": sha256(NOTE)} for name in names]
    return {"anonymousUserId": str(uuid.uuid4()), "files": files, **more}


async def published(guest: Guest) -> Answer:
    """A site of one note, with its bytes."""
    made = await ask(guest, "POST", PUBLISH, body("index.md"))
    assert made.status == 200, made.body
    async with guest.http.put(made["files"][0]["uploadUrl"], data=NOTE) as response:
        assert response.status == 200
    return made


async def test_a_note_is_published_and_claimed_once(ada: Guest, bob: Guest, inside: Inside) -> None:
    """By whoever has its token; then it is a site like any other, its text opens for its owner."""
    made = await published(ada)
    browser, other = await with_username(ada), await with_username(bob)
    claim = {"siteId": made["siteId"], "ownershipToken": made["ownershipToken"]}
    look_up = await ask(bob, "GET", f"/api/sites/anon/{made['projectName']}")
    claimed = await browser.ask("POST", CLAIM, claim)
    again = await other.ask("POST", CLAIM, claim)
    site = await inside.app[SITES].by_id(made["siteId"])
    gone = await ask(bob, "GET", f"/api/sites/anon/{made['projectName']}")
    assert site is not None
    editor = await ada.y(f"{site.scope}:index.md")
    await editor.sync()

    assert set(made["files"][0]) == {"fileName", "uploadUrl"}
    assert made["liveUrl"] == f"{ada.url}/anon/{made['projectName']}"
    assert look_up["site"]["id"] == made["siteId"]
    assert claimed.body == {
        "success": True,
        "site": {
            "id": made["siteId"], "projectName": made["projectName"], "userId": ada.account
        },
    }  # fmt: skip
    assert (again.status, again["success"]) == (400, False)
    assert gone.status == 404
    assert site.expires_at is None
    assert str(editor.replica.doc.get("content_v0", type=type(editor.replica._text))) == "# Hello"


async def test_a_name_that_is_taken_gets_a_number(ada: Guest, inside: Inside) -> None:
    """So nothing of the claimer's is replaced."""
    made = await published(ada)
    browser = await with_username(ada)
    bearer = ada.bearer
    await ask(ada, "POST", "/api/sites", {"projectName": made["projectName"]}, **bearer)
    claim = {"siteId": made["siteId"], "ownershipToken": made["ownershipToken"]}
    claimed = await browser.ask("POST", CLAIM, claim)

    assert claimed["site"]["projectName"] == f"{made['projectName']}-2"


async def test_claims_are_refused_in_order(ada: Guest, bob: Guest) -> None:
    """Nobody, too little said, no such site, a token of another site."""
    made, other = await published(ada), await published(bob)
    browser = await with_username(ada)
    claim = {"siteId": made["siteId"], "ownershipToken": made["ownershipToken"]}
    nobody = await ask(ada, "POST", CLAIM, claim, **ada.bearer)
    answers = [
        await browser.ask("POST", CLAIM, each)
        for each in (
            {},
            {"siteId": made["siteId"]},
            claim | {"siteId": "site_x"},
            claim | {"ownershipToken": "x"},
            claim | {"ownershipToken": other["ownershipToken"]},
        )
    ]

    assert nobody.status == 401
    assert [answer.status for answer in answers] == [400, 400, 404, 403, 403]
    assert all(answer["success"] is False and answer["message"] for answer in answers)


@pytest.mark.parametrize(
    "bad",
    [
        {},
        body("a.md") | {"anonymousUserId": "no"},
        body("a.md") | {"anonymousUserId": str(uuid.uuid1())},
        body(),
        body(*(f"{number}.md" for number in range(6))),
        body("a.png"),
        body("a.md", "noext"),
        body("a.md", "../b.md"),
        body("a.md", "a.md"),
        {"anonymousUserId": str(uuid.uuid4()), "files": [{"fileName": "a.md", "fileSize": 1}]},
        {
            "anonymousUserId": str(uuid.uuid4()),
            "files": [{"fileName": "a.md", "fileSize": 0, "sha": "x"}],
        },
    ],
    ids=[
        "nothing", "no uuid", "other uuid", "no file", "six", "no note", "no extension", "outside",
        "twice", "no sha", "empty",
    ],
)  # fmt: skip
async def test_what_cannot_be_published_is_refused(ada: Guest, bad: Any) -> None:
    """With 400."""
    answer = await ask(ada, "POST", PUBLISH, bad)

    assert (answer.status, answer["error"]) == (400, "invalid_request")


async def test_an_address_publishes_ten_times_an_hour(serve: Serve) -> None:
    """Then it is told when to come back."""
    inside = await serve()
    async with inside.visitor() as guest:
        statuses = []
        for _ in range(11):
            answer = await ask(guest, "POST", PUBLISH, body("a.md"))
            statuses.append(answer.status)

    assert statuses == [200] * 10 + [429]
    assert answer["error"] == "rate_limited"
    assert int(answer.headers["Retry-After"]) > 60


async def test_an_expired_site_is_gone(ada: Guest, inside: Inside) -> None:
    """From that moment on, and for claims too."""
    made = await published(ada)
    await inside.pool.execute(
        "UPDATE sites SET expires_at = now() - interval '1 second' WHERE id = $1", made["siteId"]
    )
    browser = await Browser.of(ada)
    claim = {"siteId": made["siteId"], "ownershipToken": made["ownershipToken"]}

    assert (await ask(ada, "GET", f"/api/sites/id/{made['siteId']}/status")).status == 404
    assert (await browser.ask("POST", CLAIM, claim)).status == 404
    assert inside.app[IDENTITY] is not None
