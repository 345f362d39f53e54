"""Images: uploaded, downloaded, replaced, refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.inside import Inside
from tests.server.adapters.ascently.conftest import ada, inside, phone, serve
from tests.server.adapters.ascently.phone import Phone

__all__ = ["ada", "inside", "phone", "serve"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

IMAGES = {
    "problem_abc123_0.jpg": (b"\xff\xd8\xffx", "image/jpeg"),
    "a.JPEG": (b"x", "image/jpeg"),
    "b.png": (b"x", "image/png"),
    "c.gif": (b"x", "image/gif"),
    "d.webp": (b"x", "image/webp"),
    "e f-ü.bin": (b"\x89PNG\r\n\x1a\nx", "image/png"),
    "webp": (b"RIFF0000WEBPx", "image/webp"),
    "gif": (b"GIF89a", "image/gif"),
    "other": (b"<svg onload=alert(1)>", "application/octet-stream"),
}


@pytest.mark.parametrize("name", IMAGES)
async def test_an_image_comes_back_under_its_name(phone: Phone, name: str) -> None:
    """With the type that its name says, else its first bytes; never to be guessed at."""
    data, kind = IMAGES[name]
    status, answer, _ = await phone.post("/images/upload", params={"filename": name}, data=data)
    async with phone.http.get(
        "/images/download", params={"filename": name}, headers=phone.bearer
    ) as response:
        assert (status, answer) == (200, {"status": "ok"})
        assert await response.read() == data
        assert response.content_type == kind
        assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_later_image_replaces_an_earlier_one(inside: Inside, phone: Phone) -> None:
    """Whose bytes are let go."""
    for data in (b"\xff\xd8\xffold", b"\xff\xd8\xffnew", b"\xff\xd8\xffnew"):
        await phone.post("/images/upload?filename=r.jpg", data=data)
    uses = await inside.pool.fetchval(
        "SELECT count(*) FROM blob_uses WHERE kind = 'ascently-image' AND holder LIKE '%/r.jpg'"
    )

    assert (await phone.get("/images/download?filename=r.jpg"))[1] == b"\xff\xd8\xffnew"
    assert uses == 1


@pytest.mark.parametrize(
    "name",
    ["", "../a.jpg", "a/b.jpg", "a\\b.jpg", "a\0.jpg", "a..jpg", ".hidden", "x" * 256, "a\n.jpg"],
    ids=repr,
)
async def test_a_name_that_is_no_bare_name_is_400(phone: Phone, name: str) -> None:
    """For both routes, in words."""
    status, answer, _ = await phone.post(
        "/images/upload", params={"filename": name}, data=b"\xff\xd8\xff"
    )
    async with phone.http.get(
        "/images/download", params={"filename": name}, headers=phone.bearer
    ) as response:
        assert response.status == status == 400
    assert set(answer) == {"error"}


async def test_images_have_bounds(serve: Any) -> None:
    """Empty ones are 400, large ones 413, and so is one too many; unknown ones 404."""
    server = await serve(ascently_image_bytes_max=1000, ascently_images_max=1)
    async with server.visitor() as guest, await Phone.of(guest) as phone:
        path = "/images/upload?filename={}.jpg"
        statuses = [
            (await phone.post(path.format(name), data=data))[0]
            for name, data in (("a", b""), ("a", b"x" * 1001), ("a", b"x"), ("b", b"x"))
        ]
        missing, _ = await phone.get("/images/download?filename=b.jpg")

    assert statuses == [400, 413, 200, 413]
    assert missing == 404
