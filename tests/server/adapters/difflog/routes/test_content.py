"""Status, download and upload of a profile's content; sentence by sentence."""

from __future__ import annotations

import asyncio
import io
import json
from typing import Any

import pytest

from tests.inside import Inside
from tests.server.adapters.difflog.client import Client, items
from tests.server.adapters.difflog.conftest import ada, inside, serve

__all__ = ["ada", "inside", "serve"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

EMPTY_HASH = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="


async def test_the_status_of_an_unknown_profile_is_200(ada: Client) -> None:
    """A client takes anything else for a fault of the network."""
    ada.id = "unknown"

    assert await ada.status() == {"exists": False}


async def test_hashes_are_null_until_they_were_sent_and_then_as_they_were(ada: Client) -> None:
    """Byte for byte, whatever they are; without a password."""
    before = await ada.status()
    await ada.sync(diffs_hash=EMPTY_HASH, stars_hash="not a hash é", tldrs_hash="", keys_hash="k")
    after = await ada.status()

    assert before.pop("content_updated_at")[-1] == "Z"
    assert before == {
        "exists": True,
        "diffs_hash": None,
        "stars_hash": None,
        "tldrs_hash": None,
        "keys_hash": None,
    }
    assert after["diffs_hash"] == EMPTY_HASH
    assert after["stars_hash"] == "not a hash é"
    assert (after["tldrs_hash"], after["keys_hash"]) == (None, "k")


@pytest.mark.parametrize("empty", ["", None])
async def test_what_is_empty_leaves_the_stored_hash(ada: Client, empty: str | None) -> None:
    """Absent, null and empty alike, as the command line sends them."""
    await ada.sync(diffs_hash="a", stars_hash="b", tldrs_hash="c")
    await ada.sync(diffs_hash=empty, tldrs=[])
    status = await ada.status()

    assert [status[name] for name in ("diffs_hash", "stars_hash", "tldrs_hash")] == ["a", "b", "c"]


async def test_the_content_is_what_was_uploaded(ada: Client) -> None:
    """All three collections, salt and profile; no flag where nothing was skipped."""
    await ada.sync(diffs=items("d1", "d2"), stars=items("d1:0"), tldrs=items("d1:1"))
    content = await ada.content()

    assert content == {
        "diffs": items("d1", "d2"),
        "stars": items("d1:0"),
        "tldrs": items("d1:1"),
        "salt": "content salt==",
        "encrypted_api_key": "key+/=",
        "profile": {
            "name": "Ada",
            "languages": ["JavaScript"],
            "frameworks": ["React"],
            "tools": ["Docker"],
            "topics": ["AI/ML"],
            "depth": "deep",
            "custom_focus": "bugs",
        },
    }


async def test_what_the_client_has_already_is_skipped_and_flagged(ada: Client) -> None:
    """An empty list without the flag would erase what the client has."""
    await ada.sync(
        diffs=items("d"), stars=items("d:0"), diffs_hash="h", stars_hash="i", keys_hash="k"
    )
    some = await ada.content(diffs_hash="h", stars_hash="other", tldrs_hash="", keys_hash="k")
    none = await ada.content(diffs_hash="", tldrs_hash=None)

    assert (some["diffs"], some["diffs_skipped"]) == ([], True)
    assert some["stars"] == items("d:0")
    assert some["keys_skipped"] is True
    assert not {"stars_skipped", "tldrs_skipped", "encrypted_api_key"} & set(some)
    assert none["diffs"] == items("d")
    assert not {"diffs_skipped", "keys_skipped"} & set(none)


async def test_an_upload_answers_with_what_was_sent(ada: Client) -> None:
    """Hashes are repeated where they were sent, counts are of the request and not of rows."""
    answer = await ada.sync(
        diffs=items("a", "a"),
        deleted_diff_ids=["x", "y", "z"],
        deleted_star_ids=["x"],
        diffs_hash="h",
    )
    empty = await ada.sync()

    assert answer == (
        200,
        {
            "success": True,
            "diffs_hash": "h",
            "synced": {
                "diffs": 2,
                "stars": 0,
                "tldrs": 0,
                "deleted_diffs": 3,
                "deleted_stars": 1,
                "deleted_tldrs": 0,
            },
        },
    )
    assert empty[1].keys() == {"success", "synced"}


async def test_uploads_replace_and_deletions_come_last(ada: Client) -> None:
    """What one request uploads and deletes is deleted."""
    await ada.sync(diffs=items("a", "b"), stars=items("s"))
    await ada.sync(
        diffs=[*items("a", text="new {}"), *items("c")],
        deleted_diff_ids=["b", "c", "unknown"],
        deleted_star_ids=["s"],
    )
    content = await ada.content()

    assert content["diffs"] == items("a", text="new {}")
    assert content["stars"] == []


async def test_summaries_go_with_their_diff_and_stars_do_not(ada: Client) -> None:
    """By the exact beginning of the id, whatever letters it has."""
    await ada.sync(
        diffs=items("a_", "ab"),
        stars=items("a_:0"),
        tldrs=items("a_:0", "a_:1", "ab:0", "a_b:0", "x"),
    )
    await ada.sync(deleted_diff_ids=["a_"])

    assert sorted(await ada.ids("tldrs")) == ["a_b:0", "ab:0", "x"]
    assert await ada.ids("stars") == ["a_:0"]


async def test_fifty_diffs_are_kept_and_of_one_upload_the_first(ada: Client) -> None:
    """Clients upload the newest first; stars have no such bound."""
    names = [f"n{number}" for number in range(60)]
    await ada.sync(diffs=items(*names), stars=items(*names), tldrs=items(*names))

    assert await ada.ids() == names[:50]
    assert len(await ada.ids("stars")) == len(await ada.ids("tldrs")) == 60


async def test_a_later_upload_counts_as_newer_and_refreshes_what_it_repeats(ada: Client) -> None:
    """The oldest go, not those that were just sent."""
    names = [f"n{number}" for number in range(50)]
    await ada.sync(diffs=items(*names))
    await ada.sync(diffs=items("new", "n49"))
    ids = await ada.ids()

    assert ids[:2] == ["new", "n49"]
    assert len(ids) == 50
    assert "n48" not in ids


async def test_ids_belong_to_their_profile(inside: Inside, ada: Client) -> None:
    """Somebody else's item of the same id is another item."""
    await ada.sync(diffs=items("same"), stars=items("same"))
    async with Client(inside) as bob:
        await bob.create()
        await bob.sync(diffs=items("same", text="bob's"), deleted_star_ids=["same"])
        theirs = await bob.content()
    ours = await ada.content()

    assert theirs["diffs"] == items("same", text="bob's")
    assert ours["diffs"] == items("same")
    assert ours["stars"] == items("same")


@pytest.mark.parametrize(
    "bad",
    [
        {"diffs": [{"id": "x"}]},
        {"diffs": [{"encrypted_data": "x"}]},
        {"stars": [{"id": None, "encrypted_data": "x"}]},
        {"tldrs": [{"id": "x", "encrypted_data": 5}]},
        {"tldrs": [{"id": "", "encrypted_data": ""}]},
        {"stars": [{"id": "x" * 513, "encrypted_data": ""}]},
        {"diffs": {}},
        {"deleted_diff_ids": [5]},
        {"profile": {"languages": "JavaScript"}},
        {"diffs_hash": {}},
        {"keys_hash": "\u0000"},
    ],
    ids=lambda bad: str(bad)[:40],
)
async def test_an_upload_is_taken_whole_or_not_at_all(ada: Client, bad: dict[str, Any]) -> None:
    """One bad part: 400, and nothing of the rest."""
    await ada.sync(diffs=items("before"), diffs_hash="before")
    good = {"diffs": items("good"), "deleted_diff_ids": ["before"], "diffs_hash": "after"}
    status, answer = await ada.sync(**{**good, **bad})

    assert status == 400
    assert set(answer) == {"error"}
    assert await ada.ids() == ["before"]
    assert (await ada.status())["diffs_hash"] == "before"


async def test_every_upload_moves_the_time_of_the_content(ada: Client) -> None:
    """An empty one too; whole seconds."""
    before = (await ada.status())["content_updated_at"]
    await asyncio.sleep(1.01)  # The clock of the page has whole seconds.
    await ada.sync()
    after = (await ada.status())["content_updated_at"]

    assert before < after


async def test_part_of_the_profile_can_come_along(ada: Client) -> None:
    """Only the fields that are there; sources and keys too."""
    await ada.sync(
        profile={"name": "B", "topics": []},
        resolved_sources={"feeds": ["x"]},
        encrypted_api_key="k2",
    )
    await ada.sync(profile={}, resolved_sources=None, encrypted_api_key="")
    profile = ada.json((await ada.read())[1])

    assert (profile["name"], profile["topics"], profile["tools"]) == ("B", [], ["Docker"])
    assert profile["resolved_sources"] == {"feeds": ["x"]}
    assert profile["encrypted_api_key"] == "k2"


async def test_items_come_with_the_profile_where_they_are_asked_for(ada: Client) -> None:
    """As bare texts, newest first."""
    await ada.sync(diffs=items("a"), stars=items("s"))
    await ada.sync(diffs=items("b"))
    with_items = ada.json((await ada.read(include_data="true"))[1])
    without = ada.json((await ada.read(include_data="1"))[1])

    assert with_items["encrypted_diffs"] == ["ciphertext of b", "ciphertext of a"]
    assert with_items["encrypted_stars"] == ["ciphertext of s"]
    assert "encrypted_diffs" not in without


async def test_whether_a_client_needs_to_sync(ada: Client) -> None:
    """By its hashes; one that it leaves out counts as needed."""
    await ada.sync(diffs_hash="a+b", stars_hash="s", tldrs_hash="t")
    path = f"{ada.path}/sync"
    same = ada.json((await ada.ask("GET", f"{path}?diffs_hash=a%2Bb&stars_hash=s&tldrs_hash=t"))[1])
    some = ada.json((await ada.ask("GET", f"{path}?diffs_hash=a+b&stars_hash=s"))[1])
    unknown = await ada.ask("GET", "/api/profile/unknown/sync")

    assert same.pop("server_updated_at")[-1] == "Z"
    assert same == {
        "needs_sync": False,
        "diffs_sync_needed": False,
        "stars_sync_needed": False,
        "tldrs_sync_needed": False,
        "server_diffs_hash": "a+b",
        "server_stars_hash": "s",
        "server_tldrs_hash": "t",
    }
    assert some["needs_sync"] is True
    assert (some["diffs_sync_needed"], some["stars_sync_needed"]) == (True, False)
    assert some["tldrs_sync_needed"] is True
    assert unknown[0] == 404


async def test_fifty_large_diffs_come_in_one_upload(ada: Client) -> None:
    """A body of 15 MiB is taken and comes back; one over 16 MiB is 413."""
    large = [{"id": f"n{n}", "encrypted_data": f"{n:02}" * 150_000} for n in range(50)]
    answers = []
    for diffs in (large, items("x", text="x" * (17 << 20))):
        # As a file, because aiohttp's client complains of large bytes.
        body = io.BytesIO(json.dumps({"password_hash": ada.hash, "diffs": diffs}).encode())
        answers.append(await ada.post(f"{ada.path}/sync", data=body))
    (status, _, _), (over, answer, _) = answers
    content = await ada.content()

    assert status == 200
    assert content["diffs"] == large
    assert over == 413
    assert set(answer) == {"error"}


async def test_a_profile_is_bounded(serve: Any) -> None:
    """In bytes of all its items and in their number: 413, and nothing is written."""
    server = await serve(difflog_profile_bytes_max=1000, difflog_items_max=3)
    async with Client(server) as ada:
        await ada.create()
        fits, _ = await ada.sync(stars=items("a", text="x" * 900))
        over, _ = await ada.sync(stars=items("b", text="x" * 200), stars_hash="h")
        many, _ = await ada.sync(stars=items("b", "c", "d", text=""))
        instead, _ = await ada.sync(stars=items("b", text="x" * 900), deleted_star_ids=["a"])
        anew, _, _ = await ada.post(
            f"{ada.path}/password",
            json={
                "old_password_hash": ada.hash,
                "new_password_hash": "a:b",
                "new_encrypted_api_key": "k",
                "new_salt": "s",
                "diffs": items("c", text="x" * 2000),
            },
        )
        ids = await ada.ids("stars")

    assert (fits, over, many, instead, anew) == (200, 413, 413, 200, 413)
    assert ids == ["b"]


async def test_a_profile_says_no_more_than_it_may_about_itself(ada: Client) -> None:
    """Fields and keys have a bound of their own."""
    status, _ = await ada.sync(profile={"topics": ["x" * 300_000]})
    again, _ = await ada.create(encrypted_api_key="x" * 300_000)

    assert (status, again) == (413, 413)


async def test_devices_at_once_lose_nothing(ada: Client) -> None:
    """Twenty uploads of one star each; all are there."""
    names = [f"s{number}" for number in range(20)]
    answers = await asyncio.gather(*(ada.sync(stars=items(name)) for name in names))

    assert {status for status, _ in answers} == {200}
    assert sorted(await ada.ids("stars")) == sorted(names)
