"""The end of a socket, so that the peer learns why.

A socket that is closed with unread bytes sends a reset, which overtakes the close frame: a peer in
the middle of sending sees 1006 instead of the reason, comes back and sends the same for ever. So
what still comes is read and dropped until the peer ends too.
"""

from __future__ import annotations

import asyncio

LINGER_S = 3.0
"""How long a peer that was told to go may take to end the connection."""


class _Lingering(asyncio.Protocol):
    """Drops what the peer still sends; tells the former protocol when it is gone."""

    def __init__(self, former: asyncio.Protocol) -> None:
        self._former = former

    def connection_lost(self, exc: Exception | None) -> None:
        """Told by the event loop, also after the peer's end of file."""
        self._former.connection_lost(exc)


def say_goodbye(
    transport: asyncio.Transport, last: bytes, former: asyncio.Protocol
) -> asyncio.TimerHandle:
    """Write the last bytes and an end of file, then listen to nothing any more.

    The answer cuts a peer that does not go; `former` cancels it in its `connection_lost`.
    """
    transport.set_protocol(_Lingering(former))
    transport.write(last)
    transport.write_eof()
    if not transport.is_reading():
        transport.resume_reading()
    return asyncio.get_running_loop().call_later(LINGER_S, transport.abort)
