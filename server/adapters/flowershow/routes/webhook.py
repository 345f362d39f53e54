"""What GitHub tells of by itself: pushes, and changes of installations."""

from __future__ import annotations

import gidgethub
import msgspec
from aiohttp import web
from gidgethub.sansio import validate_event

from server.adapter import ANYONE, Routes
from server.adapters.flowershow import schema
from server.adapters.flowershow.policy import Complaint, invalid
from server.adapters.flowershow.stores import STORES
from server.describe import Json
from server.http import read_bytes, reply
from server.identity import IDENTITY
from server.sites.catalogue import SITES
from server.sites.github.client import NotConfigured
from storage.sites import Repository

ROUTES = Routes("GitHub App")

_BODY_BYTES_MAX = 25 * 1024 * 1024
"""GitHub sends no more."""
_BRANCH = "refs/heads/"


class Installed(msgspec.Struct):
    """An installation in an event."""

    id: int


class Named(msgspec.Struct):
    """A repository in an event."""

    id: int = 0
    name: str = ""
    full_name: str = ""
    private: bool = False


class Event(msgspec.Struct):
    """What of an event counts here."""

    action: str = ""
    ref: str = ""
    installation: Installed | None = None
    repository: Named | None = None
    repositories_added: list[Named] = []
    repositories_removed: list[Named] = []


@ROUTES.post(
    "/api/webhooks/github-app",
    access=ANYONE,
    body=Json(Event, about="An event of GitHub, with `X-GitHub-Event` and its signature."),
    reply=schema.Done,
    errors={401: "The signature is missing or wrong.", 501: "not_configured."},
)
async def heard(request: web.Request) -> web.Response:
    """Take in what GitHub tells: a push begins a sync of the sites that follow the branch."""
    secret = request.app[IDENTITY].settings.github_webhook_secret
    signature = request.headers.get("X-Hub-Signature-256", "")
    if signature and not secret:
        raise NotConfigured
    data = await read_bytes(request, _BODY_BYTES_MAX)
    if not _is_signed(data, signature, secret):
        raise Complaint(401, "unauthorized", "the signature is missing or wrong")
    try:
        event = msgspec.json.decode(data, type=Event)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise invalid("this is no event") from error
    if event.installation is not None:
        await _take_in(request, request.headers.get("X-GitHub-Event", ""), event)
    return reply(schema.Done())


def _is_signed(data: bytes, signature: str, secret: str) -> bool:
    """Whether GitHub's signature stands under a body; the older kind with SHA-1 is none."""
    if not signature.startswith("sha256=") or not signature.isascii():
        return False
    try:
        validate_event(data, signature=signature, secret=secret)
    except gidgethub.ValidationFailure:
        return False
    return True


async def _take_in(request: web.Request, kind: str, event: Event) -> None:
    assert event.installation is not None
    stores, number = request.app[STORES], event.installation.id
    if kind == "push":
        await _pushed(request, number, event)
    elif kind == "installation_repositories":
        await stores.github.put(number, _repositories(event.repositories_added), whole=False)
        await stores.github.take(number, _repositories(event.repositories_removed))
    elif kind == "installation" and event.action == "deleted":
        stores.following.app.forget(number)
        await stores.github.remove(number)
    elif kind == "installation" and event.action in {"suspend", "unsuspend"}:
        stores.following.app.forget(number)
        await stores.github.suspend(number, suspended=event.action == "suspend")


async def _pushed(request: web.Request, number: int, event: Event) -> None:
    """Sync the sites that follow a branch by links to the installation that tells."""
    if event.repository is None or not event.ref.startswith(_BRANCH):
        return
    stores, branch = request.app[STORES], event.ref.removeprefix(_BRANCH)
    for site in await request.app[SITES].store.of_repository(event.repository.full_name):
        if site.gh_branch != branch or not site.auto_sync or site.gh_installation is None:
            continue
        link = await stores.github.find(site.gh_installation, site.account or "")
        if link is not None and link.account == site.account and link.installation == number:
            stores.following.begin(site, number)


def _repositories(said: list[Named]) -> list[Repository]:
    return [
        Repository(
            repository=each.id, name=each.name, full_name=each.full_name, is_private=each.private
        )
        for each in said
    ]
