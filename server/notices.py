"""Notices: a client that asks is told what changes in a workspace, and need not poll.

They come from the change feed, so whatever is committed raises them: REST, live editing, restores,
another node. Nothing is queued for a reader. A subscription remembers the stamp up to which it was
told, and what is later is read from the feed when its reader can take it: each block once, however
often it changed, or the one word `resync` where that would be too much. Either way the device asks
delta from its own marker and misses nothing.

A workspace that somebody listens to is settled as soon as something in it is committed; documents
in workspaces that nobody listens to cost nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec

from auth.errors import Forbidden
from auth.principal import Role
from server.listening import Place, Subscription
from server.pace import until_next
from server.tasks import Tasks
from server.telling import members_changed, resync, unsubscribed, worded
from storage.changes import Settled
from storage.errors import StorageError

if TYPE_CHECKING:
    from auth.principal import Principal
    from server.documents import Documents
    from server.feed import Feed
    from server.identify import Identify
    from server.listening import Reader
    from server.rights import Rights
    from storage.grants import Grants

log = logging.getLogger("plait.notices")

PAUSE_S = 0.1
"""Seconds between two rounds of one workspace; the first change after a pause is told at once."""
SHARE = 0.1
"""The part of the time that the rounds of one workspace may take."""
POLL_S = 1.0
"""Seconds between two looks for what other nodes settled, and for readers that can read again."""


class Notices:
    """Every subscription of this process."""

    def __init__(
        self,
        feed: Feed,
        documents: Documents,
        *,
        rights: Rights,
        identify: Identify,
        grants: Grants,
    ) -> None:
        self._feed = feed
        self._documents = documents
        self._rights = rights
        self._identify = identify
        self._grants = grants
        self._places: dict[str, Place] = {}
        self._of_reader: dict[Reader, set[str]] = {}
        self._tasks = Tasks()
        self._unlisten: Callable[[], None] | None = None
        metrics = documents.metrics
        metrics.gauge(
            "subscriptions",
            "Workspaces that clients want notices of",
            lambda: sum(len(place.subscriptions) for place in self._places.values()),
        )

    def start(self) -> None:
        """Begin to listen to the feed."""
        self._unlisten = self._feed.listen(self._settled)
        self._tasks.spawn(self._poll_on(), "poll for notices")

    async def stop(self) -> None:
        """End; whoever listens comes back and asks again."""
        if self._unlisten is not None:
            self._unlisten()
        await self._tasks.close()

    # -- subscribing --------------------------------------------------------------------

    async def subscribe(self, reader: Reader, scope: str) -> int:
        """Tell a reader what changes from now on; the stamp from which on it is told.

        Raises Forbidden (unknown and foreign workspaces alike; with the reason `too_many` for one
        over the bound) and Unavailable.
        """
        if await self.role(reader.principal, scope) is Role.NONE:
            raise Forbidden
        await self._feed.settle(scope)
        members = await self._grants.members(scope)
        marker = (await self._feed.changes.markers([scope])).get(scope, 0)
        held = self._of_reader.setdefault(reader, set())
        if scope in held:
            return marker
        if len(held) >= self._documents.settings.notices_per_document_max:
            raise Forbidden("too_many")
        held.add(scope)
        place = self._places.get(scope)
        if place is None:
            place = self._places[scope] = Place(scope, members)
            self._documents.listened[scope] = place.wrote
            self._tasks.spawn(self._run(place), f"notices of {scope}")
        place.seen = max(place.seen, marker)
        place.subscriptions[reader] = one = Subscription(reader, marker)
        one.unwatch = self._rights.watch(scope, reader.principal.account, place.moved)
        return marker

    def unsubscribe(self, reader: Reader, scope: str) -> None:
        """No more of this workspace."""
        held = self._of_reader.get(reader, set())
        held.discard(scope)
        if not held:
            self._of_reader.pop(reader, None)
        place = self._places.get(scope)
        one = None if place is None else place.subscriptions.pop(reader, None)
        if place is None or one is None:
            return
        if one.unwatch is not None:
            one.unwatch()
        if not place.subscriptions:
            del self._places[scope]
            self._documents.listened.pop(scope, None)
            place.stirred.set()

    def leave(self, reader: Reader) -> None:
        """The reader is gone."""
        for scope in list(self._of_reader.get(reader, ())):
            self.unsubscribe(reader, scope)
        self._of_reader.pop(reader, None)

    def spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Run the answer to a question; it ends with the notices at the latest."""
        return self._tasks.spawn(work, "answer about notices")

    async def role(self, principal: Principal, scope: str) -> Role:
        """What somebody may do in a workspace now. A token for one document opens no workspace."""
        if principal.document is not None or not await self._identify.holds(principal):
            return Role.NONE
        return min(await self._rights.role_in(principal.account, scope), principal.role_max)

    def say(self, scope: str, said: msgspec.Struct) -> None:
        """Tell those who listen to a workspace something that is not in its feed."""
        place = self._places.get(scope)
        if place is not None:
            ready = [one for one in place.subscriptions.values() if one.reader.is_ready]
            self._tasks.spawn(self._tell(place, ready, [said]), f"word of {scope}")

    # -- what happens -------------------------------------------------------------------

    def _settled(self, settled: list[Settled]) -> None:
        for one in settled:
            place = self._places.get(one.scope)
            if place is not None:
                place.sides.note(one)
                place.stirred.set()

    async def _poll_on(self) -> None:
        before: dict[str, tuple[int, bool]] = {}
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(until_next(POLL_S, clock()))
            if not self._places:
                continue
            try:
                latest = await self._feed.changes.latest(list(self._places))
            except StorageError:
                # Nothing can have changed that anybody could read.
                continue
            for place in self._places.values():
                marker, is_dirty = found = latest.get(place.scope, (0, False))
                if any(one.marker < marker for one in place.subscriptions.values()):
                    place.stirred.set()
                if is_dirty and before.get(place.scope) == found:
                    place.wrote()  # By a node that has more to do and does not settle it yet.
            before = latest

    async def _run(self, place: Place) -> None:
        """Tell what changes in one workspace, while anybody listens."""
        loop = asyncio.get_running_loop()
        while place.subscriptions:
            await place.stirred.wait()
            started = loop.time()
            try:
                await self._round(place)
            except StorageError as error:
                log.warning("notices of %s come later: %s", place.scope, error)
                place.moved()
                await asyncio.sleep(POLL_S)
            except Exception:
                # An outermost loop: a fault in one round must not end the notices.
                log.exception("notices of %s failed", place.scope)
            pause = (loop.time() - started) * (1 / SHARE - 1)
            await asyncio.sleep(min(max(PAUSE_S, pause), POLL_S))

    async def _round(self, place: Place) -> None:
        if place.is_written:
            place.is_written = False
            await self._feed.settle(place.scope)
        place.stirred.clear()
        if place.is_written:
            place.stirred.set()
        if place.is_moved:
            place.is_moved = False
            await self._look_at_members(place)
        ready = [one for one in place.subscriptions.values() if one.reader.is_ready]
        for marker in {one.marker for one in ready}:
            await self._catch_up(place, marker, [one for one in ready if one.marker == marker])
        place.sides.prune(min((one.marker for one in place.subscriptions.values()), default=0))

    async def _catch_up(self, place: Place, marker: int, group: Sequence[Subscription]) -> None:
        """Tell those who know everything up to a stamp what is later than it."""
        most = self._documents.settings.notices_at_once_max
        page = await self._feed.changes.since(place.scope, marker, most)
        if page.has_more:
            end = (await self._feed.changes.markers([place.scope])).get(place.scope, page.marker)
            said: Sequence[msgspec.Struct] = [resync(place.scope, marker, end)]
        else:
            end = page.marker
            said = [worded(place.scope, entry, marker, place.sides) for entry in page.entries]
        await self._tell(place, group, said)
        for one in group:
            one.marker = max(one.marker, end)
        place.seen = max(place.seen, end)

    async def _tell(
        self, place: Place, group: Iterable[Subscription], said: Sequence[msgspec.Struct]
    ) -> None:
        """Say it to those who may still hear it; the others are told that it is over."""
        texts = [msgspec.json.encode(one).decode() for one in said]
        if not texts:
            return
        for one in list(group):
            role = await self.role(one.reader.principal, place.scope)
            if place.subscriptions.get(one.reader) is not one:
                continue
            if role is Role.NONE:
                self._end(place, one)
                continue
            self._documents.metrics.notices += len(texts)
            for text in texts:
                one.reader.tell(text)

    def _end(self, place: Place, one: Subscription) -> None:
        text = msgspec.json.encode(unsubscribed(place.scope, "forbidden")).decode()
        self.unsubscribe(one.reader, place.scope)
        one.reader.tell(text)

    async def _look_at_members(self, place: Place) -> None:
        """End what is no longer allowed, and tell the others whose role changed."""
        for one in list(place.subscriptions.values()):
            role = await self.role(one.reader.principal, place.scope)
            if role is Role.NONE and place.subscriptions.get(one.reader) is one:
                self._end(place, one)
        before, now = place.members, await self._grants.members(place.scope)
        place.members = now
        if before != now:
            said = members_changed(place.scope, before, now, place.seen)
            ready = [one for one in place.subscriptions.values() if one.reader.is_ready]
            await self._tell(place, ready, said)
