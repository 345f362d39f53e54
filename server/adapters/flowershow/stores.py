"""What the routes look up, put into the application."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from aiohttp import web

from auth.links import Links
from server.catalogue import CATALOGUE
from server.hosts import HOSTS
from server.identity import IDENTITY
from server.limits import LIMITS, Limit
from server.media.gallery import GALLERY
from server.sites.catalogue import SITES
from server.sites.domains import Domains
from server.sites.github.client import GitHubApp
from server.sites.github.following import Following
from server.sites.janitor import Janitor
from server.sites.publishing import PUBLISHING, Publishing
from server.sites.receiving import RECEIVING, Receiving
from storage.pool import Pool
from storage.sites import Bases, DeviceCodes, GitHub, Profiles

Hook: TypeAlias = Callable[[web.Application], Awaitable[None]]


@dataclass(frozen=True)
class Stores:
    """What is kept besides sites, and the claims of those who have no account."""

    devices: DeviceCodes
    people: Profiles
    github: GitHub
    following: Following
    states: Links
    """Of people who are sent to GitHub and come back."""
    domains: Domains
    ownership: Links
    anonymous: Limit
    """How often one address may publish without an account."""


STORES = web.AppKey("flowershow stores", Stores)


def install(app: web.Application, pool: Pool) -> None:
    """Put into an application what the routes look up, and their limits."""
    catalogue, identity = app[SITES], app[IDENTITY]
    settings = identity.settings
    publishing = Publishing(catalogue, app[CATALOGUE], identity, app[HOSTS], Bases(pool))
    app[PUBLISHING] = publishing
    app[RECEIVING] = Receiving(publishing, app[GALLERY])
    github = GitHub(pool)
    following = Following(GitHubApp(settings), github, app[RECEIVING])
    app[STORES] = Stores(
        devices=DeviceCodes(pool),
        people=Profiles(pool),
        github=github,
        following=following,
        states=Links(identity.keyring.signing, "github-state"),
        domains=Domains(settings, app[HOSTS], catalogue.store),
        ownership=Links(identity.keyring.signing, "site-ownership"),
        anonymous=Limit(settings.anonymous_sites_per_hour, time.monotonic, window_s=3600),
    )
    janitor = Janitor(publishing, app[CATALOGUE], app[STORES].devices)
    app.on_startup.append(_starts(janitor))
    app.on_cleanup.append(_stops(janitor, following))
    limits = {
        "codes": settings.device_codes_per_minute,
        # Whoever may ask for a code may ask after it.
        "polls": 20 * settings.device_codes_per_minute,
        "passwords": settings.site_logins_per_minute,
        "domains": settings.domain_checks_per_minute,
    }
    for name, per_minute in limits.items():
        app[LIMITS][f"flowershow-{name}"] = Limit(per_minute, time.monotonic)


def _starts(janitor: Janitor) -> Hook:
    async def start(app: web.Application) -> None:
        del app
        janitor.start()

    return start


def _stops(janitor: Janitor, following: Following) -> Hook:
    async def stop(app: web.Application) -> None:
        del app
        await janitor.stop()
        await following.close()
        await following.app.close()

    return stop
