"""Reading a live document as its adapter reads it: what was typed, once it is committed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from server.documents import Documents
from storage.documents import DocumentRecord

_T = TypeVar("_T")


async def look(documents: Documents, record: DocumentRecord, ask: Callable[[Any], _T]) -> _T:
    """What `ask` finds in the document; it must not write.

    It is answered like an edit that changes nothing: after the commit of everything before it, so
    that nobody is shown what a crash may take back. Raises as `Documents.edit`.
    """
    found: list[_T] = []
    await documents.edit(record, lambda doc: found.append(ask(doc)), account="")
    return found[0]


async def change(
    documents: Documents, record: DocumentRecord, write: Callable[[Any], _T], author: str
) -> _T:
    """What `write` answers, after the commit of what it wrote. Raises as `Documents.edit`."""
    found: list[_T] = []
    await documents.edit(record, lambda doc: found.append(write(doc)), account=author)
    return found[-1]
