"""What is shared without the password: a profile's outside, public diffs, codes, CLI logins."""

from __future__ import annotations

import asyncio
import json
import re
import time
from typing import Any

import pytest

from tests.inside import Inside
from tests.server.adapters.difflog.client import Client, items
from tests.server.adapters.difflog.conftest import ada, inside, serve

__all__ = ["ada", "inside", "serve"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

PUBLIC = json.dumps(
    {"content": "# Hi", "title": "T", "generated_at": "2026-01-01", "window_days": 7, "x": 1}
)


async def test_a_shared_profile_shows_its_outside(ada: Client) -> None:
    """Exactly the fields of the page, not to be cached."""
    status, body, headers = await ada.ask("GET", f"/api/share/{ada.id}")

    assert status == 200
    assert headers["Cache-Control"] == "no-cache"
    assert ada.json(body) == {
        "id": ada.id,
        "name": "Ada",
        "languages": ["JavaScript"],
        "frameworks": ["React"],
        "tools": ["Docker"],
        "topics": ["AI/ML"],
        "depth": "deep",
        "password_salt": ada.salt,
    }
    assert (await ada.ask("GET", "/api/share/unknown"))[0] == 404


async def test_a_password_without_a_salt_has_none(inside: Inside) -> None:
    """What stands before the first colon; null where there is none."""
    async with Client(inside) as ada:
        await ada.create(password_hash="plain")
        _, body = await ada.get(f"/api/share/{ada.id}")

    assert ada.json(body)["password_salt"] is None


async def test_a_public_diff_is_for_everybody(ada: Client) -> None:
    """For a day in caches, under a tag by which it can be purged."""
    diff = f"public-{ada.id}"
    await ada.sync(diffs=[{"id": diff, "encrypted_data": PUBLIC}, *items(f"private-{ada.id}")])
    status, body, headers = await ada.ask("GET", f"/api/diff/{diff}/public")

    assert status == 200
    assert ada.json(body) == {
        "id": diff,
        "content": "# Hi",
        "title": "T",
        "generated_at": "2026-01-01",
        "window_days": 7,
        "profile_name": "Ada",
    }
    assert headers["Cache-Control"] == "public, max-age=86400"
    assert headers["Cache-Tag"] == f"diff-{diff}"
    for other in (f"private-{ada.id}", "unknown", "%00"):
        status, body, _ = await ada.ask("GET", f"/api/diff/{other}/public")
        assert (status, ada.json(body)) == (404, {"error": "Diff not found"})


async def test_what_is_made_private_again_is_not_found(ada: Client) -> None:
    """And so is what was deleted."""
    first, second = f"1-{ada.id}", f"2-{ada.id}"
    await ada.sync(diffs=items(first, second, text=PUBLIC.replace("{", "{{").replace("}", "}}")))
    assert (await ada.get(f"/api/diff/{first}/public"))[0] == 200
    await ada.sync(diffs=items(first), deleted_diff_ids=[second])

    assert (await ada.get(f"/api/diff/{first}/public"))[0] == 404
    assert (await ada.get(f"/api/diff/{second}/public"))[0] == 404


async def test_who_published_first_keeps_the_address(inside: Inside, ada: Client) -> None:
    """Also while it is private again; it is free once that profile is gone."""
    diff, text = f"mine-{ada.id}", PUBLIC.replace("{", "{{").replace("}", "}}")
    await ada.sync(diffs=items(diff, text=text))
    async with Client(inside) as eve:
        await eve.create(name="Eve")
        await eve.sync(diffs=items(diff, text=text))
        taken = ada.json((await ada.get(f"/api/diff/{diff}/public"))[1])
        await ada.sync(diffs=items(diff))
        private, _ = await ada.get(f"/api/diff/{diff}/public")
        await ada.ask("DELETE", ada.path, params={"password_hash": ada.hash})
        await eve.sync()
        free = ada.json((await ada.get(f"/api/diff/{diff}/public"))[1])

    assert taken["profile_name"] == "Ada"
    assert private == 404
    assert free["profile_name"] == "Eve"


async def test_a_public_diff_that_is_no_json_says_so(ada: Client) -> None:
    """Once it was uploaded so; a profile without a name is anonymous."""
    diff, bare = f"bad-{ada.id}", f"bare-{ada.id}"
    await ada.sync(
        diffs=[{"id": diff, "encrypted_data": "{no"}, {"id": bare, "encrypted_data": "{}"}],
        profile={"name": ""},
    )
    status, body, _ = await ada.ask("GET", f"/api/diff/{diff}/public")
    _, other, _ = await ada.ask("GET", f"/api/diff/{bare}/public")

    assert (status, ada.json(body)) == (500, {"error": "Invalid diff data"})
    assert ada.json(other) == {"id": bare, "profile_name": "Anonymous"}


async def test_a_share_code_works_once(ada: Client) -> None:
    """Four letters that nobody confuses; of many who use it at once, one gets it."""
    status, answer, _ = await ada.post("/api/share-code", json={"profile_id": "any id"})
    path = f"/api/share-code/{answer['code'].lower()}"
    looks = [await ada.ask("HEAD", path) for _ in range(2)]
    uses = await asyncio.gather(*(ada.ask("GET", path) for _ in range(5)))
    gone = await ada.ask("HEAD", path)

    assert status == 201
    assert re.fullmatch("[A-HJKMNP-Z2-9]{4}", answer["code"])
    assert [(status, body) for status, body, _ in looks] == [(200, b"")] * 2
    bodies = sorted((status, ada.json(body)) for status, body, _ in uses[:1] + uses[1:])
    assert bodies[0] == (200, {"profile_id": "any id"})
    assert bodies[1:] == [(404, {"error": "Invalid or expired share code"})] * 4
    assert gone[0] == 404


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("{}", "Missing profile_id"),
        ('{"profile_id": ""}', "Missing profile_id"),
        ("{", "Invalid JSON"),
    ],
)
async def test_a_share_code_needs_a_profile(ada: Client, body: str, sentence: str) -> None:
    """Which is not looked up."""
    status, answer, _ = await ada.post("/api/share-code", data=body)

    assert (status, answer) == (400, {"error": sentence})


