"""Profiles: their password with its lock-out, their document, their making and their end."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, TypeVar
from uuid import UUID

from aiohttp import web

from auth.errors import Forbidden, Unauthorized
from auth.lockout import Attempts, Lockout
from auth.passwords import is_outdated
from auth.principal import Kind, Principal, Role
from crdt.ids import RANDOM_BYTES, make_ulid
from server.adapters.difflog import mapping
from server.documents import DOCUMENTS, Documents
from server.entrance import ENTRANCE, Entry
from server.errors import ApiError, Busy, TooManyRequests
from server.hashing import Hashing
from server.limits import LIMITS, Limit
from server.looking import change, look
from server.rights import RIGHTS
from server.settings import Settings
from storage.difflog import KIND, Difflog, Outcome, Profile, Secrets
from storage.documents import DocumentRecord
from storage.pool import Pool

AUTHOR = "difflog"
"""Whose the rows are that come by these routes: profiles have no account."""

_T = TypeVar("_T")


class Refused(ApiError):
    """A password that was not accepted, with what the client shows of it."""

    def __init__(self, status: int, code: str, message: str, **facts: Any) -> None:  # noqa: ANN401
        super().__init__(status, code, message)
        self.facts = facts
        if "retry_after_seconds" in facts:
            self.retry_after_s: float = facts["retry_after_seconds"]


def unknown() -> ApiError:
    """There is no such profile."""
    return ApiError(404, "not_found", "Profile not found")


class Profiles:
    """What the routes ask. Every method may raise Unavailable, Busy or ApiError."""

    def __init__(self, settings: Settings, documents: Documents, pool: Pool) -> None:
        self.settings = settings
        self.documents = documents
        self.store = Difflog(pool)
        self.hashing = Hashing(
            at_once=settings.difflog_hashes_at_once, waiting_max=settings.difflog_hashes_waiting_max
        )
        self._lockout = Lockout(
            failures_max=settings.difflog_attempts_max,
            lock_s=settings.difflog_lock_s,
            forget_s=settings.difflog_forget_s,
        )
        self.room = mapping.Room(
            bytes_max=settings.difflog_profile_bytes_max, items_max=settings.difflog_items_max
        )

    # -- the password -------------------------------------------------------------------

    async def find(self, profile: str) -> Profile:
        """A profile, for what anybody may know of it."""
        found = await self.store.find(profile)
        if found is None:
            raise unknown()
        return found

    async def opened(self, profile: str, secret: str | None) -> Profile:
        """A profile whose password is shown; wrong ones count towards its lock."""
        if not secret:
            raise Refused(401, "password_required", "Password required")
        found = await self.find(profile)
        attempts = _attempts(found)
        known = self.hashing.is_known(secret, found.secrets.password_hash)
        if known and not attempts.failures and not attempts.locked_until:
            return found
        return await self._judged(profile, secret)

    async def _judged(self, profile: str, secret: str) -> Profile:
        """Compare under the lock of the row, so that guesses at once are counted one by one."""
        refusal: list[Refused] = []

        async def judge(found: Profile) -> Outcome | None:
            now = time.time()
            attempts = _attempts(found)
            if self._lockout.locked_for(attempts, now):
                refusal.append(self._locked(attempts, now))
                return None
            if await self.hashing.verify(secret, found.secrets.password_hash):
                return await self._right(found, secret)
            attempts = self._lockout.failed(attempts, now)
            refusal.append(self._wrong(attempts, now))
            return _outcome(found.secrets, attempts)

        async with self.hashing.slot():
            judged = await self.store.judge(profile, judge)
        if judged is None:
            raise unknown()
        if refusal:
            raise refusal[0]
        return judged

    async def _right(self, found: Profile, secret: str) -> Outcome | None:
        """The right password: the count begins anew, and an old stored form is replaced."""
        secrets = found.secrets
        if not is_outdated(secrets.password_hash):
            return _outcome(secrets, Attempts()) if _attempts(found) != Attempts() else None
        return Outcome(
            password_hash=await self.hashing.hash(secret), password_salt=client_salt(secret)
        )

    def _locked(self, attempts: Attempts, now: float) -> Refused:
        seconds = -int(-self._lockout.locked_for(attempts, now) // 1)
        return Refused(
            429,
            "locked",
            "Account locked. Try again later.",
            locked=True,
            retry_after_seconds=seconds,
        )

    def _wrong(self, attempts: Attempts, now: float) -> Refused:
        facts: dict[str, Any] = {"attempts_remaining": self._lockout.left(attempts)}
        if locked_for := self._lockout.locked_for(attempts, now):
            facts["retry_after_seconds"] = -int(-locked_for // 1)
        return Refused(401, "invalid_password", "Invalid password", **facts)

    async def hashed(self, secret: str) -> str:
        """The stored form of a new password."""
        async with self.hashing.slot():
            return await self.hashing.hash(secret)

    # -- sockets ------------------------------------------------------------------------

    async def enter(self, profile: str, secret: str) -> Entry:
        """Let somebody into a profile's document, by the same password and the same lock."""
        try:
            found = await self.opened(profile, secret)
        except Refused as refused:
            if refused.status == HTTPStatus.TOO_MANY_REQUESTS:
                raise TooManyRequests(refused.retry_after_s) from None
            raise Unauthorized("token_invalid") from None
        except ApiError:
            raise Unauthorized("token_invalid") from None
        principal = Principal(kind=Kind.PROFILE, account=f"{KIND}/{profile}")
        return Entry(principal, found.document, Role.EDITOR)

    async def judge(self, principal: Principal, document: DocumentRecord) -> Role:
        """What somebody who came in by a password may do now: a new one makes a new document."""
        found = await self.store.find(principal.account.removeprefix(f"{KIND}/"))
        is_same = found is not None and found.document.id == document.id
        return Role.EDITOR if is_same else Role.NONE

    # -- the document -------------------------------------------------------------------

    async def look(self, profile: Profile, ask: Callable[[Any], _T]) -> _T:
        """What the profile's document says, of committed rows only."""
        with _meanwhile():
            return await look(self.documents, profile.document, ask)

    async def change(self, profile: Profile, write: Callable[[Any], _T]) -> _T:
        """What `write` answers, after its commit."""
        with _meanwhile():
            return await change(self.documents, profile.document, write, AUTHOR)

    async def create(self, profile: str, secrets: Secrets, write: Callable[[Any], None]) -> bool:
        """Make a profile with its first content; False where one of that id came before."""
        scope = make_ulid(int(time.time() * 1000), os.urandom(RANDOM_BYTES))
        await self.store.create_scope(scope)
        document = await self._document(scope, write)
        if await self.store.insert(profile, document.id, secrets):
            return True
        await self.store.end_scope(scope)
        await self._purge(document.id)
        return False

    async def replace(
        self, profile: Profile, secrets: Secrets, write: Callable[[Any], bool]
    ) -> bool:
        """Give a profile a new document with new secrets, at one moment. False where it is full.

        Whoever has the old one open is sent away, and old ciphertext goes with it.
        """
        written: list[bool] = []
        scope = profile.document.scope
        document = await self._document(scope, lambda doc: written.append(write(doc)))
        old = profile.document.id
        if written[-1] and await self.store.replace(profile, secrets, document.id):
            await self._purge(old)
            return True
        await self._purge(document.id)
        if written[-1]:
            raise ApiError(409, "conflict", "The profile was changed meanwhile")
        return False

    async def delete(self, profile: Profile) -> None:
        """Remove a profile and everything of it."""
        if not await self.store.delete(profile):
            raise unknown()
        await self._purge(profile.document.id)

    async def _document(self, scope: str, write: Callable[[Any], None]) -> DocumentRecord:
        name = f"profile {os.urandom(8).hex()}"
        document = await self.documents.store.create(scope, name, None, KIND)
        await self.documents.edit(document, write, account=AUTHOR)
        return document

    async def _purge(self, document: UUID) -> None:
        await self.documents.store.delete(document)
        self.documents.end(document, "deleted")
        await self.documents.store.purge(document)


