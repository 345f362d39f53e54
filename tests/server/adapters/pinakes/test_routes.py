"""The 17 operations as the page has them: statuses, both addresses, devices, cursors, ranges."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.inside import Guest, Inside
from tests.server.adapters.pinakes.machine import Machine, changed, deleted, digest
from tests.server.realtime.conftest import Serve

pytestmark = pytest.mark.asyncio(loop_scope="module")

ONE, TWO = b"\xff one", b"\xff two"
DATA = bytes(range(256)) * 4

OPERATIONS = (
    ("POST", "/devices"),
    ("GET", "/devices"),
    ("GET", "/devices/{id}"),
    ("PUT", "/devices/{id}"),
    ("DELETE", "/devices/{id}"),
    ("POST", "/devices/{id}/token"),
    ("GET", "/changes"),
    ("POST", "/report"),
    ("POST", "/ack"),
    ("GET", "/conflicts"),
    ("POST", "/conflicts/{id}/resolve"),
    ("POST", "/upload"),
    ("GET", "/upload/{id}"),
    ("DELETE", "/upload/{id}"),
    ("PUT", "/upload/{id}/chunks/{index}"),
    ("POST", "/upload/{id}/complete"),
    ("GET", "/download/{path}"),
)


@pytest.mark.parametrize("prefix", ["/api/v1/sync", "/api/sync"])
@pytest.mark.parametrize("operation", OPERATIONS, ids=" ".join)
async def test_every_operation_needs_an_access_token(
    inside: Inside, ada: Guest, prefix: str, operation: tuple[str, str]
) -> None:
    """Whatever the body is; a device's token alone, a query and a cookie open nothing."""
    method, path = operation
    place = prefix + path.replace("{id}", str(uuid4())).replace("{index}", "0")
    place = place.replace("{path}", "a/b.txt")
    async with Machine(inside.url, "none") as nobody, await Machine.of(ada, "x") as hers:
        for headers in (
            {"Authorization": "Bearer a.b.c"},
            {"Authorization": "", "X-Device-Token": hers.device_token},
            {"Authorization": f"Bearer {hers.device_token}"},
            {"Authorization": "", "Cookie": f"next-auth.session-token={ada.token}"},
        ):
            status, answer, said = await nobody.ask(method, place, headers=headers, data=b"{bad")
            assert (status, set(answer)) == (401, {"error", "message"}), answer
            assert said["WWW-Authenticate"] == "Bearer"
        by_query = await nobody.ask(method, f"{place}?token={ada.token}", data=b"{bad")
        assert by_query[0] == 401


async def test_the_description_names_every_operation(ada: Guest) -> None:
    """At the address that the page points to, under both prefixes."""
    _, body = await ada.get("/docs/api/openapi.json")
    _, same = await ada.get("/api/openapi.json")
    import json  # noqa: PLC0415

    paths = json.loads(body)["paths"]

    assert body == same
    for prefix in ("/api/v1/sync", "/api/sync"):
        for method, path in OPERATIONS:
            assert method.lower() in paths[prefix + path], path


# --- devices -------------------------------------------------------------------------------------


async def test_the_life_of_a_device(ada: Guest, desk: Machine) -> None:
    """Registered, listed, changed, forgotten; its token is shown once and never again."""
    body = {"name": "phone", "device_type": "mobile", "client_version": "1", "os_info": "x"}
    status, made, headers = await desk.ask("POST", "/devices", json=body)
    device = made["device"]
    place = f"/devices/{device['id']}"
    _, listed, _ = await desk.ask("GET", "/devices")
    changed_to = await desk.ask("PUT", place, json={"name": "p2", "os_info": None, "more": 1})
    found = await desk.ask("GET", place)
    gone = await desk.ask("DELETE", place)

    assert (status, headers["Cache-Control"]) == (200, "no-store")
    assert {name: device[name] for name in body} == body
    assert (device["enabled"], device["sync_cursor"], device["last_sync_at"]) == (True, 0, None)
    assert [one["id"] for one in listed] == [desk.device, device["id"]]
    assert "token" not in str(listed)
    assert (changed_to[0], changed_to[1]["name"], changed_to[1]["os_info"]) == (200, "p2", None)
    assert found[1] == changed_to[1]
    assert (gone[0], gone[1]) == (204, b"")
    assert (await desk.ask("GET", place))[0] == 404
    assert (await desk.ask("DELETE", place))[0] == 404


