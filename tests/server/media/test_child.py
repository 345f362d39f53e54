"""What helpers make of files: good ones, broken ones, and ones that mean harm."""

from __future__ import annotations

import contextlib
import http.server
import os
import random
import threading
from pathlib import Path

import pytest

from server.media.work import Refused
from server.media.workshop import Workshop
from tests.server.media import making
from tests.server.media.conftest import Do

pytestmark = pytest.mark.asyncio(loop_scope="module")

IMAGES = {
    "jpeg": making.encoded(".jpg"),
    "png": making.encoded(".png"),
    "webp": making.encoded(".webp"),
    "gif": making.encoded(".gif"),
    "tiff": making.encoded(".tif"),
    "avif": making.encoded(".avif"),
    "heic": making.heic(),
}


@pytest.mark.parametrize("data", IMAGES.values(), ids=IMAGES)
async def test_an_image_of_each_format_gets_a_picture(do: Do, data: bytes) -> None:
    """It fits the size, keeps its proportions and its colours, and is WebP."""
    answer, picture = await do("still", data, 128)

    assert (answer.mime, answer.width, answer.height) == ("image/webp", 128, 80)
    assert picture[8:12] == b"WEBP"
    assert [making.colour_at(picture, y=y) for y in (0.25, 0.75)] == ["red", "blue"]


async def test_a_small_image_is_not_blown_up(do: Do) -> None:
    """Nothing is gained by more pixels than there are."""
    answer, _ = await do("still", making.encoded(".png", 40, 20), 512)

    assert (answer.width, answer.height) == (40, 20)


@pytest.mark.parametrize(
    ("orientation", "size", "first"),
    [(1, (128, 80), "red"), (3, (128, 80), "blue"), (6, (80, 128), "blue"), (8, (80, 128), "red")],
)
async def test_orientation_is_applied(
    do: Do, orientation: int, size: tuple[int, int], first: str
) -> None:
    """As every viewer of photographs does it: by quarters for 6 and 8."""
    answer, picture = await do("still", making.turned(orientation), 128)
    x, y = (0.25, 0.5) if size[0] < size[1] else (0.5, 0.25)

    assert (answer.width, answer.height) == size
    assert making.colour_at(picture, x, y) == first


async def test_a_colour_profile_is_respected(do: Do) -> None:
    """Values of a wide gamut are other ones in sRGB, and the picture needs no profile."""
    wide = making.image(64, 64, (0, 200, 0)).icc_export(output_profile="p3")
    _, picture = await do("still", bytes(wide.pngsave_buffer(profile="p3")), 64)
    seen = making.pixels_of(picture)

    assert seen.get_typeof("icc-profile-data") == 0
    assert seen.getpoint(30, 10)[1] == pytest.approx(200, abs=8)


async def test_nothing_of_the_metadata_is_in_the_picture(do: Do) -> None:
    """A position least of all."""
    _, picture = await do("still", making.photographed())

    assert b"EXIF" not in picture
    assert b"Plait Cameras" not in picture


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
async def test_a_moving_image_gets_a_moving_picture(do: Do, suffix: str) -> None:
    """All its frames; its still is the first of them."""
    _, film = await do("animated", making.moving(suffix))
    answer, picture = await do("still", making.moving(suffix))

    assert making.pixels_of(film).get("n-pages") == 4
    assert (answer.width, answer.height) == (64, 64)
    assert making.colour_at(picture) == "red"


async def test_an_image_that_stands_still_has_no_moving_picture(do: Do) -> None:
    """It is refused as not supported, not as broken."""
    with pytest.raises(Refused) as refused:
        await do("animated", IMAGES["png"])

    assert refused.value.code == "unsupported_media"


VIDEOS = {
    "mp4": making.video(),
    "webm": making.video(2, form="webm", codec="libvpx"),
    "mkv": making.video(2, form="matroska"),
    "avi": making.video(2, form="avi", codec="mpeg4"),
    "ts": making.video(2, form="mpegts", codec="mpeg2video"),
}


@pytest.mark.parametrize("data", VIDEOS.values(), ids=VIDEOS)
async def test_a_video_gets_pictures_of_its_start_and_end(do: Do, data: bytes) -> None:
    """At seconds and at a share of its length; behind its end the last frame is shown."""
    colours = {}
    for position in ("0", "100%", "99999"):
        answer, picture = await do("still", data, 160, position=position)
        assert (answer.width, answer.height) == (160, 90)
        colours[position] = making.colour_at(picture)

    assert colours == {"0": "red", "100%": "blue", "99999": "blue"}


