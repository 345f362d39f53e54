"""One folder for each REST API, and the list of them."""

from server.adapter import Adapter
from server.adapters import ascently, difflog, flowershow, heaps, pinakes

ADAPTERS: list[Adapter] = [
    heaps.ADAPTER,
    difflog.ADAPTER,
    ascently.ADAPTER,
    pinakes.ADAPTER,
    flowershow.ADAPTER,
    flowershow.BYTES,
]
"""Every adapter of this server, in the order in which its routes are mounted."""
