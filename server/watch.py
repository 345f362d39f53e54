"""Notices within two seconds that a right was taken away, whichever node did it.

Whatever is cached or open because of an account or a workspace hangs on its version in the
database (accounts.auth_version, scopes.rights_version). One query a second compares the known
versions with the stored ones and comes back with those that moved; nothing here depends on a bus.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from server.pace import until_next
from storage.errors import StorageError

log = logging.getLogger("plait.watch")

ACCOUNT = "account"
SCOPE = "scope"

Moved: TypeAlias = Callable[[], None]
Ask: TypeAlias = Callable[[dict[str, int], dict[str, int]], Awaitable[list[tuple[str, str, int]]]]

UNKNOWN = -1
"""The version of something that is watched before anybody has looked: the first look moves it."""


class Watched:
    """One account or workspace: its known version, and who wants to hear when it moves."""

    __slots__ = ("hearers", "version")

    def __init__(self, version: int) -> None:
        self.version = version
        self.hearers: dict[object, Moved] = {}


class Watch:
    """The versions that this process relies on."""

    def __init__(
        self, ask: Ask, *, period_s: float = 1.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._period_s = period_s
        self._known: dict[str, dict[str, Watched]] = {ACCOUNT: {}, SCOPE: {}}
        self._asked_at = float("-inf")

    def rely(self, subject: str, name: str, version: int, moved: Moved) -> Moved | None:
        """Call `moved` when `name` is no longer at `version`; the answer ends that.

        None when a newer version is known already: what was read with this one is out of date.
        """
        known = self._known[subject].get(name)
        if known is None:
            known = self._known[subject][name] = Watched(version)
        elif known.version == UNKNOWN:
            known.version = version
        elif version > known.version:
            self._move(known, version)
            # If all who heard that went away, so did the entry.
            known = self._known[subject].setdefault(name, known)
        elif version not in {known.version, UNKNOWN}:
            return None
        token = object()
        known.hearers[token] = moved

        def end() -> None:
            known.hearers.pop(token, None)
            if not known.hearers and self._known[subject].get(name) is known:
                del self._known[subject][name]

        return end

    def hear(self, subject: str, name: str, hearer: Moved) -> None:
        """Call `hearer` whenever `name` moved, from the first look on, until it is `deaf` to it.

        For those of whom there are many: nothing is made for each.
        """
        known = self._known[subject].get(name)
        if known is None:
            known = self._known[subject][name] = Watched(UNKNOWN)
        known.hearers[hearer] = hearer

    def deaf(self, subject: str, name: str, hearer: Moved) -> None:
        """The end of `hear`."""
        known = self._known[subject].get(name)
        if known is not None:
            known.hearers.pop(hearer, None)
            if not known.hearers:
                del self._known[subject][name]

    def seen(self, subject: str, name: str, version: int) -> None:
        """Somebody came across a version: if it is newer than the known one, say so at once."""
        known = self._known[subject].get(name)
        if known is not None and known.version < version:
            self._move(known, version)

    def version(self, subject: str, name: str) -> int | None:
        """The version of something that is watched, if it was looked at recently enough."""
        known = self._known[subject].get(name)
        if known is None or known.version == UNKNOWN or not self.is_fresh():
            return None
        return known.version

    def is_fresh(self) -> bool:
        """Whether the last look was recent enough to go on relying on what is known."""
        return self._clock() - self._asked_at < 2 * self._period_s

    def tables(self) -> list[dict[Any, Any]]:
        """What grows with the number of those who hear."""
        names = list(self._known.values())
        return [*names, *(each.hearers for known in names for each in known.values())]

    def sizes(self) -> dict[str, int]:
        """How many accounts and workspaces are watched."""
        return {subject: len(known) for subject, known in self._known.items()}

    async def look(self) -> None:
        """Compare all known versions with the stored ones; raises StorageError."""
        asked_at = self._clock()
        known = [
            {name: watched.version for name, watched in self._known[subject].items()}
            for subject in (ACCOUNT, SCOPE)
        ]
        for subject, name, version in await self._ask(*known):
            watched = self._known[subject].get(name)
            # It may have moved further meanwhile, or be watched no more; 0 says that it is gone.
            if watched is not None and (
                version > watched.version or 0 == version < watched.version
            ):
                self._move(watched, version)
        self._asked_at = asked_at

    async def run(self) -> None:
        """Look once a period, for ever. While the database is away nothing is fresh."""
        healthy = True
        loop = asyncio.get_running_loop()
        while True:
            started = self._clock()
            try:
                async with asyncio.timeout(5 * self._period_s):
                    await self.look()
            except (StorageError, TimeoutError) as error:
                if healthy:
                    log.warning("changed rights cannot be looked up: %s", error)
                healthy = False
            else:
                healthy = True
            is_late = self._clock() - started >= self._period_s
            await asyncio.sleep(0.05 if is_late else until_next(self._period_s, loop.time()))

    def _move(self, watched: Watched, version: int) -> None:
        watched.version = version
        for moved in list(watched.hearers.values()):
            try:
                moved()
            except Exception:  # (one hearer's fault must not keep the others from hearing)
                log.exception("a change of rights was not taken in")