async def test_a_position_in_a_video_is_exact(do: Do) -> None:
    """Not that of the keyframe before it."""
    _, early = await do("still", VIDEOS["mp4"], 64, position="0.3")
    _, late = await do("still", VIDEOS["mp4"], 64, position="75%")

    assert (making.colour_at(early), making.colour_at(late)) == ("red", "blue")


async def test_a_video_gets_a_moving_preview(do: Do) -> None:
    """Frames from all over it."""
    answer, film = await do("animated", VIDEOS["mp4"], 160)
    seen = making.pixels_of(film)

    assert (answer.width, answer.height) == (160, 90)
    assert seen.get("n-pages") > 8


@pytest.mark.parametrize("position", ["-1", "101%", "x", "1e9", "", "٣"])
async def test_other_words_for_a_position_are_refused(do: Do, position: str) -> None:
    """An empty one is the place where a picture is taken when nobody says."""
    if not position:
        assert (await do("still", VIDEOS["mp4"], 64, position=""))[1]
        return
    with pytest.raises(Refused):
        await do("still", VIDEOS["mp4"], 64, position=position)


async def test_a_pdf_shows_its_first_page(do: Do) -> None:
    """In its proportions, on white."""
    answer, picture = await do("still", making.pdf(300, 400), 200)

    assert (answer.width, answer.height) == (150, 200)
    assert making.colour_at(picture) == "white"


@pytest.mark.parametrize(
    "data",
    [
        b"First line & <b>bold</b>\nsecond\n" * 20,
        "Grüße, 漢字, שלום\n".encode() * 4,
        "sixteen bits".encode("utf-16"),
        b"\n\n",
        b"x" * 100_000,
    ],
    ids=["markup", "many scripts", "utf-16", "blank", "one long line"],
)
async def test_a_text_shows_its_first_lines(do: Do, data: bytes) -> None:
    """As a page, whatever is in it."""
    answer, picture = await do("still", data, 200)
    dark = (255 - making.pixels_of(picture).extract_band(0)).avg()

    assert (answer.width, answer.height) == (150, 200)
    assert (dark > 0.01) == bool(data.strip())


async def test_an_svg_is_drawn(do: Do) -> None:
    """As large as is asked for: its left half is red, the right one empty."""
    answer, picture = await do("still", making.svg(), 400)

    assert (answer.width, answer.height) == (400, 200)
    assert making.colour_at(picture, 0.2, 0.5) == "red"


async def test_helpers_are_sealed(workshop: Workshop, do: Do) -> None:
    """Files and network are closed to what decodes (on a kernel that can do that)."""
    await do("still", IMAGES["png"])

    assert workshop.is_sealed


