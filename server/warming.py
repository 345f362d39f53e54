"""What is done once in a process, done before somebody waits for it.

The first who opens a document after a start is asked for by four statements, one after the other.
Each is parsed and planned when it is first used on a connection, and reads the catalogs for that:
4 ms of PostgreSQL's time and as many of waiting. The first document that is decoded loads what
pycrdt needs of anyio, for 20 ms in which nobody is served; the first request, what names of hosts
are made of.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import UUID

from crdt.document import Document
from storage.errors import UnknownDocument

if TYPE_CHECKING:
    from storage.credentials import Credentials
    from storage.documents import Documents
    from storage.grants import Grants

_NOBODY = ""


async def warm(credentials: Credentials, grants: Grants, store: Documents) -> None:
    """Ask for nobody and nothing, in the words in which a newcomer is asked for; decode nothing.

    Raises Unavailable.
    """
    Document().wake()
    "localhost".encode("idna")
    await credentials.standing_of_login(_NOBODY, _NOBODY)
    await grants.place(_NOBODY, _NOBODY)
    await store.resolve(_NOBODY, _NOBODY)
    with suppress(UnknownDocument):
        await store.load(UUID(int=0))
