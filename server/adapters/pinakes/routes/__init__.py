"""The 17 endpoints, each under the address that heads it on the page and the one it names there."""

from itertools import chain

from server.adapter import Route
from server.adapters.pinakes.routes import conflicts, devices, feed, transfer

ROUTES: list[Route] = list(chain(devices.ROUTES, feed.ROUTES, conflicts.ROUTES, transfer.ROUTES))
"""All routes."""
