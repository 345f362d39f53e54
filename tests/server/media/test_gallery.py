"""Pictures are made once, kept, made again when they must be, and go with their source."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from server.files import open_store
from server.media.gallery import Gallery
from server.media.work import Refused
from server.settings import Settings
from storage.blobs import Blob, Blobs, LocalStore, Use
from storage.pool import Pool
from tests.server.media import making
from tests.weed import Weed


async def once(data: bytes) -> AsyncIterator[bytes]:
    """One piece."""
    yield data


@pytest.fixture
async def gallery(pool: Pool, tmp_path: Path) -> AsyncIterator[Gallery]:
    """A gallery on a folder of the test's own."""
    settings = Settings(media_processes=1, media_variants_max=4)
    opened = Gallery(settings, pool, Blobs(pool, LocalStore(tmp_path), grace_s=0))
    yield opened
    await opened.close()


async def stored(gallery: Gallery, data: bytes) -> Blob:
    """Bytes that something uses."""
    blob = await gallery.blobs.receive(once(data), bytes_max=1 << 30)
    await gallery.blobs.use(blob.digest, Use(kind="test", holder="test"))
    return blob


async def test_many_who_ask_at_once_have_it_made_once(gallery: Gallery) -> None:
    """And whoever asks later gets the same, without a helper."""
    source = await stored(gallery, making.encoded(".jpg"))
    found = await asyncio.gather(*(gallery.picture(source, "still", "small") for _ in range(20)))
    later = await gallery.picture(source, "still", "small")

    assert gallery.made == 1
    assert {one.digest for one in found} == {later.digest}
    data = await gallery.blobs.whole(later.digest, 1 << 20)
    assert making.pixels_of(data).width == later.width == 256


async def test_a_caller_who_leaves_does_not_stop_the_others(gallery: Gallery) -> None:
    """The one who asked first closes the page; the rest still see the picture."""
    source = await stored(gallery, making.encoded(".png", 2000, 2000))
    first = asyncio.create_task(gallery.picture(source, "still", "large"))
    second = asyncio.create_task(gallery.picture(source, "still", "large"))
    await asyncio.sleep(0)
    first.cancel()

    assert (await second).width == 1280
    assert gallery.made == 1


async def test_a_failure_is_remembered_for_a_while(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken file costs one try; later, when the server may be a better one, another."""
    source = await stored(gallery, making.bomb())
    for _ in range(3):
        with pytest.raises(Refused) as refused:
            await gallery.picture(source, "still", "small")
        assert refused.value.code == "media_too_large"
    jobs = gallery.workshop.jobs
    monkeypatch.setattr(gallery, "_retry_s", 0.0)
    with pytest.raises(Refused):
        await gallery.picture(source, "still", "small")

    assert (jobs, gallery.workshop.jobs) == (1, 2)


async def test_pictures_of_one_file_are_bounded(gallery: Gallery) -> None:
    """Over the bound they are made, shown and not kept."""
    source = await stored(gallery, making.video(2))
    for number in range(6):
        picture = await gallery.picture(source, "still", "small", position=f"{number * 10}%")
        assert (picture.digest == b"") == (number >= 4)
        assert picture.width == 256

    assert await gallery.kept.count(source.digest) == 4


async def test_pictures_go_with_their_source(gallery: Gallery) -> None:
    """Nobody uses the file any more: it goes, and then what was made of it."""
    source = await stored(gallery, making.encoded(".png"))
    made = await gallery.picture(source, "still", "small")
    await gallery.facts(source)
    assert await gallery.blobs.collect(datetime.now(UTC) + timedelta(seconds=1)) == 0

    await gallery.blobs.release("test", "test")
    for _ in range(2):
        await gallery.blobs.collect(datetime.now(UTC) + timedelta(seconds=1))

    assert await gallery.blobs.find(source.digest) is None
    assert await gallery.blobs.find(made.digest) is None
    assert await gallery.kept.count(source.digest) == 0


async def test_facts_are_looked_at_once(gallery: Gallery) -> None:
    """Kind, size, camera, and the position beside them."""
    source = await stored(gallery, making.photographed())
    facts = await gallery.facts(source, "p.jpg")
    again = await gallery.facts(source, "p.jpg")

    assert facts == again
    assert (facts.mime, facts.width, facts.height) == ("image/jpeg", 320, 200)
    assert facts.exif["model"] == "P1"
    assert facts.position is not None
    assert gallery.workshop.jobs == 1


async def test_what_is_made_again_is_made_again(gallery: Gallery) -> None:
    """After `forget` a picture and the facts cost a helper's work once more."""
    source = await stored(gallery, making.encoded(".png"))
    await gallery.picture(source, "still", "small")
    await gallery.facts(source)
    await gallery.forget(source.digest)
    await gallery.picture(source, "still", "small")
    await gallery.facts(source)

    assert (gallery.made, gallery.workshop.jobs) == (2, 4)


async def test_files_of_an_object_store_are_fetched_to_be_decoded(
    pool: Pool, tmp_path: Path, s3: Weed
) -> None:
    """Whole, into a file without a name; one over the bound is refused unread."""
    settings = Settings(media_processes=1, media_source_bytes_max=100_000, data=tmp_path)
    store = open_store(replace(settings, **s3.settings))  # type: ignore[arg-type]
    opened = Gallery(settings, pool, Blobs(pool, store, grace_s=0))
    try:
        source = await stored(opened, making.encoded(".png"))
        picture = await opened.picture(source, "still", "small")
        data = await opened.blobs.whole(picture.digest, 1 << 20)
        large = await stored(opened, making.encoded(".png", 1200, 900, compression=0))
        with pytest.raises(Refused) as refused:
            await opened.picture(large, "still", "small")
    finally:
        await opened.close()
        await store.close()

    assert making.pixels_of(data).width == 256
    assert refused.value.code == "media_too_large"
