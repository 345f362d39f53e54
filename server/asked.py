"""What REST asks of many blocks at once, and what it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from auth.principal import Role
    from storage.blocks import Block, Name


class Found(msgspec.Struct, frozen=True, gc=False):
    """What a name means to somebody."""

    name: Name
    block: Block | None
    """None: not there, or not for this asker to know of."""
    role: Role
    """The asker's on the block; where there is none, in the workspace in which it would be made."""


class Offer(msgspec.Struct, frozen=True, gc=False):
    """An update that somebody brings for a document; it was checked (`structure.check`)."""

    block: Block
    update: bytes


class Want(msgspec.Struct, frozen=True, gc=False):
    """A block, and what its reader has of it; the state vector was checked."""

    block: Block
    state_vector: bytes | None
    """None or empty: nothing."""
    whole: bool = False
    """Give all of it, whatever the reader has."""
    is_written: bool = False
    """It was, since it was looked up: what was known of it is of before."""


class Reading(msgspec.Struct, frozen=True, gc=False):
    """What a reader is missing."""

    state_vector: bytes
    update: bytes
    is_whole: bool
    """The update is the whole document; so also for readers who have to start anew."""
    sync_version: int


class Unread(msgspec.Struct, frozen=True):
    """Why a block was not read: "deleted", "unavailable" or "later" (the reply is full)."""

    reason: str
