"""Every route of the page, sentence by sentence, and the rules of merging."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from server.adapters.ascently import instants
from tests.inside import Guest, Inside
from tests.patience import PATIENCE_S
from tests.server.adapters.ascently.conftest import ada, bob, inside, phone, serve
from tests.server.adapters.ascently.phone import LISTS, Phone, at, gone, item

__all__ = ["ada", "bob", "inside", "phone", "serve"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

LONG_AGO = "2020-01-01T00:00:00.000Z"
ROUTES = (
    ("GET", "/health"),
    ("GET", "/sync"),
    ("POST", "/sync"),
    ("PUT", "/sync"),
    ("POST", "/sync/delta"),
    ("POST", "/images/upload?filename=a.jpg"),
    ("GET", "/images/download?filename=a.jpg"),
)


async def test_health_says_ok_and_the_version(phone: Phone) -> None:
    """As the page has it."""
    status, body = await phone.get("/health")

    assert (status, json.loads(body)) == (200, {"status": "ok", "version": "2.0.0"})


async def test_without_a_token_everything_is_401(inside: Inside, ada: Guest) -> None:
    """Before 400, 404, 405 and 413; an access token is none of these routes' tokens."""
    bad = [(method, path) for method, path in ROUTES]
    bad += [("DELETE", "/sync"), ("GET", "/sync/delta"), ("PATCH", "/images/upload")]
    bad += [("POST", "/images/upload"), ("GET", "/images/download?filename=../x")]
    for token in ("", "nonsense", "ascently_pat_" + "A" * 43, ada.token):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        for method, path in bad:
            async with ada.http.request(method, path, headers=headers, data=b"{") as response:
                assert response.status == 401, (method, path)
                assert response.headers["WWW-Authenticate"] == "Bearer"
                assert await response.json() == {"error": "Unauthorized"}


async def test_other_methods_are_405_for_those_who_may_come(phone: Phone) -> None:
    """The scheme's word is of any case."""
    headers = {"Authorization": f"bEARER {phone.token}"}
    for method, path in (("DELETE", "/sync"), ("GET", "/sync/delta"), ("GET", "/images/upload")):
        async with phone.http.request(method, path, headers=headers) as response:
            assert response.status == 405
            assert set(await response.json()) == {"error"}


async def test_a_token_opens_these_routes_and_nothing_else(ada: Guest, phone: Phone) -> None:
    """And one of another API does not open these."""
    for path in ("/api/me", "/api/heap/add", "/api/sync/push"):
        status, _, _ = await phone.post(path, json={})
        assert status in {401, 403, 404}, path
    async with await Phone.of(ada, "heaps:write") as other:
        assert (await other.get("/health"))[0] == 401
    async with await Phone.of(ada, "ascently:read") as reader:
        assert (await reader.get("/health"))[0] == 200
        assert (await reader.post("/sync", json={}))[0] == 403


async def test_a_revoked_token_is_401(ada: Guest, phone: Phone) -> None:
    """Within the two seconds that every revocation takes."""
    async with ada.http.delete(
        "/api/access-tokens", headers=ada.bearer, json={"all": True}
    ) as response:
        assert response.status == 200, await response.text()
    async with asyncio.timeout(PATIENCE_S):
        while (await phone.get("/health"))[0] != 401:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_nothing_was_ever_uploaded_is_404_and_empty_is_not(phone: Phone) -> None:
    """After an upload of nothing there are empty lists, never null."""
    status, body = await phone.get("/sync")
    await phone.upload()
    whole = await phone.whole()

    assert (status, set(json.loads(body))) == (404, {"error"})
    assert [whole.pop(name) for name in (*LISTS, "deletedItems")] == [[]] * 5
    assert whole.pop("exportedAt").endswith("Z")
    assert whole == {"version": "2.0", "formatVersion": "2.0"}


async def test_an_upload_comes_back_as_it_was(phone: Phone) -> None:
    """Unknown keys of the dataset and of items too, numbers and nulls as they were written."""
    dataset = {
        "exportedAt": "2024-01-15T10:30:00.000Z",
        "version": "2.1",
        "formatVersion": "3.0",
        "gyms": [item("g", extra={"a": [1, 2.0, None, 10**20], "ü": "\u2028"})],
        "problems": [item("p", imagePaths=["problem_p_0.jpg"])],
        "sessions": [item("s", status="completed")],
        "attempts": [item("a", sessionId="s")],
        "deletedItems": [gone("x") | {"why": "moved"}],
        "device": {"name": "phone"},
    }
    await phone.upload(**dataset)

    assert await phone.whole() == dataset


