"""Pictures of files over HTTP: made by the server, brought by clients."""

from __future__ import annotations

import asyncio
import io

import aiohttp
import pytest

from auth.principal import Role
from server.media.gallery import GALLERY
from tests.inside import Guest, Inside
from tests.server.adapters.heaps.asking import made
from tests.server.adapters.heaps.conftest import ada, bob, inside, serve
from tests.server.adapters.heaps.filing import attach, block, fetch, filed
from tests.server.media import making

__all__ = ["ada", "bob", "inside", "serve"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

PICTURE = making.encoded(".png")


@pytest.mark.parametrize(("size", "pixels"), [("small", 256), ("medium", 512), ("large", 1280)])
async def test_a_file_has_pictures_of_three_sizes(
    inside: Inside, ada: Guest, size: str, pixels: int
) -> None:
    """WebP that fits the size, for the block's members only to keep."""
    name, _ = await filed(inside, ada, making.encoded(".jpg", 1600, 1000))
    data, headers = await fetch(ada, f"/api/file/{name}/thumbnail/{size}/any-slug.jpg")

    assert making.pixels_of(data).width == pixels
    assert headers["Content-Type"] == "image/webp"
    assert headers["Cache-Control"].startswith("private")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in headers["Content-Security-Policy"]


async def test_a_picture_is_sent_once_to_who_has_it(inside: Inside, ada: Guest) -> None:
    """If-None-Match gets 304 without a body; HEAD has the headers alone."""
    name, _ = await filed(inside, ada, PICTURE)
    path = f"/api/file/{name}/thumbnail/small/x"
    data, headers = await fetch(ada, path)
    again, _ = await fetch(ada, path, 304, If_None_Match=headers["ETag"])
    head, same = await fetch(ada, path, method="HEAD")

    assert (again, head) == (b"", b"")
    assert (same["ETag"], same["Content-Length"]) == (headers["ETag"], str(len(data)))


async def test_a_token_in_the_query_counts(inside: Inside, ada: Guest, bob: Guest) -> None:
    """An <img> has no headers; somebody else's token opens nothing, nor does none."""
    name, _ = await filed(inside, ada, PICTURE)
    path = f"{inside.url}/api/file/{name}/thumbnail/small/x"
    statuses = []
    async with aiohttp.ClientSession() as nobody:
        for token in (ada.token, bob.token, "x.y.z", ada.person.refresh, ""):
            async with nobody.get(path, params={"token": token}) as response:
                statuses.append(response.status)

    assert statuses == [200, 404, 401, 401, 401]


async def test_many_requests_for_one_picture_make_it_once(inside: Inside, ada: Guest) -> None:
    """A page with fifty of the same, on its first visit."""
    name, _ = await filed(inside, ada, making.encoded(".png", 900, 900))
    before = inside.app[GALLERY].made
    path = f"/api/file/{name}/thumbnail/medium/x"
    found = await asyncio.gather(*(fetch(ada, path) for _ in range(50)))

    assert inside.app[GALLERY].made == before + 1
    assert len({data for data, _ in found}) == 1


async def test_unknown_things_have_no_picture(inside: Inside, ada: Guest, bob: Guest) -> None:
    """No block, no file, no such size, somebody else's block: 404."""
    name, hash_ = await filed(inside, ada, PICTURE)
    empty = await block(ada)
    for path in (
        f"/api/file/{empty}/thumbnail/small/x",
        "/api/file/01J9ZV3M8Q4R5S6T7V8W9X0YZB/thumbnail/small/x",
        f"/api/file/{name}/thumbnail/huge/x",
        f"/api/file/{name}/thumbnail/small/x?hash={'0' * 64}",
    ):
        await fetch(ada, path, 404)
    await fetch(ada, f"/api/file/{name}/thumbnail/small/x?hash={hash_.upper()}")
    await fetch(bob, f"/api/file/{name}/thumbnail/small/x", 404)


async def test_a_member_sees_pictures_and_a_viewer_brings_none(
    inside: Inside, ada: Guest, bob: Guest
) -> None:
    """Reading is for every member, writing for editors."""
    heap = await made(ada)
    name, hash_ = await filed(inside, ada, PICTURE, scope=heap)
    await inside.grants.set_member(heap, bob.account, Role.VIEWER)

    await fetch(bob, f"/api/file/{name}/thumbnail/small/x")
    assert await bring(bob, name, hash_, PICTURE) == 403


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"PK\x03\x04" + bytes(50), "unsupported_media"),
        (making.bomb(), "media_too_large"),
        (making.encoded(".jpg")[:60], "media_broken"),
        (b"", "unsupported_media"),
    ],
    ids=["zip", "bomb", "broken", "empty"],
)
async def test_files_without_a_picture_say_why(
    inside: Inside, ada: Guest, data: bytes, code: str
) -> None:
    """415 with a word, the second time without another try."""
    name, _ = await filed(inside, ada, data)
    path = f"/api/file/{name}/thumbnail/small/x"
    await fetch(ada, path, 415)
    jobs = inside.app[GALLERY].workshop.jobs
    answer, _ = await fetch(ada, path, 415)

    assert f'"error":"{code}"'.encode() in answer
    assert inside.app[GALLERY].workshop.jobs == jobs


