"""Which records changed, from memory and from the store, and what is told once it has its stamp."""

from __future__ import annotations

from typing import Any

import pytest

from crdt.records import Collection
from server.feed import FEED
from storage.documents import DocumentRecord
from tests.inside import Guest, Inside
from tests.server.adapters.heaps.conftest import ada, inside

__all__ = ["ada", "inside"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def library(inside: Inside, guest: Guest, name: str) -> DocumentRecord:
    """A document whose files the feed follows."""
    inside.documents.collections["library"] = ("files",)
    return await inside.store.create(guest.workspace, name, guest.account, "library")


async def put(inside: Inside, record: DocumentRecord, **values: Any) -> None:
    """Write some records in one edit."""

    def change(doc: Any) -> None:
        for key, value in values.items():
            Collection.of(doc, "files").put(key, value)

    await inside.documents.edit(record, change, account="ada")


async def told(inside: Inside, record: DocumentRecord, since: int) -> tuple[list[str], int]:
    """The records after a marker, and the next marker."""
    page = await inside.app[FEED].records_since(record.scope, ["files"], since, 10, record.id)
    return [entry.record for entry in page.entries], page.marker


async def test_only_what_changed_is_told_while_the_document_is_in_memory(
    inside: Inside, ada: Guest
) -> None:
    """One of many."""
    record = await library(inside, ada, "memory")
    await put(inside, record, a=1, b=1, c=1)
    first, marker = await told(inside, record, 0)
    await put(inside, record, b=2)

    assert first == ["a", "b", "c"]
    assert (await told(inside, record, marker))[0] == ["b"]


async def test_only_what_changed_is_told_when_the_document_left_memory_before_it_was_stamped(
    inside: Inside, ada: Guest
) -> None:
    """The rows of the log say it."""
    record = await library(inside, ada, "store")
    await put(inside, record, a=1, b=1, c=1)
    _, marker = await told(inside, record, 0)
    await put(inside, record, b=2)
    inside.documents.end(record.id, "restart")
    inside.documents.room(record)  # Its tracker begins behind what is to be told.
    await put(inside, record, c=2)

    # The sweeper may have come in between; nothing but these two is told either way.
    assert sorted((await told(inside, record, marker))[0]) == ["b", "c"]


async def test_everything_is_told_when_the_log_cannot_say_what_changed(
    inside: Inside, ada: Guest
) -> None:
    """The rows since the last stamp went into a snapshot."""
    record = await library(inside, ada, "compacted")
    await put(inside, record, a=1, b=1)
    _, marker = await told(inside, record, 0)
    await inside.pool.execute("UPDATE record_marks SET lineage = 0 WHERE document = $1", record.id)
    inside.documents.end(record.id, "restart")
    await put(inside, record, b=2)

    assert sorted((await told(inside, record, marker))[0]) == ["a", "b"]


async def test_documents_of_other_kinds_have_no_records_in_the_feed(
    inside: Inside, ada: Guest
) -> None:
    """A block with a map of that name is a block."""
    record = await inside.store.create(ada.workspace, "a block", ada.account)
    await put(inside, record, a=1)

    assert (await told(inside, record, 0))[0] == []
