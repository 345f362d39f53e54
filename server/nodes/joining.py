"""Puts this node among the others, where the settings say that there are any."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from server.nodes.exchange import Nodes
from storage.bus import bus_of

if TYPE_CHECKING:
    from server.documents import Documents
    from storage.bus import Bus


async def join(documents: Documents, dsn: str, stack: AsyncExitStack) -> None:
    """Speak on the bus of the settings until the stack is closed; nothing where there is none."""
    settings = documents.settings
    bus = bus_of(settings.bus, dsn=dsn, subject=settings.bus_subject)
    if bus is not None:
        await join_by(bus, documents, stack)


async def join_by(bus: Bus, documents: Documents, stack: AsyncExitStack) -> None:
    """Speak on this bus until the stack is closed."""
    nodes = documents.nodes = Nodes(bus, documents)
    documents.new_awareness = nodes.awareness
    await nodes.start()
    stack.push_async_callback(nodes.stop)