async def test_the_newest_file_of_a_block_is_shown(inside: Inside, ada: Guest) -> None:
    """Another one by its hash."""
    name, first = await filed(inside, ada, PICTURE)
    await attach(inside, ada, name, making.encoded(".png", 100, 300))
    newest, _ = await fetch(ada, f"/api/file/{name}/thumbnail/small/x")
    older, _ = await fetch(ada, f"/api/file/{name}/thumbnail/small/x?hash={first}")

    assert making.pixels_of(newest).width < making.pixels_of(newest).height
    assert making.pixels_of(older).width > making.pixels_of(older).height


async def test_a_video_is_shown_at_a_position(inside: Inside, ada: Guest) -> None:
    """Seconds, a share of its length as it is or escaped, behind its end; other words are 400."""
    name, _ = await filed(inside, ada, making.video(4))
    path = f"/api/file/{name}/video_thumbnail/small"
    colours = {}
    for position in ("0", "100%25", "99%25", "3.9", "1000"):
        data, _ = await fetch(ada, f"{path}/{position}")
        colours[position] = making.colour_at(data)
    for position in ("x", "-1", "101%25", "1e3"):
        await fetch(ada, f"{path}/{position}", 400)

    assert colours.pop("0") == "red"
    assert set(colours.values()) == {"blue"}


async def test_a_video_thumbnail_is_of_a_video(inside: Inside, ada: Guest) -> None:
    """An image has no position: 415. A video has a plain thumbnail too."""
    still, _ = await filed(inside, ada, PICTURE)
    film, _ = await filed(inside, ada, making.video(2))

    await fetch(ada, f"/api/file/{still}/video_thumbnail/small/1", 415)
    await fetch(ada, f"/api/file/{film}/thumbnail/small/x")


async def test_what_moves_has_a_moving_picture(inside: Inside, ada: Guest) -> None:
    """A GIF and a video; what stands still has none."""
    for data in (making.moving(), making.video(3)):
        name, _ = await filed(inside, ada, data)
        film, _ = await fetch(ada, f"/api/file/{name}/animated_thumbnail/small/x")
        assert making.pixels_of(film).get("n-pages") > 1
    name, _ = await filed(inside, ada, PICTURE)
    await fetch(ada, f"/api/file/{name}/animated_thumbnail/small/x", 415)


async def bring(guest: Guest, name: str, hash_: str, data: bytes, kind: str = "thumbnail") -> int:
    """Upload a picture of a file; the status."""
    form = aiohttp.FormData()
    form.add_field("thumbnail", io.BytesIO(data), filename="t.webp", content_type="image/webp")
    form.add_field("type", kind)
    form.add_field("size", "small")
    path = f"/api/upload/thumbnail/{name}/{hash_}/key-1"
    async with guest.http.post(path, data=form, headers=guest.bearer) as response:
        await response.read()
        return response.status


