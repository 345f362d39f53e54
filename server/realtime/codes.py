"""Why a socket is closed, as the numbers that providers act on."""

from __future__ import annotations

# Close codes. 44xx: do not come back as you are (y-websocket 3.1 stops); others: come back.
MALFORMED = 4400
FORBIDDEN = 4403
GONE = 4404
TIMEOUT = 4408
LINEAGE = 4409
TOO_LARGE = 4413
TOO_MANY = 4429
RESET = 4205
EXPIRED = 4501
COSTLY = 4503
INTERNAL = 1011
RESTART = 1012
OVERLOADED = 1013

CODES = {
    "read-only": FORBIDDEN,
    "permission-denied": FORBIDDEN,
    "revoked": FORBIDDEN,
    "deleted": GONE,
    "lineage": LINEAGE,
    "too-large": TOO_LARGE,
    "document-full": TOO_LARGE,
    "too-many": TOO_MANY,
    "token-expired": EXPIRED,
    "load-failed": OVERLOADED,
    "overloaded": OVERLOADED,
    "costly": COSTLY,
    "internal": INTERNAL,
    "restart": RESTART,
}
"""Reason → close code; any other reason is the peer's malformed input."""


def close_code(reason: str) -> int:
    """The close code for a reason word."""
    return CODES.get(reason, MALFORMED)
