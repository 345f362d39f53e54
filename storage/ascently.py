"""What Ascently keeps beside its documents: whose they are, when what came, images by name."""

from __future__ import annotations

import msgspec

from storage.documents import DocumentRecord, Documents
from storage.errors import reaching
from storage.pool import Pool, transaction

KIND = "ascently"
"""Of scopes and documents."""

_NAME = "dataset"
"""Of the document in its scope."""

MOMENTS_MAX = 10_000
"""Moments kept of one dataset. To an older cursor everything counts as received after it."""


class Dataset(msgspec.Struct, frozen=True, kw_only=True):
    """One account's dataset. Times are Unix milliseconds."""

    account: str
    document: DocumentRecord
    first_at: int
    size: int
    """Bytes that its document takes, from above."""


class Issued(msgspec.Struct, frozen=True, kw_only=True):
    """A serverTime, and what a cursor means."""

    at: int
    """Later than all that were given out before."""
    since: int | None
    """What the feed stamped later came after the cursor; None: the cursor is not one of ours."""


_DOCUMENT = DocumentRecord.__struct_fields__
_FIND = f"""
SELECT a.account, a.first_at, h.snapshot_bytes + h.log_bytes AS size,
       {", ".join(f"d.{name} AS d_{name}" for name in _DOCUMENT)}
FROM ascently_datasets a JOIN documents d ON d.id = a.document JOIN heads h ON h.document = d.id
WHERE a.account = $1
"""  # noqa: S608  (the names are ours)
# Without members: a dataset is no workspace, and nobody comes to it by the routes of those.
_SCOPE = "INSERT INTO scopes (id, kind, owner) VALUES ($1, 'ascently', $2)"
_INSERT = """
INSERT INTO ascently_datasets (account, document, first_at, issued_at)
VALUES ($1, $2, $3::bigint, $3::bigint - 1) ON CONFLICT DO NOTHING RETURNING true
"""
_END_SCOPE = "UPDATE scopes SET deleted_at = now() WHERE id = $1"
_LOCK = "SELECT issued_at, first_at, moments FROM ascently_datasets WHERE account = $1 FOR UPDATE"
_ISSUE = "UPDATE ascently_datasets SET issued_at = $2, moments = $3 WHERE account = $1"
_SINCE = """
SELECT stamp FROM ascently_moments WHERE document = $1 AND at <= $2 ORDER BY at DESC LIMIT 1
"""
_NOTE = """
INSERT INTO ascently_moments (document, at, stamp)
SELECT $1, $2, s.last_stamp FROM scopes s WHERE s.id = $3 AND s.last_stamp > coalesce(
    (SELECT stamp FROM ascently_moments WHERE document = $1 ORDER BY at DESC LIMIT 1), -1
) RETURNING true
"""
# The oldest ones: looking for the ten-thousandth from the end would read them all, each time.
_TRIM = """
DELETE FROM ascently_moments WHERE document = $1 AND at IN (
    SELECT at FROM ascently_moments WHERE document = $1 ORDER BY at LIMIT $2
)
"""
_IMAGE = "SELECT hash, size FROM ascently_images WHERE account = $1 AND name = $2"
_IMAGES = "SELECT name, hash, size FROM ascently_images WHERE account = $1 ORDER BY name"
_OLD_IMAGE = "SELECT hash FROM ascently_images WHERE account = $1 AND name = $2 FOR UPDATE"
_PUT_IMAGE = """
INSERT INTO ascently_images (account, name, hash, size) VALUES ($1, $2, $3, $4)
ON CONFLICT (account, name) DO UPDATE SET hash = excluded.hash, size = excluded.size,
    uploaded_at = now()
"""
_COUNT_IMAGES = "SELECT count(*) FROM ascently_images WHERE account = $1"


class Ascently:
    """Datasets and images. Every method may raise Unavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, account: str) -> Dataset | None:
        """An account's dataset, if anything was ever uploaded."""
        with reaching():
            row = await self._pool.fetchrow(_FIND, account)
        if row is None:
            return None
        record = DocumentRecord(**{name: row[f"d_{name}"] for name in _DOCUMENT})
        return Dataset(account=account, document=record, first_at=row["first_at"], size=row["size"])

    async def make(self, account: str, scope: str, now_ms: int) -> Dataset:
        """Give an account its dataset, in a scope of that id; however many ask, it has one."""
        documents = Documents(self._pool)
        with reaching():
            await self._pool.execute(_SCOPE, scope, account)
            document = await documents.create(scope, _NAME, account, KIND)
            if not await self._pool.fetchval(_INSERT, account, document.id, now_ms):
                await self._pool.execute(_END_SCOPE, scope)
        found = await self.find(account)
        assert found is not None
        return found

    async def issue(self, dataset: Dataset, now_ms: int, cursor_ms: int | None = None) -> Issued:
        """The next serverTime. Everything that has its stamp by now was received by then.

        Settle the feed before, so that all that is committed has its stamp.
        """
        document = dataset.document
        with reaching():
            async with transaction(self._pool) as connection:
                row = await connection.fetchrow(_LOCK, dataset.account)
                assert row is not None
                since = None
                if cursor_ms is not None and cursor_ms >= row["first_at"]:
                    since = await connection.fetchval(_SINCE, document.id, cursor_ms) or 0
                at = max(now_ms, row["issued_at"] + 1)
                moments = row["moments"]
                if await connection.fetchval(_NOTE, document.id, at, document.scope):
                    moments += 1
                if moments > MOMENTS_MAX:
                    await connection.execute(_TRIM, document.id, moments - MOMENTS_MAX)
                    moments = MOMENTS_MAX
                await connection.execute(_ISSUE, dataset.account, at, moments)
        return Issued(at=at, since=since)

    # -- images -------------------------------------------------------------------------

    async def image(self, account: str, name: str) -> tuple[bytes, int] | None:
        """Digest and size of an image."""
        with reaching():
            row = await self._pool.fetchrow(_IMAGE, account, name)
        return None if row is None else (row["hash"], row["size"])

    async def images(self, account: str) -> list[tuple[str, bytes, int]]:
        """Name, digest and size of all images."""
        with reaching():
            return [tuple(row) for row in await self._pool.fetch(_IMAGES, account)]

    async def put_image(self, account: str, name: str, digest: bytes, size: int) -> bytes | None:
        """Name an image; the digest of what had that name before."""
        with reaching():
            async with transaction(self._pool) as connection:
                found: bytes | None = await connection.fetchval(_OLD_IMAGE, account, name)
                await connection.execute(_PUT_IMAGE, account, name, digest, size)
        return found

    async def count_images(self, account: str) -> int:
        """How many images an account has."""
        with reaching():
            count: int = await self._pool.fetchval(_COUNT_IMAGES, account)
        return count