async def test_a_client_brings_a_picture_of_its_own(inside: Inside, ada: Guest) -> None:
    """It is kept for that block, replaces the one before, and is shown instead of the server's."""
    name, hash_ = await filed(inside, ada, b"\x00 a format that nobody knows")
    path = f"/api/download/thumbnail/{name}/{hash_}/thumbnail/small"
    await fetch(ada, path, 404)
    await fetch(ada, f"/api/file/{name}/thumbnail/small/x", 415)
    for side in (50, 60):
        picture = making.encoded(".webp", side, side)
        assert await bring(ada, name, hash_, picture) == 200
        data, headers = await fetch(ada, path)
        assert (data, headers["Content-Type"]) == (picture, "image/webp")
        shown, _ = await fetch(ada, f"/api/file/{name}/thumbnail/small/x")
        assert shown == picture
    await fetch(ada, f"/api/download/thumbnail/{name}/{hash_}/thumbnail/large", 404)
    usage = await inside.app[GALLERY].blobs.usage(ada.account)
    assert usage.files == 2


async def test_a_picture_of_a_client_stays_with_its_block(
    inside: Inside, ada: Guest, bob: Guest
) -> None:
    """Somebody who has the same file is not shown what another person says it looks like."""
    film = making.encoded(".png", 300, 100)
    mine, hash_ = await filed(inside, ada, film)
    theirs, _ = await filed(inside, bob, film)
    assert await bring(ada, mine, hash_, making.encoded(".webp", 50, 50)) == 200
    seen, _ = await fetch(bob, f"/api/file/{theirs}/thumbnail/small/x")

    assert making.pixels_of(seen).width == 256
    await fetch(bob, f"/api/download/thumbnail/{mine}/{hash_}/thumbnail/small", 404)
    assert await bring(bob, mine, hash_, PICTURE) == 404


async def test_a_made_picture_can_be_downloaded_once_it_is_there(
    inside: Inside, ada: Guest
) -> None:
    """The route of stored pictures makes none."""
    name, hash_ = await filed(inside, ada, making.encoded(".png", 333, 222))
    path = f"/api/download/thumbnail/{name}/{hash_}/image/small"
    await fetch(ada, path, 404)
    made_, _ = await fetch(ada, f"/api/file/{name}/thumbnail/small/x")

    assert (await fetch(ada, path))[0] == made_


@pytest.mark.parametrize(
    ("data", "kind", "status"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='x()'/>", "thumbnail", 415),
        (b"<html>", "thumbnail", 415),
        (making.encoded(".png")[:90], "thumbnail", 415),
        (b"", "thumbnail", 400),
        (PICTURE, "../up", 400),
        (PICTURE + bytes(5 << 20), "thumbnail", 413),
    ],
    ids=["svg", "html", "broken", "empty", "type", "large"],
)
async def test_what_is_no_picture_is_refused(
    inside: Inside, ada: Guest, data: bytes, kind: str, status: int
) -> None:
    """It is decoded before it is kept."""
    name, hash_ = await filed(inside, ada, PICTURE)

    assert await bring(ada, name, hash_, data, kind) == status


async def test_a_picture_needs_a_file(inside: Inside, ada: Guest) -> None:
    """One that the block has; and the body must be a form."""
    name, hash_ = await filed(inside, ada, PICTURE)
    assert await bring(ada, name, "0" * 64, PICTURE) == 404
    assert await bring(ada, name, "zz", PICTURE) == 404
    path = f"/api/upload/thumbnail/{name}/{hash_}/k"
    for body, kind in ((b"{}", "application/json"), (b"x", "multipart/form-data")):
        headers = {**ada.bearer, "Content-Type": kind}
        async with ada.http.post(path, data=body, headers=headers) as response:
            assert response.status == 400