async def test_an_upload_replaces_everything(phone: Phone) -> None:
    """By older items too; old tombstones go, and what is absent is gone without one."""
    await phone.upload(gyms=[item("a", 5), item("b")], deletedItems=[gone("c")], extra=1)
    status, answer, _ = await phone.post("/sync", json={"gyms": [item("a", 1)]})
    whole = await phone.whole()
    async with phone.http.put(
        "/sync", headers=phone.bearer, json={"problems": [item("p")]}
    ) as response:
        assert response.status == 200

    assert (status, answer) == (200, {"status": "ok"})
    assert whole["gyms"] == [item("a", 1)]
    assert whole["deletedItems"] == []
    assert "extra" not in whole
    assert (await phone.ids("problems"), await phone.ids()) == (["p"], [])


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        "null",
        '{"gyms": {}}',
        '{"gyms": [1]}',
        '{"gyms": [{}]}',
        '{"gyms": [{"id": 5}]}',
        '{"gyms": [{"id": ""}]}',
        '{"gyms": [{"id": "a\\u0000"}]}',
        '{"gyms": [{"id": "' + "x" * 201 + '"}]}',
        '{"gyms": [{"id": "a", "updatedAt": "yesterday"}]}',
        '{"gyms": [{"id": "a", "updatedAt": 5}]}',
        '{"gyms": [{"id": "a", "x": "\\ud800"}]}',
        '{"gyms": [{"id": "a", "x": "\\q"}]}',
        '{"deletedItems": [{"type": "gym"}]}',
        '{"deletedItems": [{"id": "a", "type": "gym", "deletedAt": "x"}]}',
        '{"gyms": ' + "[" * 20_000,
    ],
    ids=lambda body: body[:40],
)
async def test_a_bad_body_is_400_and_changes_nothing(phone: Phone, body: str) -> None:
    """Whole or delta alike."""
    await phone.upload(gyms=[item("before")])
    for path in ("/sync", "/sync/delta"):
        status, answer, _ = await phone.post(path, data=body)
        assert status == 400
        assert set(answer) == {"error"}

    assert await phone.ids() == ["before"]


async def test_a_delta_needs_no_dataset(phone: Phone) -> None:
    """It makes one; without a cursor everything is news."""
    answer = await phone.delta(gyms=[item("a")])

    assert set(answer) == {"serverTime", *LISTS, "deletedItems"}
    assert answer["gyms"] == [item("a")]
    assert await phone.ids() == ["a"]


@pytest.mark.parametrize("since", [None, ""])
async def test_no_cursor_is_the_beginning(phone: Phone, since: str | None) -> None:
    """Whatever the items' times."""
    await phone.upload(gyms=[{"id": "a"}, {"id": "b", "updatedAt": "1950-01-01"}])
    status, answer, _ = await phone.post("/sync/delta", json={"lastSyncTime": since})

    assert status == 200
    assert sorted(each["id"] for each in answer["gyms"]) == ["a", "b"]


async def test_a_cursor_that_is_no_time_is_400(phone: Phone) -> None:
    """And nothing is merged."""
    status, _, _ = await phone.post(
        "/sync/delta", json={"lastSyncTime": "now", "gyms": [item("a")]}
    )

    assert status == 400
    assert (await phone.get("/sync"))[0] == 404


async def test_what_is_not_later_than_a_cursor_of_before_the_dataset_does_not_come(
    phone: Phone,
) -> None:
    """Items of January and a cursor of February, which this server never gave out."""
    await phone.upload(
        gyms=[item("old", -100_000), item("new", 1)], deletedItems=[gone("x", -100_000)]
    )
    answer = await phone.delta(at(0))

    assert [each["id"] for each in answer["gyms"]] == ["new"]
    assert answer["deletedItems"] == []


