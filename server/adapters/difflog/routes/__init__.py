"""The endpoints: profiles, their content, and what is shared of them."""

from itertools import chain

from server.adapter import Route
from server.adapters.difflog.routes import content, profile, sharing

ROUTES: list[Route] = list(chain(profile.ROUTES, content.ROUTES, sharing.ROUTES))
"""All routes in the order of the page."""
