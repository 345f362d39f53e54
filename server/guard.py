"""Rights while a session lives: expiry, revocation and role changes reach open sockets in seconds.

The right was checked at the join; from then on the guard looks again whenever the rights version
of the document's workspace or the account's credentials moved, and when the token ends.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from auth.errors import AuthError
from auth.principal import Role
from server.deadlines import Deadlines
from server.errors import TooManyRequests
from server.tasks import Tasks
from storage.errors import StorageError

if TYPE_CHECKING:
    from auth.principal import Principal
    from server.member import Member
    from server.rights import Rights
    from server.settings import Settings
    from storage.documents import DocumentRecord

log = logging.getLogger("plait.guard")

_ENTRIES_EACH, _ENTRIES_SPARE = 4, 100
"""Deadlines kept: so many for each session that is there, and so many more before any is looked
for that nobody needs."""


class _Post:
    """One guarded session; called when its right may have moved."""

    __slots__ = ("guard", "member", "principal", "record")

    def __init__(
        self, guard: Guard, member: Member, record: DocumentRecord, principal: Principal
    ) -> None:
        self.guard = guard
        self.member = member
        self.record = record
        self.principal = principal

    def __call__(self) -> None:
        """Look again."""
        self.guard.look_again(self)


class Guard:
    """Keeps every session within its right, for as long as it is there."""

    def __init__(self, rights: Rights, settings: Settings) -> None:
        self._rights = rights
        self._settings = settings
        self._posts: dict[Member, _Post] = {}
        self._open: Counter[str] = Counter()
        """Sessions of each account."""
        self._deadlines: Deadlines[Member] = Deadlines()
        """When to look at a token; no more than once a second, and that late."""
        self._unsure: set[_Post] = set()
        """Sessions whose right moved and could not be looked up."""
        self._tasks = Tasks()

    def tables(self) -> list[dict[Any, Any]]:
        """What grows with the number of sessions."""
        return [self._posts, *self._rights.tables()]

    def admit(self, principal: Principal) -> None:
        """Raise TooManyRequests for an account that has too many documents open."""
        if self._open[principal.account] >= self._settings.connections_per_account_max:
            raise TooManyRequests(10)

    def watch(self, member: Member, record: DocumentRecord, principal: Principal) -> None:
        """Guard a session from its join on."""
        post = self._posts[member] = _Post(self, member, record, principal)
        self._open[principal.account] += 1
        self._rights.hear(record.scope, principal.account, post)
        self._expire_later(post)
        self._forget_gone()

    def unwatch(self, member: Member) -> None:
        """The session is over."""
        post = self._posts.pop(member, None)
        if post is None:
            return
        account = post.principal.account
        self._open[account] -= 1
        if not self._open[account]:
            del self._open[account]
        self._rights.deaf(post.record.scope, account, post)

    async def renew(self, member: Member, record: DocumentRecord, principal: Principal) -> None:
        """A newer token of the same account; raises Forbidden when it may do less than join."""
        role = await self._rights.recheck(principal, record)
        post = self._posts.get(member)
        if post is None:
            return
        if role == Role.NONE:
            member.dismissed("permission-denied")
            return
        post.principal = principal
        self._expire_later(post)
        self._forget_gone()
        member.rights_changed(can_write=role >= Role.EDITOR)

    def seen(self, scope: str, rights_version: int) -> None:
        """A commit carried the scope's rights version: when it moved, look at once."""
        self._rights.seen(scope, rights_version)

    def forget(self, record: DocumentRecord) -> None:
        """A document is not what it was (gone, rebuilt): look it up anew from now on."""
        self._rights.forget(record)

    def look_again(self, post: _Post) -> None:
        """The right of a session may have moved."""
        self._tasks.spawn(self._recheck(post), "recheck rights")

    async def _recheck(self, post: _Post) -> None:
        try:
            role = await self._rights.recheck(post.principal, post.record)
        except AuthError:
            role = Role.NONE
        except StorageError as error:
            # The store is away: nothing can be written either; the next sweep asks again.
            log.warning("rights of %s cannot be checked: %s", post.principal.account, error)
            self._unsure.add(post)
            return
        if self._posts.get(post.member) is not post:
            return
        if role == Role.NONE:
            post.member.dismissed("permission-denied")
        else:
            post.member.rights_changed(can_write=role >= Role.EDITOR)

    # -- expiry -------------------------------------------------------------------------

    def _expire_later(self, post: _Post) -> None:
        expires_at = post.principal.expires_at
        if expires_at is not None:
            ask_at = expires_at - self._settings.token_ask_before_s
            self._deadlines.add(ask_at, post.member)

    def _forget_gone(self) -> None:
        """Drop the deadlines of sessions that have ended: tokens of a day outlive most of them.

        Each holds a session and its connection. Who showed a newer token again and again has old
        deadlines, too. Those who were asked for a token already are asked once more.
        """
        if len(self._deadlines) > _ENTRIES_EACH * len(self._posts) + _ENTRIES_SPARE:
            self._deadlines.clear()
            for post in self._posts.values():
                self._expire_later(post)

    def sweep(self) -> None:
        """Ask for new tokens, end sessions whose token is over, look again where that failed.

        Called about once a second.
        """
        unsure, self._unsure = self._unsure, set()
        for asked in unsure:
            if self._posts.get(asked.member) is asked:
                self.look_again(asked)
        self._forget_gone()
        now = time.time()
        for member in self._deadlines.due(now):
            post = self._posts.get(member)
            if post is None or post.principal.expires_at is None:
                continue
            if post.principal.expires_at <= now:
                member.dismissed("token-expired")
            elif post.principal.expires_at - self._settings.token_ask_before_s <= now:
                self._deadlines.add(post.principal.expires_at, member)
                member.ask_token()