async def test_codes_end_after_their_time(inside: Inside, ada: Client) -> None:
    """A share code after two minutes, a login of the command line when the browser says."""
    _, answer, _ = await ada.post("/api/share-code", json={"profile_id": "p"})
    relay = "/api/cli/auth/0123456789ab"
    now = time.time() * 1000
    lives = []
    for expires in (None, now + 1e9, now - 5, now + 60_000):
        await ada.post(relay, json={"encrypted_session": "blob", "expires": expires})
        lives.append(await _life(inside, "cli", "0123456789ab"))
    await inside.pool.execute("UPDATE difflog_codes SET expires_at = now() - interval '1 s'")

    assert lives[:2] == [300, 300]
    assert lives[2] == 1
    assert 58 <= lives[3] <= 60
    assert (await ada.get(f"/api/share-code/{answer['code']}"))[0] == 404
    assert ada.json((await ada.get(relay))[1]) == {"pending": True}


async def _life(inside: Inside, kind: str, code: str) -> int:
    """Seconds for which a code was kept when it was made."""
    left: float = await inside.pool.fetchval(
        "SELECT extract(epoch FROM expires_at - now())::float8 FROM difflog_codes"
        " WHERE kind = $1 AND code = $2",
        kind,
        code,
    )
    return round(left)


async def test_a_login_of_the_command_line_is_handed_over_once(ada: Client) -> None:
    """Until then it is pending; a later session replaces one that waits."""
    path = "/api/cli/auth/00ff00ff00ff"
    answers = [ada.json((await ada.get(path))[1])]
    for blob in ("old", "new"):
        _, done, _ = await ada.post(path, json={"encrypted_session": blob})
        answers.append(done)
    assert (await ada.ask("HEAD", path))[0] == 200
    answers += [ada.json((await ada.get(path))[1]) for _ in range(2)]

    assert answers == [
        {"pending": True},
        {"ok": True},
        {"ok": True},
        {"session": "new"},
        {"pending": True},
    ]


@pytest.mark.parametrize("code", ["0", "0123456789aB", "0123456789abc", "g123456789ab", "%00"])
async def test_a_code_of_the_command_line_has_twelve_digits(ada: Client, code: str) -> None:
    """Lower-case hexadecimal ones."""
    status, body, _ = await ada.ask("GET", f"/api/cli/auth/{code}")
    other, answer, _ = await ada.post(f"/api/cli/auth/{code}", json={"encrypted_session": "x"})

    assert (status, ada.json(body)) == (other, answer) == (400, {"error": "Invalid code"})


@pytest.mark.parametrize(
    "session", [None, "", 5, ["x"], "x" * 70_000, "\u0000"], ids=lambda s: repr(s)[:9]
)
async def test_a_session_is_a_text_of_some_size(ada: Client, session: Any) -> None:
    """Missing ones are 400, too large ones 413."""
    status, answer, _ = await ada.post(
        "/api/cli/auth/0123456789ab", json={"encrypted_session": session}
    )
    too_large = isinstance(session, str) and len(session) > 60_000

    assert status == (413 if too_large else 400)
    if session in (None, "", 5):
        assert answer == {"error": "Missing encrypted_session"}


async def test_what_nobody_logs_in_for_is_limited_by_address(serve: Any) -> None:
    """Codes can neither be tried out nor pile up."""
    server = await serve(difflog_codes_per_minute=2, difflog_relays_per_minute=2)
    async with Client(server) as ada:
        for path in ("/api/share-code/AAAA", "/api/cli/auth/0123456789ab"):
            statuses = [(await ada.get(path))[0] for _ in range(3)]
            assert statuses[2] == 429
            assert 429 not in statuses[:2]


async def test_waiting_codes_are_bounded(serve: Any) -> None:
    """503 until some have ended."""
    server = await serve(difflog_codes_max=2)
    async with Client(server) as ada:
        statuses = [
            (await ada.post("/api/share-code", json={"profile_id": "p"}))[0] for _ in range(3)
        ]
        relays = [
            (await ada.post(f"/api/cli/auth/00000000000{n}", json={"encrypted_session": "x"}))[0]
            for n in range(3)
        ]

    assert statuses == [201, 201, 503]
    assert relays == [200, 200, 503]
