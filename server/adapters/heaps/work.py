"""One block of a push or pull on its way to its result: what was sent, found and decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from auth.principal import Role

if TYPE_CHECKING:
    from crdt.ids import DocumentName
    from server.asked import Reading, Unread
    from server.bringing import Outcome
    from storage.blocks import Block


class Sent(msgspec.Struct, frozen=True, gc=False):
    """One block of a request, read and checked."""

    said_id: str
    """The name as the client wrote it."""
    name: DocumentName
    state_vector: bytes
    """Empty: the client says nothing of what it has."""
    update: bytes
    """Checked, unless it is costly; empty where none was sent. Pulls have none."""
    sync_version: int | None
    """The version that the client knows; None where it says none."""


class Work(msgspec.Struct):
    """One block of a request on its way to its result."""

    said_id: str | None
    sent: Sent | None = None
    block: Block | None = None
    role: Role = Role.NONE
    is_new: bool = False
    """This one made the block."""
    status: str = ""
    """The word of the result, once it is decided."""
    error: str | None = None
    outcome: Outcome | None = None
    reading: Reading | Unread | None = None
    whole: bool = False
    """It was to be given all of the block, whatever it has."""