async def test_what_came_after_the_cursor_is_news_however_old_it_says_it_is(phone: Phone) -> None:
    """A phone that was offline uploads what the tablet would else never see."""
    await phone.upload(gyms=[item("a")])
    tablet = (await phone.delta())["serverTime"]
    await phone.delta(LONG_AGO, gyms=[item("late", -500)], deletedItems=[gone("x", -500)])
    answer = await phone.delta(tablet)
    again = await phone.delta(answer["serverTime"])

    assert [each["id"] for each in answer["gyms"]] == ["late"]
    assert [each["id"] for each in answer["deletedItems"]] == ["x"]
    assert [again[name] for name in (*LISTS, "deletedItems")] == [[]] * 5


async def test_an_upload_counts_as_received_where_it_changed_something(phone: Phone) -> None:
    """What was the same before is no news to the other device."""
    await phone.upload(gyms=[item("same"), item("other")])
    cursor = (await phone.delta())["serverTime"]
    await phone.upload(gyms=[item("same"), item("other", -5)])
    answer = await phone.delta(cursor)

    assert [each["id"] for each in answer["gyms"]] == ["other"]


async def test_a_client_that_goes_by_its_own_clock_after_an_upload_gets_nothing_twice(
    phone: Phone,
) -> None:
    """The upload's answer has no serverTime."""
    await phone.upload(attempts=[item(f"a{n}") for n in range(2000)])
    now = instants.compose(await _now_ms(phone))
    answer = await phone.delta(now)

    assert answer["attempts"] == []


async def _now_ms(phone: Phone) -> int:
    answer = await phone.delta(at(10**7))
    return instants.parse(answer["serverTime"]) // 1_000_000


async def test_server_times_increase_whatever_comes_at_once(phone: Phone) -> None:
    """Strictly, with three digits and Z."""
    answers = await asyncio.gather(*(phone.delta(at(10**7)) for _ in range(20)))
    times = [answer["serverTime"] for answer in answers]

    assert len(set(times)) == 20
    assert all(len(time) == 24 and time.endswith("Z") for time in times)
    assert (await phone.delta(at(10**7)))["serverTime"] > max(times)


async def test_deltas_at_once_lose_nothing_between_two_cursors(phone: Phone) -> None:
    """A device that only follows its cursor sees all that others sent."""
    seen: set[str] = set()
    cursor = (await phone.delta())["serverTime"]

    async def send(number: int) -> None:
        await phone.delta(LONG_AGO, attempts=[item(f"a{number}", -number)])

    for start in range(0, 40, 10):
        sending = asyncio.gather(*(send(number) for number in range(start, start + 10)))
        while not sending.done():
            answer = await phone.delta(cursor)
            cursor = answer["serverTime"]
            seen |= {each["id"] for each in answer["attempts"]}
        await sending
    seen |= {each["id"] for each in (await phone.delta(cursor))["attempts"]}

    assert seen == {f"a{number}" for number in range(40)}


async def test_sessions_that_are_being_climbed_are_neither_kept_nor_told(phone: Phone) -> None:
    """In no request; one that was completed stays what it was."""
    active = item("s", 5, status="active")
    await phone.upload(sessions=[active, item("done", status="completed")])
    answer = await phone.delta(sessions=[active, item("done", 9, status="ACTIVE")])
    whole = await phone.whole()

    assert whole["sessions"] == answer["sessions"] == [item("done", status="completed")]


async def test_attempts_wait_for_their_session(phone: Phone) -> None:
    """Sent with it while it is climbed, they are told once it is completed."""
    cursor = (await phone.delta())["serverTime"]
    attempts = [item("a", sessionId="s"), item("b", sessionId="s"), item("c", sessionId="t")]
    await phone.delta(
        LONG_AGO,
        sessions=[item("s", status="active"), item("t", status="completed")],
        attempts=attempts,
    )
    before = await phone.delta(cursor)
    hidden = await phone.ids("attempts")
    await phone.delta(LONG_AGO, deletedItems=[gone("b", 1, "attempt")])
    await phone.delta(LONG_AGO, sessions=[item("s", 1, status="completed")])
    after = await phone.delta(before["serverTime"])

    assert [each["id"] for each in before["attempts"]] == hidden == ["c"]
    assert [each["id"] for each in after["attempts"]] == ["a"]
    assert await phone.ids("attempts") == ["a", "c"]