async def test_devices_of_others_are_403_and_none_at_all_404(bob: Guest, desk: Machine) -> None:
    """On each of the four operations that name one."""
    async with await Machine.of(bob, "his") as his:
        for device, expected in ((desk.device, 403), (str(uuid4()), 404), ("x", 404)):
            for method, path in (
                ("GET", f"/devices/{device}"),
                ("PUT", f"/devices/{device}"),
                ("DELETE", f"/devices/{device}"),
                ("POST", f"/devices/{device}/token"),
            ):
                status, answer, _ = await his.ask(method, path, json={"name": "x"})
                assert (status, set(answer)) == (expected, {"error", "message"}), (method, device)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "  "},
        {"name": "x" * 101},
        {"name": "a\0b"},
        {"name": 1},
        {"name": "x", "device_type": "toaster"},
        {"name": "x", "os_info": ["y"]},
        [],
        "text",
    ],
    ids=str,
)
async def test_what_is_no_device_is_400(desk: Machine, body: Any) -> None:
    """Each field is looked at; what is no JSON object, too."""
    registered = await desk.ask("POST", "/devices", json=body)
    malformed = await desk.ask("POST", "/devices", data=b"{")

    assert registered[0] == malformed[0] == 400
    if isinstance(body, dict) and body:
        assert (await desk.ask("PUT", f"/devices/{desk.device}", json=body))[0] == 400


async def test_an_account_has_a_bounded_number_of_devices(serve: Serve) -> None:
    """The next one is refused, until one is deleted."""
    inside = await serve(pinakes_devices_max=1)
    async with inside.visitor() as guest, await Machine.of(guest, "first") as first:
        full = await first.ask("POST", "/devices", json={"name": "second"})
        await first.ask("DELETE", f"/devices/{first.device}")
        first.device_token = ""
        room = await first.ask("POST", "/devices", json={"name": "second"})

        assert (full[0], full[1]["error"]) == (400, "too_many_devices")
        assert room[0] == 200


async def test_a_new_token_ends_the_old_one(desk: Machine) -> None:
    """At once, and so does deleting the device; no body is needed."""
    old = desk.device_token
    status, answer, _ = await desk.ask("POST", f"/devices/{desk.device}/token")
    by_old = await desk.ask("GET", "/changes", headers={"X-Device-Token": old})
    desk.device_token = answer["device_token"]
    by_new = await desk.ask("GET", "/changes")
    await desk.ask("DELETE", f"/devices/{desk.device}")
    after = await desk.ask("GET", "/changes")

    assert (status, answer["device"]["id"]) == (200, desk.device)
    assert (by_old[0], by_new[0], after[0]) == (401, 200, 401)


async def test_a_device_is_named_by_token_or_id(bob: Guest, desk: Machine) -> None:
    """One of the own account that is switched on; both of them must agree."""
    async with await Machine.of(bob, "his") as his:
        foreign_token = await desk.ask(
            "GET", "/changes", headers={"X-Device-Token": his.device_token}
        )
        foreign_id = await desk.ask("GET", f"/changes?device_id={his.device}")
    by_id = await desk.ask("GET", f"/changes?device_id={desk.device}", is_named=False)
    await desk.ask("PUT", f"/devices/{desk.device}", json={"enabled": False})
    off = [
        await desk.ask("GET", "/changes"),
        await desk.ask("POST", "/report", json={"changes": []}),
        await desk.ask("POST", "/ack", json={"cursor": 0}),
    ]
    await desk.ask("PUT", f"/devices/{desk.device}", json={"enabled": True})

    assert (foreign_token[0], foreign_id[0], by_id[0]) == (401, 400, 200)
    assert [(status, answer["error"]) for status, answer, _ in off] == [
        (400, "device_disabled")
    ] * 3
    assert (await desk.ask("GET", "/changes"))[0] == 200


