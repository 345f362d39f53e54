"""Pictures of blobs: made when they are first asked for, once, and kept as blobs themselves.

However many ask for a picture at once, it is made once; a file that cannot be decoded is not tried
again for a while. What was made goes with its source.
"""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from aiohttp import web

from server.media.work import ANIMATED_SIZES, SIZES, Answer, Facts, Job, Limits, Refused
from server.media.workshop import Workshop
from storage.blobs import Blob, Blobs
from storage.derived import Derivations
from storage.errors import StorageError, StoreUnavailable, UnknownBlob
from storage.files import Files

if TYPE_CHECKING:
    from server.settings import Settings
    from storage.pool import Pool

log = logging.getLogger("plait.media")

Made = Literal["still", "animated"]
_MISSING_RETRY_S = 60.0
"""Seconds until a file is tried again for which a package was missing: it may be there by now."""


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """A picture that is kept, or (with `data`) one that was made for this moment."""

    digest: bytes
    mime: str
    width: int
    height: int
    data: bytes | None = None


class Gallery:
    """Methods may raise Refused, Busy, UnknownBlob, Unavailable and StoreUnavailable."""

    def __init__(self, settings: Settings, pool: Pool, blobs: Blobs) -> None:
        self.pool = pool
        self.blobs = blobs
        self.kept = Derivations(pool)
        self.files = Files(pool)
        self.upload_bytes_max = settings.picture_upload_bytes_max
        self.uploads_max = settings.pictures_per_block_max
        self.picture_bytes_max = max(settings.media_picture_bytes_max, self.upload_bytes_max)
        self.quota: int | None = settings.account_bytes_max
        self._settings = settings
        self._retry_s = settings.media_retry_s
        self.workshop = Workshop(
            processes=settings.media_processes,
            waiting_max=settings.media_waiting_max,
            memory_bytes=settings.media_memory_bytes,
            timeout_s=settings.media_timeout_s,
            limits=Limits(
                pixels_max=settings.media_pixels_max,
                frames_max=settings.media_frames_max,
                svg_bytes_max=settings.media_svg_bytes_max,
                cpu_s=settings.media_cpu_s,
                output_bytes_max=settings.media_picture_bytes_max,
            ),
        )
        self._making: dict[tuple[bytes, str], asyncio.Task[Picture]] = {}
        self.made = 0
        """Pictures that were made by this process."""

    async def picture(
        self, source: Blob, made: Made, size: str, *, position: str = "", name: str = ""
    ) -> Picture:
        """The picture of a blob in one of the sizes; made now if it is not there."""
        variant = f"{made}/{size}/{position}".rstrip("/")
        found = await self._find(source.digest, variant)
        if found is not None:
            return found
        key = (source.digest, variant)
        task = self._making.get(key)
        if task is None:
            pixels = (ANIMATED_SIZES if made == "animated" else SIZES)[size]
            job = Job(
                task=made,
                limits=self.workshop.limits,
                pixels=pixels,
                position=position,
                name=name,
            )
            work = self._make(source, variant, job)
            task = self._making[key] = asyncio.get_running_loop().create_task(work)
            task.add_done_callback(lambda done: self._ended(key, done))
        return await asyncio.shield(task)

    async def stored(self, source: bytes, made: Made, size: str) -> Picture | None:
        """A picture that was made before, or None. Never makes one."""
        try:
            return await self._find(source, f"{made}/{size}")
        except Refused:
            return None

    async def facts(self, source: Blob, name: str = "") -> Facts:
        """What a file says of itself; looked at once."""
        known = await self.kept.facts(source.digest)
        if known is not None:
            plain, position = known
            return msgspec.convert({**plain, "position": position}, Facts)
        job = Job(task="describe", limits=self.workshop.limits, name=name)
        async with self._opened(source) as file:
            answer, _ = await self.workshop.do(job, file)
        facts = answer.facts
        assert facts is not None
        plain = msgspec.to_builtins(facts)
        position = plain.pop("position", None)
        await self.kept.keep_facts(source.digest, plain, position)
        return facts

    async def check(self, source: Blob) -> Answer:
        """Kind and size of a picture that a client made. Raises Refused where it is none."""
        job = Job(task="check", limits=self.workshop.limits, pixels=64)
        async with self._opened(source) as file:
            return (await self.workshop.do(job, file))[0]

    async def forget(self, source: bytes) -> None:
        """Make everything of a blob again when it is next asked for."""
        await self.kept.forget(source)

    async def close(self) -> None:
        """End what is under way."""
        tasks = list(self._making.values())
        for task in tasks:
            task.cancel()
        await asyncio.to_thread(self.workshop.close)
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- making -------------------------------------------------------------------------

    async def _find(self, source: bytes, variant: str) -> Picture | None:
        """A kept picture. Raises Refused while a failure is remembered."""
        found = await self.kept.find(source, variant)
        if found is None:
            return None
        if found.blob is not None:
            return Picture(
                digest=found.blob, mime=found.mime, width=found.width, height=found.height
            )
        age_s = (datetime.now(UTC) - found.at).total_seconds()
        refused: Any = found.refused
        if age_s < (_MISSING_RETRY_S if refused == "missing" else self._retry_s):
            raise Refused(refused, found.reason)
        return None

    async def _make(self, source: Blob, variant: str, job: Job) -> Picture:
        digest = source.digest
        try:
            async with self._opened(source) as file:
                answer, data = await self.workshop.do(job, file)
        except Refused as refused:
            if await self._has_room(digest):
                await self.kept.refuse(digest, variant, refused.refused, refused.reason)
            raise
        self.made += 1
        size = (answer.width, answer.height)
        made = Picture(digest=b"", mime=answer.mime, width=size[0], height=size[1], data=data)
        if not await self._has_room(digest):
            return made
        try:
            blob = await self.blobs.receive(_once(data), bytes_max=len(data))
            await self.kept.keep(digest, variant, blob.digest, answer.mime, size)
        except StorageError as error:
            # A picture that cannot be kept can still be shown.
            log.warning("a picture is not kept: %s", error)
            return made
        return msgspec.structs.replace(made, digest=blob.digest)

    async def _has_room(self, digest: bytes) -> bool:
        return await self.kept.count(digest) < self._settings.media_variants_max

    def _ended(self, key: tuple[bytes, str], task: asyncio.Task[Picture]) -> None:
        del self._making[key]
        if not task.cancelled():
            task.exception()  # Whoever waits sees it; where nobody does, nobody needs it.

    @asynccontextmanager
    async def _opened(self, source: Blob) -> AsyncIterator[int]:
        """The bytes of a blob as an open file; those of an object store are fetched first."""
        path = self.blobs.path(source.digest)
        if path is not None:
            try:
                file = await asyncio.to_thread(os.open, path, os.O_RDONLY | os.O_NOFOLLOW)
            except FileNotFoundError:
                raise UnknownBlob(source.hash) from None
            except OSError as error:
                raise StoreUnavailable(str(error)) from error
            try:
                yield file
            finally:
                os.close(file)
            return
        most = self._settings.media_source_bytes_max
        if source.size > most:
            raise Refused("too_large", f"more than {most} bytes")
        with tempfile.TemporaryFile() as local:
            async for piece in self.blobs.read(source):
                await asyncio.to_thread(local.write, piece)
            await asyncio.to_thread(local.flush)
            yield local.fileno()


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


GALLERY = web.AppKey("gallery", Gallery)
