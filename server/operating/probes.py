"""Whether the process lives, and whether it should be sent work: for whoever starts and balances.

`/livez` is about the process alone: where it fails, only a new one helps. `/readyz` is about work:
it says no while commits fail or lag, while the database does not answer, and from the moment that
the server was told to stop. Neither asks for a credential, and neither tells more than a word.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from server.adapter import ANYONE, Adapter, Routes
from server.documents import DOCUMENTS
from server.health import HEALTH, Health
from server.http import reply
from storage.pool import Pool

if TYPE_CHECKING:
    from server.documents import Documents

ROUTES = Routes(section="Probes")

_RETRY = {"Retry-After": "2"}


class Alive(msgspec.Struct, kw_only=True):
    """Reply of /livez."""

    status: str
    """`ok`, or `stuck` where what commits the log has ended."""


class Ready(msgspec.Struct, kw_only=True):
    """Reply of /readyz."""

    status: str
    """`ready` or `not ready`."""
    reasons: list[str]
    """Why not: `draining`, `database`, `commits fail`, `commits lag`, or what another part says."""


class Readiness:
    """Asks every part whether it can do its work."""

    def __init__(self, health: Health, documents: Documents) -> None:
        self.draining = False
        """The server was told to stop: nobody new should come."""
        self.parts: dict[str, Callable[[], bool]] = {}
        """Further parts by the word that says what is wrong: whether each can do its work."""
        self._health = health
        self._flusher = documents.flusher
        self._lag_s_max = documents.settings.ready_lag_s

    @property
    def alive(self) -> bool:
        """Whether anything that was acknowledged later can still be committed at all."""
        return self._flusher.is_running

    async def reasons(self) -> list[str]:
        """Why no work should be sent here; nothing where all is well."""
        found = ["draining"] if self.draining else []
        flusher = self._flusher
        if flusher.failing is not None:
            found.append("commits fail")
        elif flusher.oldest_age() > self._lag_s_max:
            found.append("commits lag")
        if await self._health.reachable() != "ok":
            found.append("database")
        return found + [word for word, works in self.parts.items() if not works()]


READINESS = web.AppKey("readiness", Readiness)


def _install(app: web.Application, _pool: Pool) -> None:
    app[READINESS] = Readiness(app[HEALTH], app[DOCUMENTS])


PROBES = Adapter(name="probes", routes=ROUTES, about=__doc__ or "", install=_install)


@ROUTES.get("/livez", access=ANYONE, replies={200: Alive, 503: Alive})
async def livez(request: web.Request) -> web.Response:
    """Whether the process lives; where it does not answer or says no, start another one."""
    alive = request.app[READINESS].alive
    return reply(Alive(status="ok" if alive else "stuck"), 200 if alive else 503)


@ROUTES.get("/readyz", access=ANYONE, replies={200: Ready, 503: Ready})
async def readyz(request: web.Request) -> web.Response:
    """Whether work should be sent here: edits can be committed, and nobody told it to stop."""
    reasons = await request.app[READINESS].reasons()
    if not reasons:
        return reply(Ready(status="ready", reasons=[]))
    return reply(Ready(status="not ready", reasons=reasons), 503, _RETRY)