async def test_a_personal_token_of_this_api_opens_it(ada: Guest) -> None:
    """To read, or to write too; one of another API does not."""
    tokens = {}
    for scope in ("pinakes:read", "pinakes:write", "heaps:write"):
        body = {"name": scope, "scopes": [scope]}
        _, answer, _ = await ada.post("/api/access-tokens", json=body)
        tokens[scope] = answer["token"]
    statuses = {}
    for scope, token in tokens.items():
        async with Machine(ada.url, token) as machine:
            reads = (await machine.ask("GET", "/changes"))[0]
            writes = (await machine.ask("POST", "/report", json={"changes": []}))[0]
            statuses[scope] = (reads, writes)

    assert statuses == {
        "pinakes:read": (200, 403),
        "pinakes:write": (200, 200),
        "heaps:write": (403, 403),
    }


# --- the feed ------------------------------------------------------------------------------------


async def test_an_empty_library_and_an_empty_report(desk: Machine) -> None:
    """Nothing changed, nothing is taken in; the cursor is never null."""
    page = await desk.changes()
    told = await desk.report()

    assert page == {"changes": [], "cursor": 0, "has_more": False}
    assert told == {"accepted": [], "conflicts": [], "upload_required": []}


async def test_a_line_says_what_a_device_needs(desk: Machine, lap: Machine) -> None:
    """Every field of it, for a file and for a deletion."""
    await desk.report(changed("a.bin", ONE, local_mtime=1700000000.25))
    await desk.upload("a.bin", ONE)
    (there,) = (await lap.changes())["changes"]
    await desk.report(deleted("a.bin", ONE))
    (gone,) = (await lap.changes(there["sequence"]))["changes"]

    assert {**there, "timestamp": "", "sequence": 0} == {
        "sequence": 0,
        "change_type": "created",
        "path": "a.bin",
        "old_path": None,
        "content_hash": digest(ONE),
        "file_size": len(ONE),
        "device_id": desk.device,
        "timestamp": "",
        "local_mtime": 1700000000.25,
    }
    assert (gone["change_type"], gone["content_hash"]) == ("deleted", None)
    assert gone["sequence"] > there["sequence"]


async def test_metadata_is_told_where_it_changed(desk: Machine, lap: Machine) -> None:
    """And not where it is the same, or of what is not there."""
    await desk.put("a.bin", ONE)
    await lap.news()
    touched = {"path": "a.bin", "change_type": "metadata_updated", "local_mtime": 5}
    for _ in range(2):
        await desk.report(touched | {"content_hash": digest(ONE)})
    await desk.report({"path": "b.bin", "change_type": "metadata_updated", "local_mtime": 5})
    (line,) = (await lap.changes(lap.cursor))["changes"]

    assert (line["change_type"], line["local_mtime"]) == ("metadata_updated", 5)
    assert (await desk.report(touched))["accepted"] == ["a.bin"]


@pytest.mark.parametrize(
    "query",
    [
        "cursor=-1",
        "cursor=x",
        "cursor=",
        "cursor=1.5",
        "cursor=99999999999999",
        "cursor=99999999999999999999",
        "limit=0",
        "limit=-1",
        "limit=x",
        "limit=1.5",
        "limit=",
    ],
)
async def test_a_bad_cursor_or_limit_is_400(desk: Machine, query: str) -> None:
    """Malformed, negative, and such as was never given out."""
    await desk.put("a.bin", ONE)
    status, answer, _ = await desk.ask("GET", f"/changes?{query}")

    assert (status, set(answer)) == (400, {"error", "message"})


async def test_a_page_has_at_most_a_thousand_lines(desk: Machine, lap: Machine) -> None:
    """A hundred without a limit, and a thousand of whatever more is asked for."""
    await desk.put("0.bin", ONE)
    await desk.report(*(changed(f"{number}.bin", ONE) for number in range(1, 1010)))
    sizes = [len((await lap.changes(limit=limit))["changes"]) for limit in (None, 1000, 5000)]

    assert sizes == [100, 1000, 1000]


