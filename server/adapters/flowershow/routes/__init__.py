"""The endpoints, a module for each heading of the API's page."""

from server.adapters.flowershow.routes import (
    access,
    anonymous,
    device,
    domain,
    files,
    github,
    seo,
    sites,
    user,
    webhook,
)

ROUTES = [
    route
    for section in (
        device.ROUTES,
        user.ROUTES,
        anonymous.ROUTES,
        files.ROUTES,
        access.ROUTES,
        github.ROUTES,
        webhook.ROUTES,
        domain.ROUTES,
        seo.ROUTES,
        sites.ROUTES,
    )
    for route in section
]
"""Fixed paths before those with parameters in the same place."""
UPLOADS = files.UPLOADS
