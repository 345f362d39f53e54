"""scripts/admin ascently: a climber's dataset as a folder, out and in again.

The folder holds `ascently.json`, the dataset as GET /sync answers it, and `images`. It is the
backup of that climber's data, and what another server of the application keeps comes in by it.
"""

import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from uuid import UUID

from crdt.document import Document
from crdt.ids import RANDOM_BYTES, make_ulid
from server.adapters.ascently import bodies, images, instants, mapping
from server.admin.opened import fail
from server.errors import RequestError
from server.files import open_store
from server.settings import Settings
from storage.ascently import Ascently
from storage.blobs import Blob, Blobs
from storage.documents import Documents, Loaded
from storage.log import Fenced, Flusher, Row, Stored
from storage.pool import Pool

DATASET = "ascently.json"
IMAGES = "images"
_WAIT_S = 60.0


class Backup:
    """Moves one account's dataset between the database and a folder."""

    def __init__(self, pool: Pool, dsn: str, account: str, folder: Path, data: Path) -> None:
        self._pool, self._dsn = pool, dsn
        self._account, self._folder = account, folder
        self._datasets, self._documents = Ascently(pool), Documents(pool)
        url = os.environ.get("PLAIT_BLOBS_URL", "")
        options = tuple(filter(None, os.environ.get("PLAIT_BLOBS_OPTIONS", "").split(",")))
        self._settings = Settings(data=data, blobs_url=url, blobs_options=options)
        self._blobs = Blobs(pool, open_store(self._settings), grace_s=self._settings.blob_grace_s)

    async def write(self) -> None:
        """Fill the folder; what is in it already is replaced."""
        dataset = await self._datasets.find(self._account)
        if dataset is None:
            fail(f"{self._account} has no dataset")
        document = Document.rebuild(_rows(await self._documents.load(dataset.document.id)))
        body = document.look(mapping.read_dataset) or b"{}"
        pictures = self._folder / IMAGES
        pictures.mkdir(parents=True, exist_ok=True)
        (self._folder / DATASET).write_bytes(body)
        count = 0
        for name, digest, size in await self._datasets.images(self._account):
            with (pictures / images.check_name(name)).open("wb") as file:
                async for piece in self._blobs.read(Blob(digest, size)):
                    file.write(piece)
            count += 1
        print(f"{DATASET}: {len(body)} bytes; {IMAGES}: {count}")

    async def read(self) -> None:
        """Put the folder in the place of all that the account has; images are added."""
        items, said = bodies.dataset((self._folder / DATASET).read_bytes())
        now_ms = time.time_ns() // 1_000_000
        dataset = await self._datasets.find(self._account)
        if dataset is None:
            scope = make_ulid(now_ms, os.urandom(RANDOM_BYTES))
            dataset = await self._datasets.make(self._account, scope, now_ms)
        record = dataset.document
        document = Document.rebuild(
            _rows(await self._documents.load(record.id)), client_id=secrets.randbits(32)
        )
        now = instants.compose(now_ms)
        update = document.edit(partial(mapping.write_dataset, items=items, said=said, now=now))
        if update is not None:
            await self._append(record.id, record.lineage, update)
        count = 0
        for path in sorted((self._folder / IMAGES).glob("*")):
            name = images.check_name(path.name)
            await images.keep(
                self._blobs,
                self._datasets,
                self._settings,
                account=self._account,
                name=name,
                parts=_pieces(path),
            )
            count += 1
        print(f"{DATASET}: {len(items)} items; {IMAGES}: {count}")

    async def _append(self, document: UUID, lineage: int, update: bytes) -> None:
        """Commit an update; a server that has the document open takes it in with its next write."""
        flusher = Flusher(self._dsn)
        await flusher.start()
        try:
            done: asyncio.Future[Stored | Fenced] = asyncio.get_running_loop().create_future()
            row = Row(update, self._account, None, time.time())
            flusher.append(document, lineage, [row], done.set_result)
            async with asyncio.timeout(_WAIT_S):
                outcome = await done
        finally:
            await flusher.close()
        if isinstance(outcome, Fenced):
            fail(f"the dataset takes nothing: {outcome.reason}")


async def move(backup: Backup, how: str) -> None:
    """`export` or `import` one account's dataset; a bad file is one sentence and exit 1."""
    try:
        await (backup.write() if how == "export" else backup.read())
    except RequestError as error:
        fail(f"{error}")


def _rows(loaded: Loaded) -> list[bytes]:
    rows = [row.data for row in loaded.rows]
    return rows if loaded.snapshot is None else [loaded.snapshot, *rows]


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    yield await asyncio.to_thread(path.read_bytes)
