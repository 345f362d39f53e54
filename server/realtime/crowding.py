"""What connections hold in memory before it is known who they are, all of them together.

Each has its own bound (`preauth_bytes_max`); a thousand of them would still be gigabytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from server.realtime.codes import RESET

if TYPE_CHECKING:
    from server.realtime.register import Realtime


def relieve(realtime: Realtime) -> int:
    """Close unknown connections that hold most, until all fit; how many. Asked each second."""
    held = [(size, each) for each in realtime.connections if (size := each.held_bytes)]
    over = sum(size for size, _ in held) - realtime.settings.preauth_bytes_process_max
    closed = 0
    for size, connection in sorted(held, key=lambda pair: -pair[0]):
        if over <= 0:
            break
        realtime.metrics.refuse("preauth-process-full")
        connection.close(RESET, "too much before authentication")
        over -= size
        closed += 1
    return closed