async def test_acknowledging_moves_forward_only(desk: Machine, lap: Machine) -> None:
    """A lower cursor changes nothing, one above the newest is refused; a device must be named."""
    await desk.put("a.bin", ONE)
    await desk.put("b.bin", ONE)
    first = (await lap.changes(limit=1))["cursor"]
    await lap.news()
    newest = await lap.acknowledge()
    lower = await lap.acknowledge(first)
    above = await lap.ask("POST", "/ack", json={"cursor": newest + 1})
    nobody = await lap.ask("POST", "/ack", json={"cursor": newest}, is_named=False)
    wrong = [
        (await lap.ask("POST", "/ack", json=body))[0]
        for body in ({}, {"cursor": -1}, {"cursor": "x"}, {"cursor": 1 << 70}, [])
    ]
    _, device, _ = await lap.ask("GET", f"/devices/{lap.device}")

    assert (lower, device["sync_cursor"]) == (newest, newest)
    assert device["last_sync_at"] is not None
    assert (above[0], nobody[0]) == (400, 400)
    assert wrong == [400] * 5


async def test_deletions_are_forgotten_when_all_have_heard_of_them(
    desk: Machine, lap: Machine
) -> None:
    """Not before; who comes from before that begins anew, and finds all that there is."""
    await desk.put("a.bin", ONE)
    await desk.put("b.bin", ONE)
    await lap.news()
    old = lap.cursor
    await desk.report(deleted("a.bin", ONE))
    await lap.news()
    await lap.acknowledge()
    kept = [path for _, path in await Machine.news(desk)]
    still = await lap.ask("GET", f"/changes?cursor={old}")
    await desk.acknowledge(lap.cursor)
    expired = await lap.ask("GET", f"/changes?cursor={old}")
    anew = await lap.changes()

    assert kept == []
    assert [one["path"] for one in still[1]["changes"]] == ["a.bin"]
    assert (expired[0], expired[1]["error"]) == (400, "cursor_expired")
    assert [one["path"] for one in anew["changes"]] == ["b.bin"]
    assert (await lap.changes(lap.cursor))["changes"] == []


async def test_a_device_that_is_switched_off_is_not_waited_for(desk: Machine, lap: Machine) -> None:
    """When it comes again, it begins anew and gets its own files too."""
    await lap.put("a.bin", ONE)
    await lap.put("b.bin", ONE)
    await desk.news()
    await lap.news()
    await lap.acknowledge()
    await lap.ask("PUT", f"/devices/{lap.device}", json={"enabled": False})
    await desk.report(deleted("a.bin", ONE))
    newest = (await desk.ask("GET", "/changes", is_named=False))[1]["cursor"]
    await desk.acknowledge(newest)
    await lap.ask("PUT", f"/devices/{lap.device}", json={"enabled": True})
    expired = await lap.ask("GET", f"/changes?cursor={lap.cursor}")
    anew = await lap.changes()

    assert (expired[0], expired[1]["error"]) == (400, "cursor_expired")
    assert [one["path"] for one in anew["changes"]] == ["b.bin"]


# --- downloads -----------------------------------------------------------------------------------


async def test_a_file_is_downloaded_whole_or_in_part(desk: Machine) -> None:
    """With the headers that clients resume by, and as HTTP has it for each kind of range."""
    await desk.put("d/a.bin", DATA)
    status, body, headers = await desk.download("d/a.bin")
    etag, modified = headers["ETag"], headers["Last-Modified"]
    size = len(DATA)
    expected = {
        "bytes=0-9": (206, DATA[:10], f"bytes 0-9/{size}"),
        "bytes=1000-": (206, DATA[1000:], f"bytes 1000-{size - 1}/{size}"),
        "bytes=-24": (206, DATA[-24:], f"bytes {size - 24}-{size - 1}/{size}"),
        "bytes=1000-9999": (206, DATA[1000:], f"bytes 1000-{size - 1}/{size}"),
        f"bytes={size}-": (416, None, f"bytes */{size}"),
        "bytes=-0": (416, None, f"bytes */{size}"),
        "bytes=9-1": (200, DATA, None),
        "bytes=x-y": (200, DATA, None),
        "chapters=1-2": (200, DATA, None),
        "bytes=0-1,5-6": (200, DATA, None),
    }

    assert (status, body, headers["Accept-Ranges"]) == (200, DATA, "bytes")
    assert (etag, headers["Content-Length"]) == (f'"{digest(DATA)}"', str(size))
    for text, (code, part, said) in expected.items():
        got, data, heads = await desk.download("d/a.bin", Range=text)
        assert (got, heads.get("Content-Range")) == (code, said), text
        assert part is None or data == part, text
    for condition, code in (
        (etag, 206),
        (modified, 206),
        ('"old"', 200),
        (f"W/{etag}", 200),
        ("Mon, 01 Jan 2001 00:00:00 GMT", 200),
    ):
        assert (await desk.download("d/a.bin", Range="bytes=0-1", If_Range=condition))[0] == code
    unchanged = await desk.download("d/a.bin", If_None_Match=etag)
    head = await desk.ask("HEAD", "/download/d/a.bin", headers={"Range": "bytes=0-1"})
    assert (unchanged[0], unchanged[1]) == (304, b"")
    assert (head[0], head[1], head[2]["Content-Length"]) == (200, b"", str(size))


