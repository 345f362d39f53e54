"""What nodes tell each other at once. The log is the truth; this only says what is new in it.

A bus carries frames of bytes from each node to all others, at most once and in each sender's order.
It may lose them: every frame has its sender's number, so a listener sees that one is missing and
reads the log. Nothing waits for a bus, and nothing is kept for one that is away.

Two engines do it: PostgreSQL's NOTIFY for a few processes on one database, NATS beyond. `Hub` joins
nodes that live in one process. A server that is alone has none of them, and pays nothing.
"""

from __future__ import annotations

from storage.bus.ends import Bus, Heard, Turned
from storage.bus.hub import Hub, HubBus
from storage.bus.notify import NotifyBus

__all__ = ["Bus", "Heard", "Hub", "HubBus", "NotifyBus", "Turned", "bus_of"]


def bus_of(setting: str, *, dsn: str, subject: str) -> Bus | None:
    """The bus that the setting `bus` names: nothing, `notify`, or the URLs of NATS servers."""
    if not setting:
        return None
    if setting == "notify":
        return NotifyBus(dsn, channel=subject)
    # A start without NATS does not wait for its client.
    from storage.bus.nats import NatsBus  # noqa: PLC0415

    return NatsBus(setting.split(","), subject=subject)
