"""Everything storage refuses or fails at, as one tree of errors.

    StorageError
      Unavailable     the database cannot be reached or cannot commit now: try again later
      LogBroken       stored rows of a document are missing or contradict each other
      UnknownDocument no document has this id
      NameTaken       a global id is in use in another scope, or was and is gone for good
      LastAdministrator  nobody would be left to administer the server
      LastOwner       a workspace would be left without an owner
      StoreUnavailable  the place of the blobs cannot be reached or takes nothing now
      UnknownBlob     no bytes are kept under this hash
      HashMismatch    bytes are not those that were announced
      TooLarge        more bytes than are allowed, or than were announced
      QuotaExceeded   an account would use more than it may
      UploadError     an upload in pieces: UnknownUpload, UploadConflict, TooManyUploads,
                      ChunkOutOfRange, ChunkLength, ChunksMissing

Callers outside this package never see an error of asyncpg: `reaching` translates them, so that one
table in `server/errors.py` can answer 503 for all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import asyncpg


class StorageError(Exception):
    """Root of this package's errors. They come out of helper processes as they went in."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (type(self), self.args, self.__dict__)


def _again(kind: type[StorageError], args: tuple[Any, ...], facts: dict[str, Any]) -> StorageError:
    """The same error: its constructor takes the facts and not the sentence made of them."""
    error = kind.__new__(kind, *args)
    error.__dict__.update(facts)
    return error


class Unavailable(StorageError):
    """The database cannot be reached, or cannot commit; nothing is known to be lost."""

    def __init__(self, cause: str) -> None:
        super().__init__(f"the database is unavailable: {cause}")
        self.cause = cause


class LogBroken(StorageError):
    """A document's rows are not what its head says; it must not be opened, never as empty."""

    def __init__(self, document: UUID, detail: str) -> None:
        super().__init__(f"the log of document {document} is broken: {detail}")
        self.document = document
        self.detail = detail


class UnknownDocument(StorageError):
    """No document has this id."""

    def __init__(self, document: UUID) -> None:
        super().__init__(f"no document {document}")
        self.document = document


class NameTaken(StorageError):
    """A global id that belongs to another scope, or to a document that was purged."""

    def __init__(self, name: str) -> None:
        super().__init__("the global id is taken")
        self.name = name


class LastAdministrator(StorageError):
    """The account is the only administrator that is there; another one has to be made first."""

    def __init__(self) -> None:
        super().__init__("this is the last administrator; make another one first")


class LastOwner(StorageError):
    """The member is the only owner of a workspace; another one has to be made first."""

    def __init__(self) -> None:
        super().__init__("this is the last owner of the workspace; make another one first")


class StoreUnavailable(StorageError):
    """The blob store cannot be reached, or is full; nothing is known to be lost."""

    def __init__(self, cause: str) -> None:
        super().__init__(f"the blob store is unavailable: {cause}")
        self.cause = cause


class UnknownBlob(StorageError):
    """Nothing is kept under this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no blob {name}")
        self.name = name


class HashMismatch(StorageError):
    """The bytes that came have another SHA-256 than was announced; they were not kept."""

    def __init__(self, expected: bytes, found: bytes) -> None:
        super().__init__(f"the SHA-256 of these bytes is {found.hex()}, not {expected.hex()}")
        self.expected, self.found = expected, found


class TooLarge(StorageError):
    """More bytes came than may; they were not kept."""

    def __init__(self, bytes_max: int) -> None:
        super().__init__(f"more than {bytes_max} bytes")
        self.bytes_max = bytes_max


class QuotaExceeded(StorageError):
    """An account has no room for this."""

    def __init__(self, *, wanted: int, used: int, quota: int) -> None:
        super().__init__(f"{wanted} bytes do not fit: {used} of {quota} bytes are in use")
        self.facts = {"wanted": wanted, "used": used, "quota": quota}


class UploadError(StorageError):
    """Root of what is wrong with an upload in pieces."""


class UnknownUpload(UploadError):
    """Nobody began this upload, or not this caller, or it is over."""

    def __init__(self) -> None:
        super().__init__("there is no such upload")


class UploadConflict(UploadError):
    """An upload of the same hash with another size is under way."""

    def __init__(self, size: int) -> None:
        super().__init__(f"an upload of this hash with {size} bytes is under way")
        self.facts = {"file_size": size}


class TooManyUploads(UploadError):
    """An account has as many unfinished uploads as it may."""

    def __init__(self, most: int) -> None:
        super().__init__(f"{most} uploads are under way: finish one of them first")


class ChunkOutOfRange(UploadError):
    """There is no chunk of this number."""

    def __init__(self, number: int, total: int) -> None:
        super().__init__(f"chunk {number} is not one of {total}")
        self.facts = {"total_chunks": total}


class ChunkLength(UploadError):
    """A chunk is shorter than it must be; it was not kept."""

    def __init__(self, size: int, length: int) -> None:
        super().__init__(f"the chunk has {size} bytes and must have {length}")
        self.facts = {"size": size, "expected": length}


class ChunksMissing(UploadError):
    """An upload cannot be completed yet."""

    def __init__(self, missing: list[int], count: int) -> None:
        super().__init__(f"{count} chunks are missing")
        self.facts = {"missing": missing, "missing_count": count}


# Server errors (by SQLSTATE class) that say "not now" rather than "never": connection, insufficient
# resources, operator intervention, system error, internal error, snapshot too old, locks.
_PASSING_CLASSES = frozenset({"08", "53", "57", "58", "72", "XX"})
_PASSING_STATES = frozenset({"25006", "40001", "40P01", "55P03"})


def is_passing(error: BaseException) -> bool:
    """Whether an error of the driver is the infrastructure's and may be gone at the next try."""
    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or ""
        return state in _PASSING_STATES or state[:2] in _PASSING_CLASSES
    if isinstance(error, asyncpg.DataError):
        return False
    # InternalClientError: the driver is asked something between the server's goodbye and its end.
    driver = asyncpg.InterfaceError | asyncpg.InternalClientError
    return isinstance(error, OSError | asyncio.TimeoutError | driver)


@contextmanager
def reaching() -> Iterator[None]:
    """Turn the driver's errors of infrastructure into `Unavailable`; let others through."""
    try:
        yield
    except (
        TimeoutError,
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,
        OSError,
    ) as error:
        if not is_passing(error):
            raise
        raise Unavailable(f"{type(error).__name__}: {error}") from error