@contextmanager
def _meanwhile() -> Iterator[None]:
    """The document went after the profile was found: a new password, or the end of it."""
    try:
        yield
    except Forbidden:
        raise Busy("the profile was changed meanwhile", 1) from None


def client_salt(secret: str) -> str | None:
    """The client's salt in what it sends in place of the password."""
    salt, colon, _ = secret.partition(":")
    return salt if colon else None


def now_text() -> str:
    """The time as this API writes it: whole seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _attempts(profile: Profile) -> Attempts:
    return Attempts(
        profile.failures,
        None if profile.failed_at is None else profile.failed_at.timestamp(),
        None if profile.locked_until is None else profile.locked_until.timestamp(),
    )


def _outcome(secrets: Secrets, attempts: Attempts) -> Outcome:
    return Outcome(
        failures=attempts.failures,
        failed_at=_instant(attempts.failed_at),
        locked_until=_instant(attempts.locked_until),
        password_hash=secrets.password_hash,
        password_salt=secrets.password_salt,
    )


def _instant(at: float | None) -> datetime | None:
    return None if at is None else datetime.fromtimestamp(at, UTC)


PROFILES = web.AppKey("difflog profiles", Profiles)


def install(app: web.Application, pool: Pool) -> None:
    """Put into an application what the routes look up."""
    documents = app[DOCUMENTS]
    settings = documents.settings
    profiles = app[PROFILES] = Profiles(settings, documents, pool)
    for name, per_minute in (
        ("difflog_create", settings.difflog_creations_per_minute),
        ("difflog_read", settings.difflog_reads_per_minute),
        ("difflog_codes", settings.difflog_codes_per_minute),
        ("difflog_relay", settings.difflog_relays_per_minute),
    ):
        app[LIMITS][name] = Limit(per_minute, time.monotonic)
    app[ENTRANCE].doors[KIND] = profiles.enter
    app[RIGHTS].judges[KIND] = profiles.judge

    async def close(_: web.Application) -> None:
        profiles.hashing.close()

    app.on_cleanup.append(close)
