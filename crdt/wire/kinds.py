"""The kinds of messages, as plain numbers. The numbers are ours: one kind has one in all dialects.

Sync kinds equal their sub-type in the protocol, so that the hot path needs no table.
"""

from typing import Final

import msgspec

STEP1: Final = 0
STEP2: Final = 1
UPDATE: Final = 2
AWARENESS: Final = 3
QUERY_AWARENESS: Final = 4
AUTH_TOKEN: Final = 5
AUTH_DENIED: Final = 6
AUTHENTICATED: Final = 7
TOKEN_REQUEST: Final = 8
STATELESS: Final = 9
BROADCAST_STATELESS: Final = 10
CLOSE: Final = 11
SYNC_STATUS: Final = 12
SYNC_REPLY: Final = 13
PING: Final = 14
PONG: Final = 15
VERSION: Final = 16
UNKNOWN: Final = 17


class AuthToken(msgspec.Struct, frozen=True):
    """What a Hocuspocus client shows on joining a document."""

    token: str
    provider_version: str | None
    """Given by providers 4 and newer: the only ones that may be sent a ping."""