@pytest.mark.parametrize(
    "path",
    [
        "none.bin",
        "../a.bin",
        "..%2Fa.bin",
        "%2Fa.bin",
        "d//a.bin",
        "d/./a.bin",
        "d%5Ca.bin",
        "a.bin%00",
        "%FF.bin",
        "a.bin/",
        "A.BIN",
    ],
)
async def test_what_is_no_file_of_the_library_is_404(desk: Machine, path: str) -> None:
    """Whatever it is: outside, malformed, or only nearly the name."""
    from yarl import URL  # noqa: PLC0415

    await desk.put("a.bin", ONE)
    place = URL(f"{desk.url}/api/v1/sync/download/{path}", encoded=True)
    async with desk.http.get(place, headers=desk.bearer) as answer:
        assert answer.status == 404, await answer.read()


async def test_a_name_is_one_name_however_it_is_composed(desk: Machine) -> None:
    """As one device writes an accent, and as another one does."""
    told = await desk.report(changed("cafe\u0301.bin", ONE))
    await desk.upload("cafe\u0301.bin", ONE)

    assert told["upload_required"] == ["caf\u00e9.bin"]
    assert await desk.content("caf\u00e9.bin") == await desk.content("cafe\u0301.bin") == ONE


async def test_other_peoples_files_are_404(bob: Guest, desk: Machine) -> None:
    """They have libraries of their own."""
    await desk.put("a.bin", ONE)
    async with await Machine.of(bob, "his") as his:
        assert (await his.download("a.bin"))[0] == 404
        assert await his.news() == []
        assert (await his.ask("GET", "/conflicts"))[1] == []


# --- in all --------------------------------------------------------------------------------------


async def test_a_library_has_a_bounded_number_of_files(serve: Serve) -> None:
    """A report that would make it more is refused whole."""
    inside = await serve(pinakes_files_max=3)
    async with inside.visitor() as guest, await Machine.of(guest, "desk") as desk:
        await desk.put("0.bin", ONE)
        body = {"changes": [changed(f"{number}.bin", ONE) for number in range(1, 4)]}
        full = await desk.ask("POST", "/report", json=body)
        room = await desk.report(changed("1.bin", ONE), changed("2.bin", ONE))

        assert (full[0], full[1]["error"]) == (400, "library_full")
        assert room["accepted"] == ["1.bin", "2.bin"]


async def test_the_api_can_be_switched_off(serve: Serve) -> None:
    """Then its addresses are not there."""
    inside = await serve(adapters_off=("pinakes",))
    async with inside.visitor() as guest:
        assert (await guest.get("/api/v1/sync/changes"))[0] == 404
        assert (await guest.get("/api/sync/devices"))[0] == 404


async def test_a_revoked_login_opens_nothing(ada: Guest) -> None:
    """The access token of an ended session is 401 here as everywhere."""
    async with await Machine.of(ada, "x") as machine:
        status, _, _ = await ada.post("/api/auth/logout", json={})
        assert status < 300
        assert (await machine.ask("GET", "/changes"))[0] == 401
