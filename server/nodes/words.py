"""What nodes say to each other, as bytes: msgpack, one frame for all that is said at a moment."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from crdt.claims import Claim


class Rows(msgspec.Struct, frozen=True, array_like=True, tag=1, gc=False):
    """Rows of a document's log are committed."""

    document: bytes
    lineage: int
    first: int
    last: int
    data: list[bytes]
    """The rows; none where they are too large for the bus: read the log."""


class Present(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """What became of the presence of some clients in a document."""

    document: bytes
    claims: list[Claim]


class WhoIsHere(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """Say again who is present in a document; in all of them where it is empty."""

    document: bytes


class Remind(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """A node's client is held for gone at this clock: have its editor go above it."""

    document: bytes
    node: bytes
    client: int
    clock: int
    number: int
    """Of the claim since which it is gone."""


class Bye(msgspec.Struct, frozen=True, array_like=True, tag=5):
    """The sender stops."""


Word: TypeAlias = Rows | Present | WhoIsHere | Remind | Bye


class Frame(msgspec.Struct, frozen=True, array_like=True):
    """Everything that one node says at one moment; nothing at all: it lives."""

    node: bytes
    number: int
    """Counts the sender's frames, those included that could not be sent."""
    words: list[Word]


class _Packed(msgspec.Struct, frozen=True, array_like=True):
    """A frame of words that are bytes already."""

    node: bytes
    number: int
    words: list[msgspec.Raw]


FRAME_BYTES = 40
"""What a frame takes beside its words, at most."""

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Frame)


def pack(word: Word) -> bytes:
    """One word as bytes."""
    return _encoder.encode(word)


def encode(node: bytes, number: int, words: list[bytes]) -> bytes:
    """A frame of packed words."""
    return _encoder.encode(_Packed(node, number, [msgspec.Raw(word) for word in words]))


def decode(frame: bytes) -> Frame:
    """What a frame says. Raises msgspec.DecodeError for anything else."""
    return _decoder.decode(frame)