async def test_an_svg_reaches_no_file_and_no_network(do: Do, tmp_path: Path) -> None:
    """It is drawn as if what it names were not there; a server that it names is never asked."""
    asked: list[str] = []

    class Listener(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    listener = http.server.HTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    secret = tmp_path / "secret.png"
    secret.write_bytes(making.encoded(".png"))
    url = f"http://127.0.0.1:{listener.server_port}/x.png"
    for reference in (f"file://{secret}", str(secret), url):
        inside = f'<image width="100" height="50" href="{reference}" xlink:href="{reference}"/>'
        style = f'<?xml-stylesheet href="{reference}"?>'
        entity = f'<!DOCTYPE svg [<!ENTITY x SYSTEM "{reference}">]>'
        for drawing in (
            making.svg(inside),
            making.svg(f"<style>@import url({reference});</style>", style),
            making.svg('<text y="20">&x;</text>', entity),
        ):
            try:
                _, picture = await do("still", drawing, 100)
            except Refused:
                continue
            assert making.pixels_of(picture).max() == 0 or b"entity" in drawing.lower()
    listener.shutdown()
    listener.server_close()

    assert asked == []


BROKEN = {
    "empty": b"",
    "truncated jpeg header": IMAGES["jpeg"][:40],
    "truncated png": IMAGES["png"][:60],
    "truncated webp": IMAGES["webp"][:30],
    "truncated avif": IMAGES["avif"][:120],
    "truncated heic": IMAGES["heic"][:200],
    "truncated gif": IMAGES["gif"][:20],
    "truncated tiff": IMAGES["tiff"][:12],
    "truncated mp4": VIDEOS["mp4"][:64],
    "truncated webm": VIDEOS["webm"][:80],
    "truncated pdf": making.pdf()[:40],
    "png of 50,000 x 50,000": making.bomb(),
    "png of 2^31 lines": making.bomb(8, 2**31 - 1),
    "svg of a billion words": making.laughing(),
    "svg without end": making.svg()[:-10],
    "svg in svg": making.svg("<g>" * 100_000),
    "playlist of files": b"#EXTM3U\n#EXT-X-TARGETDURATION:9\nfile:///etc/passwd\n\0",
    "ffconcat": b"ffconcat version 1.0\nfile /etc/passwd\n\0",
    "zip": b"PK\x03\x04" + bytes(100),
    "noise": bytes(range(256)) * 20,
    "jpeg that is noise": b"\xff\xd8\xff\xe0" + bytes(range(256)) * 20,
    "mp4 that is noise": b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(range(256)) * 20,
    "heic that is noise": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(range(256)) * 20,
    "png that is a pdf": b"\x89PNG\r\n\x1a\n%PDF-1.4\n" + making.pdf(),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("task", ["still", "animated"])
async def test_broken_and_lying_files_are_refused(do: Do, task: str, data: bytes) -> None:
    """Each with a word of its own; the next file is not any worse off for it."""
    with pytest.raises(Refused) as refused:
        await do(task, data)

    assert refused.value.status == 415
    assert (await do("still", IMAGES["jpeg"]))[0].width == 128


LYING = {
    "png named jpg": ("photo.jpg", IMAGES["png"], "image/png"),
    "text named png": ("photo.png", b"just words\n", "text/plain"),
    "html named png": ("photo.png", b"<!doctype html><script>1</script>", "text/html"),
    "gif with html behind it": ("x.html", IMAGES["gif"] + b"<script>1</script>", "image/gif"),
    "jpeg with a zip behind it": ("x.zip", IMAGES["jpeg"] + b"PK\x03\x04", "image/jpeg"),
    "markdown": ("notes.md", b"# Notes\n", "text/markdown"),
}


@pytest.mark.parametrize(("name", "data", "mime"), LYING.values(), ids=LYING)
async def test_the_bytes_say_what_a_file_is(do: Do, name: str, data: bytes, mime: str) -> None:
    """Whatever it is called; names only tell kinds of text apart."""
    answer, _ = await do("describe", data, name=name)
    assert answer.facts is not None

    assert answer.facts.mime == mime


DAMAGED_EACH = 200 if os.environ.get("PLAIT_TEST_FULL") else 4


@pytest.mark.parametrize("name", [*IMAGES, *VIDEOS, "pdf", "svg"])
async def test_damaged_files_cost_themselves_only(workshop: Workshop, do: Do, name: str) -> None:
    """With bytes changed, cut out or doubled anywhere: a picture or a refusal, never a fault."""
    chance = random.Random(f"damage {name}")
    whole = {**IMAGES, **VIDEOS, "pdf": making.pdf(), "svg": making.svg()}[name]
    for _ in range(DAMAGED_EACH):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 8)):
            at = chance.randrange(len(data))
            end = at + chance.randint(1, 40)
            data[at:end] = chance.choice([b"", chance.randbytes(3), data[at:end] * 2])
        for task in ("still", "animated", "describe"):
            with contextlib.suppress(Refused):
                await do(task, bytes(data))
    assert (await do("still", IMAGES["jpeg"]))[0].width == 128
    assert workshop.deaths <= 1


async def test_an_image_that_breaks_off_shows_what_is_there(do: Do) -> None:
    """Half a photograph is better than none."""
    whole = making.encoded(".jpg", 2000, 1000)

    assert (await do("still", whole[: len(whole) // 2]))[0].width == 128


async def test_a_client_picture_must_be_one(do: Do) -> None:
    """A raster image that browsers show, decoded to its end."""
    answer, _ = await do("check", IMAGES["webp"])
    assert (answer.mime, answer.width, answer.height) == ("image/webp", 320, 200)

    for data in (b"<svg/>", making.svg(), b"text", IMAGES["heic"], IMAGES["tiff"], making.pdf()):
        with pytest.raises(Refused):
            await do("check", data)