async def test_an_upload_holds_attempts_back_too(phone: Phone) -> None:
    """And forgets those of before."""
    await phone.delta(sessions=[item("s", status="active")], attempts=[item("a", sessionId="s")])
    await phone.upload(sessions=[item("t", status="active")], attempts=[item("b", sessionId="t")])
    hidden = await phone.ids("attempts")
    await phone.delta(sessions=[item(name, 1, status="completed") for name in "st"])

    assert (hidden, await phone.ids("attempts")) == ([], ["b"])


async def test_the_time_of_export_is_the_uploads_then_that_of_the_last_change(
    phone: Phone,
) -> None:
    """A delta that changes nothing does not move it."""
    await phone.upload(gyms=[item("a")], exportedAt=LONG_AGO)
    await phone.delta(gyms=[item("a"), item("a", -1)])
    unmoved = (await phone.whole())["exportedAt"]
    await phone.delta(gyms=[item("a", 1)])

    assert unmoved == LONG_AGO
    assert (await phone.whole())["exportedAt"] > LONG_AGO


async def test_climbers_do_not_meet(phone: Phone, bob: Guest) -> None:
    """Neither in their datasets nor in their images."""
    await phone.upload(gyms=[item("a")])
    await phone.post("/images/upload?filename=a.jpg", data=b"\xff\xd8\xffada")
    async with await Phone.of(bob) as other:
        empty, _ = await other.get("/sync")
        image, _ = await other.get("/images/download?filename=a.jpg")
        await other.delta(gyms=[item("b")], deletedItems=[gone("a", 9)])
        await other.post("/images/upload?filename=a.jpg", data=b"\xff\xd8\xffbob")
        assert await other.ids() == ["b"]

    assert (empty, image) == (404, 404)
    assert await phone.ids() == ["a"]
    assert (await phone.get("/images/download?filename=a.jpg"))[1] == b"\xff\xd8\xffada"


async def test_the_first_of_many_at_once_makes_the_dataset(inside: Inside, phone: Phone) -> None:
    """And the others find it."""
    await asyncio.gather(*(phone.delta(gyms=[item(f"g{n}")]) for n in range(10)))

    assert len(await phone.ids()) == 10
    assert len({(await phone.whole())["version"] for _ in range(2)}) == 1


async def test_two_devices_of_one_climber_share_the_dataset(ada: Guest, phone: Phone) -> None:
    """Each with a token of its own."""
    async with await Phone.of(ada) as tablet:
        await phone.delta(gyms=[item("a")])
        answer = await tablet.delta()

    assert [each["id"] for each in answer["gyms"]] == ["a"]


async def test_a_dataset_is_no_workspace(inside: Inside, ada: Guest, phone: Phone) -> None:
    """It is in no list of them, and nothing can be done to it as to one."""
    await phone.upload()
    found = await inside.pool.fetch("SELECT id, kind FROM scopes WHERE owner = $1", ada.account)
    (scope,) = [row["id"] for row in found if row["kind"] == "ascently"]
    _, me, _ = await ada.post("/api/me")
    async with ada.http.delete(f"/api/heap/{scope}", headers=ada.bearer) as answer:
        assert answer.status in {403, 404}

    assert scope not in json.dumps(me)
    assert (await phone.get("/sync"))[0] == 200


async def test_bounds_are_413_and_change_nothing(serve: Any) -> None:
    """Of one body, and of a dataset; deletions always fit."""
    server = await serve(ascently_body_bytes_max=20_000, ascently_dataset_bytes_max=30_000)
    async with server.visitor() as guest, await Phone.of(guest) as phone:
        large, _, _ = await phone.post("/sync", json={"gyms": [item("x", text="x" * 20_000)]})
        for name in "ab":
            await phone.delta(gyms=[item(name, text="x" * 12_000)])
        full, answer, _ = await phone.post(
            "/sync/delta", json={"gyms": [item("c", text="x" * 12_000)]}
        )
        ids = await phone.ids()

    assert (large, full) == (413, 413)
    assert set(answer) == {"error"}
    assert ids == ["a", "b"]


async def test_switched_off_its_paths_are_not_there(serve: Any) -> None:
    """As if they had never been, and its neighbours answer."""
    server = await serve(adapters_off=("ascently",))
    async with server.visitor() as guest:
        status, body = await guest.get("/sync")
        other, _ = await guest.get("/sync/health")

    assert (status, other) == (404, 200)
    assert json.loads(body)["error"] == "not_found"
