"""What a principal may do to a document, and which document a name means to it.

Roles are cached by account and workspace until the workspace's rights version moves, so a role
costs two look-ups. `watch` calls back within two seconds of any change that may matter; the caller
then asks `recheck`.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, NamedTuple, TypeAlias

from aiohttp import web

from auth.errors import Forbidden
from auth.grants import effective_role
from auth.principal import Principal, Role
from crdt.ids import DocumentName, is_global_id
from server.cache import Cache
from server.identify import Identify
from server.names import Deletions, Names
from server.watch import ACCOUNT, SCOPE, UNKNOWN, Moved, Watch
from storage.documents import DocumentRecord, Documents
from storage.errors import NameTaken
from storage.grants import Grants, Place

Judge: TypeAlias = Callable[[Principal, DocumentRecord], Awaitable[Role]]
_SCOPE_LETTERS_MAX = 64
_NOWHERE = Place(Role.NONE, 0)


class Seat(NamedTuple):
    """An account in a workspace."""

    account: str
    scope: str


class Rights:
    """Roles on documents. All methods raise Unavailable with the database away, if they need it."""

    def __init__(
        self,
        *,
        identify: Identify,
        grants: Grants,
        documents: Documents,
        watch: Watch,
        entries_max: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._identify = identify
        self._grants = grants
        self._watch = watch
        self._clock = clock
        self._names = Names(documents, version=partial(watch.version, SCOPE))
        self.judges: dict[str, Judge] = {}
        """By kind of document: who judges where no membership says what somebody may do."""
        self._deletions = Deletions(grants)
        self._places: Cache[Seat, Place] = Cache(
            watch, SCOPE, self._load, lambda seat: seat.scope, entries_max
        )

    async def role(self, principal: Principal, document: DocumentRecord) -> Role:
        """The role of somebody who was identified just now; NONE after the token's end."""
        member = await self.role_in(principal.account, document.scope)
        return effective_role(principal, document.id, member, self._clock())

    async def recheck(self, principal: Principal, document: DocumentRecord) -> Role:
        """The role of somebody who was identified a while ago: NONE if anything ended it since.

        That is: the token's end, its revocation, the account's, the membership's or the document's.
        """
        judge = self.judges.get(document.kind)
        if judge is not None:
            return await judge(principal, document)
        if not await self._identify.holds(principal):
            return Role.NONE
        role = await self.role(principal, document)
        if role is not Role.NONE and await self._deletions.includes(document.id):
            return Role.NONE
        return role

    async def role_in(self, account: str, scope: str) -> Role:
        """The role of an account in a workspace; NONE for unknown and deleted ones alike."""
        if not is_fit(scope):
            return Role.NONE
        return (await self._places.get(Seat(account, scope))).role

    async def open_document(
        self, principal: Principal, name: DocumentName, *, create: bool
    ) -> tuple[DocumentRecord, Role]:
        """The document that `name` means to `principal`, made if it is new and `create` is set.

        A global id means one document wherever it is; any other name belongs to the workspace that
        is named with it, else to the caller's default one. Forbidden, always the same, for what is
        foreign, unknown or deleted.
        """
        if principal.document is not None:
            record = await self._of_token(principal, name)
        else:
            record = await self._find(principal, name)
            if record is None and create:
                record = await self._create(principal, name)
        if record is None or record.deleted:
            raise Forbidden
        role = await self.role(principal, record)
        if role is Role.NONE:
            raise Forbidden
        return record, role

    def peek(self, principal: Principal, name: DocumentName) -> tuple[DocumentRecord, Role] | None:
        """What `open_document` would answer, if that needs no question and is not a refusal."""
        scope = name.workspace or principal.default_workspace
        if principal.document is not None or scope is None or is_global_id(name.name):
            return None
        place = self._places.peek(Seat(principal.account, scope))
        record = self._names.peek(scope, name.name)
        if place is None or record is None or record.deleted or record.scope != scope:
            return None
        role = effective_role(principal, record.id, place.role, self._clock())
        return None if role is Role.NONE else (record, role)

    def watch(self, scope: str, account: str, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` when a right of `account` in `scope` may have changed; ends by a call."""
        ends: list[Moved] = []
        for subject, name in ((SCOPE, scope), (ACCOUNT, account)):
            end = self._watch.rely(subject, name, UNKNOWN, callback)
            assert end is not None
            ends.append(end)

        def unwatch() -> None:
            for end in ends:
                end()

        return unwatch

    def hear(self, scope: str, account: str, hearer: Moved) -> None:
        """As `watch`, for those of whom there are many; ends by `deaf`."""
        self._watch.hear(SCOPE, scope, hearer)
        self._watch.hear(ACCOUNT, account, hearer)

    def deaf(self, scope: str, account: str, hearer: Moved) -> None:
        """The end of `hear`."""
        self._watch.deaf(SCOPE, scope, hearer)
        self._watch.deaf(ACCOUNT, account, hearer)

    def tables(self) -> list[dict[Any, Any]]:
        """What grows with the number of those who hear."""
        return self._watch.tables()

    def seen(self, scope: str, rights_version: int) -> None:
        """A commit carried a workspace's rights version; a newer one is taken in at once."""
        self._watch.seen(SCOPE, scope, rights_version)

    def forget(self, record: DocumentRecord) -> None:
        """A document was deleted or restored here: do not answer for it from memory."""
        self._names.forget(record)

    def prune(self) -> None:
        """Forget what nobody used for a while."""
        self._places.prune()
        self._names.prune()

    async def _of_token(self, principal: Principal, name: DocumentName) -> DocumentRecord | None:
        """A document token's own document, if that is what `name` means."""
        scope = principal.document_scope
        assert scope is not None
        if name.name != principal.document_name or name.workspace not in {None, scope}:
            return None
        record = await self._names.find(scope, name.name)
        return record if record is not None and record.id == principal.document else None

    async def _find(self, principal: Principal, name: DocumentName) -> DocumentRecord | None:
        scope = name.workspace or principal.default_workspace
        if is_global_id(name.name):
            record = await self._names.find_global(name.name)
            if record is not None and name.workspace not in {None, record.scope}:
                return None
            return record
        # A stranger in the workspace is not even told whether the name is taken.
        if scope is None or await self.role_in(principal.account, scope) is Role.NONE:
            return None
        return await self._names.find(scope, name.name)

    async def _create(self, principal: Principal, name: DocumentName) -> DocumentRecord | None:
        scope = name.workspace or principal.default_workspace
        if scope is None or await self.role_in(principal.account, scope) < Role.EDITOR:
            return None
        try:
            return await self._names.create(scope, name.name, principal.account)
        except NameTaken:
            return None

    async def _load(self, seat: Seat) -> tuple[Place, int | None]:
        place = await self._grants.place(seat.account, seat.scope)
        if place is None or place.role is Role.NONE:
            # Not kept: strangers could fill the memory with workspaces that are not theirs.
            return _NOWHERE, None
        return place, place.rights_version


def is_fit(scope: str) -> bool:
    """Whether a text from outside can be a workspace's id at all."""
    return 0 < len(scope) <= _SCOPE_LETTERS_MAX and scope.isascii() and scope.isprintable()


RIGHTS = web.AppKey("rights", Rights)
