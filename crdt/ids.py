"""Ids and names: made, recognised and taken apart here and nowhere else.

A document is asked for by a name that comes in several forms. Those of API clients hold a global id
(a ULID or a UUID), which names one block wherever it lies:

    WORKSPACE:BLOCK             as Hocuspocus clients of the heaps API write it
    WORKSPACE:BLOCK:vN          the same; the version is dropped, a stale one means no other
    block/BLOCK?workspaceId=W   the same, also with the workspace given beside the name
    BLOCK                       the block alone

Every other text is a plain name in the caller's default workspace, colons and slashes included;
only where the part before the first colon is a global id does it name a workspace.

    ULID = 10 Crockford digits of Unix milliseconds, 16 of randomness
"""

import re
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qs

import msgspec

from crdt.bounds import BOUNDS, Bounds
from crdt.errors import BadName

RANDOM_BYTES: Final = 10
"""Randomness that a ULID takes."""

_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ULID: Final = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}", re.IGNORECASE | re.ASCII)
_UUID: Final = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII
)
_GLOBAL: Final = re.compile(f"{_ULID.pattern}|{_UUID.pattern}", re.IGNORECASE | re.ASCII)
_ULID_LENGTH: Final = 26
_GLOBAL_LENGTHS: Final = frozenset({_ULID_LENGTH, 36})
_VERSION: Final = re.compile(r"v[0-9]{1,15}", re.ASCII)
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")
_BLOCK: Final = "block/"


def make_ulid(now_ms: int, random_bytes: bytes) -> str:
    """A new ULID. Later milliseconds sort later; `random_bytes` are 10 fresh ones."""
    assert 0 <= now_ms < 1 << 48
    assert len(random_bytes) == RANDOM_BYTES
    number = now_ms << 80 | int.from_bytes(random_bytes, "big")
    return "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))


def is_ulid(text: str) -> bool:
    """Whether text is a ULID, in either case."""
    return len(text) == _ULID_LENGTH and _is_ulid(text)


@lru_cache(maxsize=8192)
def _is_ulid(text: str) -> bool:
    return _ULID.fullmatch(text) is not None


def is_uuid(text: str) -> bool:
    """Whether text is a UUID in its usual form, in either case."""
    return _UUID.fullmatch(text) is not None


def spelled(text: str) -> str:
    """A workspace's id as it is stored: a ULID in capitals, whatever the client wrote."""
    return text.upper() if is_ulid(text) else text


def is_global_id(text: str) -> bool:
    """Whether text names the same thing in every workspace."""
    return len(text) in _GLOBAL_LENGTHS and _is_global(text)


@lru_cache(maxsize=8192)
def _is_global(text: str) -> bool:
    """Remembered: a pull asks four times of each of a thousand ids."""
    return _GLOBAL.fullmatch(text) is not None


class DocumentName(msgspec.Struct, frozen=True, gc=False):
    """Which document a peer asks for."""

    workspace: str | None
    """None: the caller's default workspace, or wherever the block lies."""
    name: str

    @classmethod
    def parse(
        cls, text: str, query_workspace: str | None = None, bounds: Bounds = BOUNDS
    ) -> "DocumentName":
        """Read any form of a name; a workspace inside the text wins over the one beside it.

        Raises BadName.
        """
        if is_global_id(text):  # What devices sync by the thousand.
            workspace, name = None, text
        else:
            _check(text, bounds)
            workspace, name = _take_apart(text, beside=query_workspace is not None)
        workspace = workspace or query_workspace or None
        if workspace is not None:
            if is_ulid(workspace):
                workspace = workspace.upper()  # `spelled`, of what needs no check.
            else:
                _check(workspace, bounds)
        return cls(workspace, name)

    def compose(self) -> str:
        """The name as one text, as API clients write it. For keys, use the value itself."""
        return self.name if self.workspace is None else f"{self.workspace}:{self.name}"


def _take_apart(text: str, *, beside: bool) -> tuple[str | None, str]:
    """Workspace and name of a text in any form."""
    head, colon, tail = text.partition(":")
    if colon and tail and is_global_id(head):
        name, colon, version = tail.rpartition(":")
        return head, name if name and _VERSION.fullmatch(version) else tail
    if text.startswith(_BLOCK):
        block, _, query = text.removeprefix(_BLOCK).partition("?")
        values = parse_qs(query).get("workspaceId")
        if block and (values or beside or is_global_id(block)):
            return values[0] if values else None, block
    return None, text


def _check(text: str, bounds: Bounds) -> None:
    """Refuse what cannot stand in a name of any form."""
    if not text:
        raise BadName("empty")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise BadName("bad-utf8") from None
    if size > bounds.name_bytes_max:
        raise BadName("too-long")
    if _CONTROL.search(text):
        raise BadName("control-character")
