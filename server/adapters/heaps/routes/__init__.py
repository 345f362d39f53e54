"""The endpoints, one file for each heading of the API page."""

from itertools import chain

from server.adapter import Route
from server.adapters.heaps.routes import (
    accounts,
    blocks,
    exports,
    files,
    heaps,
    history,
    instance,
    invites,
    links,
    login,
    me,
    media,
    members,
    scan_roots,
    scans,
    search,
    sync,
    tokens,
    trash,
    updates,
    uploads,
)

ROUTES: list[Route] = list(
    chain(
        instance.ROUTES,
        login.ROUTES,
        me.ROUTES,
        tokens.ROUTES,
        sync.ROUTES,
        heaps.ROUTES,
        blocks.ROUTES,
        history.ROUTES,
        exports.ROUTES,
        trash.ROUTES,
        media.ROUTES,
        scans.ROUTES,
        updates.ROUTES,
        search.ROUTES,
        members.ROUTES,
        invites.ROUTES,
        links.ROUTES,
        accounts.ROUTES,
        scan_roots.ROUTES,
        files.ROUTES,
        uploads.ROUTES,
    )
)
"""All routes in the order of the page."""
