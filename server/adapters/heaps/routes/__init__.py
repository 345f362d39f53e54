"""The endpoints, one file for each heading of the API page."""

from itertools import chain

from server.adapter import Route
from server.adapters.heaps.routes import instance, login, sync

ROUTES: list[Route] = list(chain(instance.ROUTES, login.ROUTES, sync.ROUTES))
"""All routes in the order of the page."""
