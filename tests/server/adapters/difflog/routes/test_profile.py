"""Creating, reading, updating and removing profiles, and their password; sentence by sentence."""

from __future__ import annotations

import asyncio
import hashlib
from base64 import b64encode
from typing import Any

import pytest

from tests.inside import Inside
from tests.patience import PATIENCE_S
from tests.server.adapters.difflog.client import Client, items, transport_hash
from tests.server.adapters.difflog.conftest import ada, inside, serve

__all__ = ["ada", "inside", "serve"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_creation_answers_201_with_id_and_name(inside: Inside) -> None:
    """For the first upload and for each later one alike."""
    async with Client(inside) as ada:
        first, again = await ada.create(), await ada.create()

    assert first == again == (201, {"id": ada.id, "name": "Ada"})


async def test_a_profile_reads_as_it_was_created(ada: Client) -> None:
    """Every field of the page, and nothing of the password."""
    status, profile = await ada.read()

    assert status == 200
    stamp = ada.json(profile)["content_updated_at"]
    assert len(stamp) == len("2026-01-26T04:13:00Z")
    assert ada.json(profile) == {
        "id": ada.id,
        "name": "Ada",
        "encrypted_api_key": "key+/=",
        "salt": "content salt==",
        "languages": ["JavaScript"],
        "frameworks": ["React"],
        "tools": ["Docker"],
        "topics": ["AI/ML"],
        "depth": "deep",
        "custom_focus": "bugs",
        "resolved_sources": None,
        "content_updated_at": stamp,
    }


async def test_what_is_left_out_has_its_default(inside: Inside) -> None:
    """An id is made, lists are empty, depth is standard, an empty focus is none."""
    async with Client(inside) as ada:
        body = {"name": "A", "password_hash": ada.hash, "encrypted_api_key": "k", "salt": "s"}
        status, answer, _ = await ada.post(
            "/api/profile/create", json=body | {"custom_focus": "", "languages": None}
        )
        ada.id = answer["id"]
        profile = ada.json((await ada.read())[1])

    assert status == 201
    assert len(ada.id) == 36
    assert [profile[name] for name in ("languages", "frameworks", "tools", "topics")] == [[]] * 4
    assert (profile["depth"], profile["custom_focus"]) == ("standard", None)


@pytest.mark.parametrize("field", ["name", "password_hash", "encrypted_api_key", "salt"])
@pytest.mark.parametrize("value", ["", None])
async def test_four_fields_must_be_there(inside: Inside, field: str, value: str | None) -> None:
    """Absent or empty: 400."""
    async with Client(inside) as ada:
        if value is None and field == "name":
            status, answer = await ada.create(name="")
        else:
            status, answer = await ada.create(**{field: value})

    assert (status, answer) == (400, {"error": "Missing required fields"})


@pytest.mark.parametrize(
    "body", ["", "{", "[]", "null", '"x"', '{"password_hash": 5}', "\u00ff", "[" * 9999]
)
async def test_what_is_no_body_is_400(ada: Client, body: str) -> None:
    """In this API's shape, on every route that reads one, and nothing is changed."""
    for path in ("create", f"{ada.id}/content", f"{ada.id}/sync"):
        status, answer, _ = await ada.post(f"/api/profile/{path}", data=body.encode("latin-1"))
        assert status == 400, path
        assert set(answer) == {"error"}


async def test_uploading_again_replaces_all_that_a_profile_says_and_no_item(ada: Client) -> None:
    """What is left out falls back to its default; hashes stay."""
    await ada.sync(diffs=items("a"), diffs_hash="h+/=", resolved_sources={"x": 1})
    status, _ = await ada.create(name="B", languages=None, depth=None, encrypted_api_key="k2")
    content = await ada.content()
    profile = ada.json((await ada.read())[1])

    assert status == 201
    assert content["diffs"] == items("a")
    assert (await ada.status())["diffs_hash"] == "h+/="
    assert (profile["name"], profile["languages"], profile["depth"]) == ("B", [], "standard")
    assert profile["encrypted_api_key"] == content["encrypted_api_key"] == "k2"


async def test_uploading_again_needs_the_password_and_counts_as_an_attempt(ada: Client) -> None:
    """Nobody takes over a profile by its id."""
    status, answer = await ada.create(password_hash="wrong", name="Eve")

    assert (status, answer) == (401, {"error": "Invalid password", "attempts_remaining": 4})
    assert ada.json((await ada.read())[1])["name"] == "Ada"


async def test_of_two_who_create_one_id_at_once_one_has_it(inside: Inside) -> None:
    """The other one's password is wrong."""
    async with Client(inside, "a") as ada, Client(inside, "b") as eve:
        eve.id = ada.id
        answers = await asyncio.gather(ada.create(), eve.create())

    assert sorted(status for status, _ in answers) == [201, 401]


async def test_without_a_password_it_is_401_and_no_attempt(ada: Client) -> None:
    """Also for an unknown profile, and while it is locked."""
    answers = [await ada.read("") for _ in range(9)]
    for path in (ada.path, "/api/profile/unknown"):
        answers.append(await ada.get(path))
        for route in ("sync", "content"):
            status, body, _ = await ada.post(f"{path}/{route}", json={})
            answers.append((status, body))

    assert {status for status, _ in answers} == {401}
    assert all(ada.json(body) == {"error": "Password required"} for _, body in answers)
    assert (await ada.read())[0] == 200


@pytest.mark.parametrize("profile", ["unknown", "%00", "%ED%A0%80", "a%2Fb", "%C3%A9", "x" * 5000])
async def test_an_unknown_profile_is_404(ada: Client, profile: str) -> None:
    """Whatever its id looks like, with any password."""
    path = f"/api/profile/{profile}"
    for method in ("GET", "DELETE"):
        status, body, _ = await ada.ask(method, f"{path}?password_hash=x")
        assert (status, ada.json(body)) == (404, {"error": "Profile not found"})
    status, answer, _ = await ada.post(f"{path}/sync", json={"password_hash": "x"})

    assert (status, answer) == (404, {"error": "Profile not found"})


async def test_the_query_is_decoded_once(ada: Client) -> None:
    """A plus sign that was not escaped is a space, and wrong."""
    ada.hash = "a+/=:b+/="
    ada.id += "2"
    await ada.create()
    right, _, _ = await ada.ask("GET", f"{ada.path}?password_hash=a%2B%2F%3D%3Ab%2B%2F%3D")
    wrong, _, _ = await ada.ask("GET", f"{ada.path}?password_hash=a+/=:b+/=")

    assert (right, wrong) == (200, 401)


async def test_five_wrong_passwords_lock_the_profile_for_ten_minutes(ada: Client) -> None:
    """Each says how many are left; then the right one is not looked at either."""
    answers = [await ada.read("wrong") for _ in range(5)]
    locked = [await ada.read(), (await ada.sync()), (await ada.create())]

    assert [status for status, _ in answers] == [401] * 5
    bodies = [ada.json(body) for _, body in answers]
    assert bodies[:4] == [
        {"error": "Invalid password", "attempts_remaining": left} for left in (4, 3, 2, 1)
    ]
    assert bodies[4] == {
        "error": "Invalid password",
        "attempts_remaining": 0,
        "retry_after_seconds": 600,
    }
    for status, body in locked:
        assert status == 429
        said = ada.json(body)
        assert 590 < said.pop("retry_after_seconds") <= 600
        assert said == {"error": "Account locked. Try again later.", "locked": True}


async def test_guesses_at_once_are_counted_one_by_one(ada: Client) -> None:
    """Of twenty, five are looked at."""
    answers = await asyncio.gather(*(ada.read(f"wrong {n}") for n in range(20)))

    assert sorted(status for status, _ in answers) == [401] * 5 + [429] * 15


async def test_the_right_password_forgives(ada: Client) -> None:
    """The count begins anew after each success."""
    for _ in range(3):
        for _ in range(4):
            assert (await ada.read("wrong"))[0] == 401
        assert (await ada.read())[0] == 200


async def test_a_lock_ends_and_old_failures_are_forgotten(serve: Any) -> None:
    """By the settings' times."""
    server = await serve(difflog_lock_s=1.5, difflog_forget_s=1.0)
    async with Client(server) as ada:
        await ada.create()
        for _ in range(5):
            await ada.read("wrong")
        assert (await ada.read("wrong"))[0] == 429
        async with asyncio.timeout(PATIENCE_S):
            while (await ada.read("wrong"))[0] == 429:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        status, body = await ada.read("wrong")

    assert (status, ada.json(body)["attempts_remaining"]) == (401, 3)


async def test_the_database_holds_no_password_that_opens(inside: Inside, ada: Client) -> None:
    """What is stored is the outcome of a memory-hard function."""
    stored = await inside.pool.fetchval(
        "SELECT password_hash FROM difflog_profiles WHERE id = $1", ada.id
    )

    assert stored.startswith("argon2id$")
    assert ada.hash not in stored
    assert (await ada.read(stored))[0] == 401


@pytest.mark.parametrize("form", ["v1", "v2"])
async def test_old_stored_forms_open_and_are_written_anew(
    inside: Inside, ada: Client, form: str
) -> None:
    """At the first use of the right password, and no sooner; the client's salt comes with it."""
    key = hashlib.pbkdf2_hmac("sha256", ada.hash.encode(), b"0" * 16, 100_000, 32)
    v2 = f"v2:{b64encode(b'0' * 16).decode()}:{b64encode(key).decode()}"
    await inside.pool.execute(
        "UPDATE difflog_profiles SET password_hash = $2, password_salt = NULL WHERE id = $1",
        ada.id,
        ada.hash if form == "v1" else v2,
    )
    _, before = await ada.get(f"/api/share/{ada.id}")
    assert (await ada.read("wrong"))[0] == 401
    assert (await ada.read())[0] == 200
    stored = await inside.pool.fetchrow(
        "SELECT password_hash, password_salt FROM difflog_profiles WHERE id = $1", ada.id
    )

    assert ada.json(before)["password_salt"] == (ada.salt if form == "v1" else None)
    assert stored["password_hash"].startswith("argon2id$")
    assert stored["password_salt"] == ada.salt
    assert (await ada.read())[0] == 200


async def test_an_update_replaces_what_it_names(ada: Client) -> None:
    """Unknown keys are ignored; the time of the content stays; no focus is null."""
    before = ada.json((await ada.read())[1])
    status, body, _ = await ada.ask(
        "PUT",
        ada.path,
        json={
            "password_hash": ada.hash,
            "tools": ["Git"],
            "custom_focus": None,
            "resolved_sources": {"a": [1, 2.5]},
            "id": "other",
            "surprise": 1,
        },
    )
    after = ada.json((await ada.read())[1])

    assert (status, ada.json(body)) == (200, {"success": True})
    assert after == before | {
        "tools": ["Git"],
        "custom_focus": None,
        "resolved_sources": {"a": [1, 2.5]},
    }


async def test_removal_leaves_nothing_and_the_id_is_free(inside: Inside, ada: Client) -> None:
    """Created again, it is empty."""
    await ada.sync(diffs=items("a"), diffs_hash="h")
    status, body, _ = await ada.ask("DELETE", f"{ada.path}?password_hash=wrong")
    assert status == 401
    encoded = ada.hash.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    status, body, _ = await ada.ask("DELETE", f"{ada.path}?password_hash={encoded}")
    gone = await ada.status()
    await ada.create()
    rows = await inside.pool.fetchval(
        "SELECT count(*) FROM updates u JOIN documents d ON d.id = u.document"
        " WHERE d.kind = 'difflog' AND d.purged_at IS NOT NULL"
    )

    assert (status, ada.json(body)) == (200, {"success": True})
    assert gone == {"exists": False}
    assert await ada.ids() == []
    assert (await ada.status())["diffs_hash"] is None
    assert rows == 0


async def test_a_new_password_comes_with_newly_encrypted_content(ada: Client) -> None:
    """All three collections, key and salt at one moment; hashes stay; the old one opens nothing."""
    await ada.sync(
        diffs=items("a", "b"),
        stars=items("a:0"),
        tldrs=items("a:1"),
        diffs_hash="h",
        stars_hash="i",
    )
    old, new = ada.hash, transport_hash("new", "c2FsdA==")
    body = {
        "old_password_hash": old,
        "new_password_hash": new,
        "new_encrypted_api_key": "k2",
        "new_salt": "s2",
        "diffs": items("a", text="anew {}"),
        "stars": items("a:0", text="anew {}"),
    }
    status, answer, _ = await ada.post(f"{ada.path}/password", json=body)
    assert (await ada.read())[0] == 401
    ada.hash = new
    content = await ada.content()

    assert (status, answer) == (
        200,
        {"success": True, "message": "Password updated successfully"},
    )
    assert content["diffs"] == items("a", text="anew {}")
    assert content["stars"] == items("a:0", text="anew {}")
    assert content["tldrs"] == []
    assert (content["salt"], content["encrypted_api_key"]) == ("s2", "k2")
    assert content["profile"]["name"] == "Ada"
    assert (await ada.status())["diffs_hash"] == "h"
    _, shared = await ada.get(f"/api/share/{ada.id}")
    assert ada.json(shared)["password_salt"] == "c2FsdA=="


@pytest.mark.parametrize(
    ("left_out", "sentence"),
    [
        ("old_password_hash", "Both old and new passwords required"),
        ("new_password_hash", "Both old and new passwords required"),
        ("new_encrypted_api_key", "New encrypted API key and salt required"),
        ("new_salt", "New encrypted API key and salt required"),
    ],
)
async def test_a_new_password_needs_both_keys_and_salt(
    ada: Client, left_out: str, sentence: str
) -> None:
    """And the old one must be right, or it counts."""
    body = {
        "old_password_hash": "wrong",
        "new_password_hash": "a:b",
        "new_encrypted_api_key": "k",
        "new_salt": "s",
    }
    status, answer, _ = await ada.post(
        f"{ada.path}/password", json={k: v for k, v in body.items() if k != left_out}
    )
    wrong, counted, _ = await ada.post(f"{ada.path}/password", json=body)

    assert (status, answer) == (400, {"error": sentence})
    assert (wrong, counted["attempts_remaining"]) == (401, 4)


async def test_creations_of_one_address_are_limited(serve: Any) -> None:
    """429 with a time to come back, in this API's shape."""
    server = await serve(difflog_creations_per_minute=2)
    async with Client(server) as ada:
        answers = [(await ada.create())[0] for _ in range(2)]
        status, answer, headers = await ada.post("/api/profile/create", json={})

    assert answers == [201, 201]
    assert status == 429
    assert set(answer) == {"error"}
    assert int(headers["Retry-After"]) > 0


async def test_switched_off_its_paths_are_not_there(serve: Any) -> None:
    """As if they had never been."""
    server = await serve(adapters_off=("difflog",))
    async with Client(server) as ada:
        status, answer = await ada.create()
        other, _ = await ada.get("/api/health")

    assert (status, answer["error"]) == (404, "not_found")
    assert other == 200
