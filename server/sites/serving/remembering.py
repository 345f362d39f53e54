"""What was read of a note, as it is stored."""

from __future__ import annotations

import msgspec

from server.sites.rendering.facts import Facts
from storage.sites.notes import Noted

_FACTS_VERSION = b"\x01"
"""Before stored facts: others were read by another version of the scanner, and are read anew."""
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Facts)


def encode(facts: Facts) -> bytes:
    """Facts as they are stored."""
    return _FACTS_VERSION + _ENCODER.encode(facts)


def decode(noted: Noted | None) -> Facts | None:
    """Stored facts, if they are those of the text as it is."""
    if noted is None or not noted.is_fresh or noted.facts is None:
        return None
    if noted.facts[:1] != _FACTS_VERSION:
        return None
    try:
        return _DECODER.decode(noted.facts[1:])
    except msgspec.MsgspecError:
        return None
