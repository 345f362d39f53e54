"""Rights that change while somebody is connected reach the open socket within two seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from auth.principal import Role
from crdt import wire
from server.realtime.codes import EXPIRED, FORBIDDEN, GONE
from storage.credentials import Credentials
from storage.grants import Grants
from storage.pool import close_pool, open_pool
from tests.clients import HocuspocusClient, YClient
from tests.inside import Guest, Inside, fresh_database, serving
from tests.patience import in_time, prompt, until
from tests.server.realtime.conftest import database_of_module
from tests.storage.wire_cutter import WireCutter

__all__ = ["database_of_module"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

WITHIN_S = 2.0


class Company:
    """Ada, who owns a document, and Bob, who has it open through three doors."""

    ada: Guest
    bob: Guest

    def __init__(self, inside: Inside, people: AsyncExitStack) -> None:
        self.inside, self._people = inside, people
        self.name = "shared"

    @property
    def full_name(self) -> str:
        """The document as Bob has to name it."""
        return f"{self.ada.workspace}:{self.name}"

    async def gather(self) -> tuple[HocuspocusClient, YClient, YClient]:
        """Two new people, and Bob's three connections: synced, one with a document of his own."""
        inside = self.inside
        self.ada, self.bob = [
            await self._people.enter_async_context(inside.visitor()) for _ in range(2)
        ]
        await self.ada.post("/doc/new", json={"docId": self.name})
        await inside.grants.set_member(self.ada.workspace, self.bob.account, Role.EDITOR)
        session = await self.bob.open(self.full_name)
        self.own = await session.socket.open("own", self.bob.token)
        y = await (await self.bob.y(self.full_name)).sync()
        token = await self.ada.document_token(self.name)
        sweet = await (await self.ada.sweet(self.name, token)).sync()
        return session, y, sweet

    async def own_still_works(self) -> None:
        """The other document on Bob's socket is not touched."""
        had = len(self.own.statuses)
        await self.own.write("fine")
        await self.own.settled(had + 1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def looking(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Inside]:
    """A server that looks at rights often; stories/test_revocation.py takes the usual setting."""
    folder = tmp_path_factory.mktemp("looking")
    async with (
        fresh_database(postgres) as database,
        serving(database, folder, rights_poll_s=0.2) as running,
    ):
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def company(looking: Inside) -> AsyncIterator[Company]:
    """People on that server."""
    async with AsyncExitStack() as people:
        yield Company(looking, people)


@prompt
async def test_an_editor_who_becomes_a_viewer_is_told_and_writes_no_more(company: Company) -> None:
    """Hocuspocus gets its new scope, y-websocket a denial with its next update; both stay."""
    session, y, _ = await company.gather()
    started = time.monotonic()

    await company.inside.grants.set_member(company.ada.workspace, company.bob.account, Role.VIEWER)

    await session.until(lambda: session.scopes[-1] == "readonly")
    in_time(time.monotonic() - started, WITHIN_S)
    await session.settled(1)
    await session.write("not mine")
    assert (await session.settled(2))[1] is False
    await y.write("nor this")
    await y.until(lambda: y.payloads(wire.AUTH_DENIED) == [b"read-only"])
    assert await company.ada.stored_text(company.name) == ""


async def test_a_viewer_who_becomes_an_editor_may_write_at_once(company: Company) -> None:
    """Without reconnecting."""
    session, y, _ = await company.gather()
    grants, ada, bob = company.inside.grants, company.ada, company.bob
    await grants.set_member(ada.workspace, bob.account, Role.VIEWER)
    await session.until(lambda: session.scopes[-1] == "readonly")

    await grants.set_member(ada.workspace, bob.account, Role.EDITOR)

    await session.until(lambda: session.scopes[-1] == "read-write")
    await session.write("mine ")
    await session.settled(2)
    await y.stored(await y.write("again"))


@pytest.mark.parametrize("what", ["membership", "account", "login"])
@prompt
async def test_who_is_removed_is_out(company: Company, what: str) -> None:
    """From the workspace, with the whole account, or with the login of the token."""
    session, y, _ = await company.gather()
    inside, bob = company.inside, company.bob
    started = time.monotonic()
    if what == "membership":
        await inside.grants.set_member(company.ada.workspace, bob.account, Role.NONE)
    elif what == "account":
        await inside.accounts.disable(bob.account)
    else:
        await Credentials(inside.pool).revoke_all(bob.account)

    await session.until(lambda: session.denials)
    assert await y.closed() == FORBIDDEN
    in_time(time.monotonic() - started, WITHIN_S)
    assert session.denials == ["permission-denied"]
    if what == "membership":
        await company.own_still_works()
    else:
        await company.own.denied()
    again = (await bob.hocuspocus()).session(company.full_name)
    await again.show(bob.token)
    await again.denied()


@prompt
async def test_a_deleted_document_closes_every_door(company: Company) -> None:
    """Hocuspocus is denied that document, the others are closed; nothing more is stored."""
    session, y, sweet = await company.gather()
    record = await company.inside.record(company.ada, company.name)
    started = time.monotonic()

    await company.inside.store.delete(record.id)

    await session.until(lambda: session.denials)
    assert {await y.closed(), await sweet.closed()} <= {FORBIDDEN, GONE}
    in_time(time.monotonic() - started, WITHIN_S)
    await company.own_still_works()
    assert (await company.inside.store.load(record.id)).head == 0


async def test_an_update_to_a_document_that_was_deleted_just_now_is_refused(
    company: Company,
) -> None:
    """The fence in the store tells it before the poll does: status no, then the denial."""
    session, y, _ = await company.gather()
    await session.settled(1)
    await company.inside.store.delete((await company.inside.record(company.ada, company.name)).id)

    await session.write("too late")
    await y.until(lambda: y.code is not None)
    await session.until(lambda: session.denials)

    assert session.statuses in ([True], [True, False])
    assert y.code in {FORBIDDEN, GONE}


async def test_the_issuer_of_a_document_token_takes_it_along(company: Company) -> None:
    """A token dies with the right of the account that issued it, and when it is revoked."""
    _, _, sweet = await company.gather()
    await company.inside.grants.revoke_document_tokens(company.ada.account, time.time() + 1)

    assert await sweet.closed() == FORBIDDEN


# -- tokens that end --------------------------------------------------------------------


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def asking(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Inside]:
    """A server that asks for new tokens ten seconds ahead."""
    folder = tmp_path_factory.mktemp("asking")
    async with (
        fresh_database(postgres) as database,
        serving(database, folder, token_ask_before_s=10, sweep_s=0.05) as running,
    ):
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def guest(asking: Inside) -> AsyncIterator[Guest]:
    """Somebody on it."""
    async with asking.visitor() as somebody:
        yield somebody


async def test_a_provider_is_asked_for_a_new_token_in_time(guest: Guest) -> None:
    """Once per token; a newer one keeps the session, which nobody else notices."""
    socket = await guest.hocuspocus()
    session = await socket.open("doc", guest.ending_token(3))
    await session.until(lambda: session.payloads(wire.TOKEN_REQUEST))
    await session.settled(1)

    await session.show(guest.token)
    await asyncio.sleep(3.5)  # Past the end of the first one.
    await session.write("still here")

    assert await session.settled(2) == [True, True]
    assert len(session.payloads(wire.TOKEN_REQUEST)) == 1
    assert session.denials == []


async def test_a_token_that_is_not_renewed_ends_its_document_only(guest: Guest) -> None:
    """Hocuspocus is denied that document; y-websocket is closed with a code to come back."""
    socket = await guest.hocuspocus()
    session = await socket.open("doc", guest.ending_token(2))
    other = await socket.open("other", guest.token)
    y = await (await guest.y("doc", token=guest.ending_token(2))).sync()

    assert await session.denied() == "token-expired"
    assert await y.closed() == EXPIRED
    await other.write("fine")
    await other.settled(2)


@pytest.mark.parametrize("which", ["nonsense", "expired", "of another account"])
async def test_a_bad_renewal_ends_its_document_only(guest: Guest, which: str) -> None:
    """A newer token must be good, and of the same person."""
    socket = await guest.hocuspocus()
    session = await socket.open("doc", guest.token)
    other = await socket.open("other", guest.token)
    async with guest.inside.visitor() as stranger:
        token = {
            "nonsense": "nonsense",
            "expired": guest.ending_token(-5),
            "of another account": stranger.token,
        }[which]
        await session.show(token)

        assert await session.denied() == "permission-denied"
    await other.write("fine")
    await other.settled(2)
    assert socket.code is None


async def test_a_renewal_may_bring_less(guest: Guest) -> None:
    """A read-only token shown for a session that could write: from then on it reads."""
    token = await guest.document_token("doc", "read-only")
    session = await guest.open("doc")
    await session.settled(1)

    await session.show(token)
    await session.until(lambda: session.scopes == ["read-write", "readonly"])
    await session.write("x")

    assert (await session.settled(2))[1] is False


async def test_tokens_shown_again_and_again_fill_no_memory(guest: Guest) -> None:
    """However many renewals leave a bounded number of deadlines."""
    session = await guest.open("doc")
    for _ in range(1500):
        await session.show(guest.token)
    await session.sync()
    guard = guest.inside.documents.guard

    await until(lambda: not guest.inside.realtime.tasks._running)
    assert len(guard._deadlines) < 1100


async def test_sessions_that_ended_leave_no_deadlines(guest: Guest) -> None:
    """However many there were: a deadline holds its session and connection for a day."""
    sockets = [await guest.hocuspocus() for _ in range(3)]
    for number in range(120):
        await sockets[number % 3].open(f"doc {number}", guest.token)
    guard = guest.inside.documents.guard
    most = len(guard._deadlines)
    for socket in sockets:
        await socket.close()
    await until(lambda: not guard._posts)
    guard.sweep()

    assert most >= 120
    assert len(guard._deadlines) <= 100


# -- while the database is away ---------------------------------------------------------


async def test_a_removal_that_could_not_be_looked_up_is_looked_up_later(
    database_of_module: str, tmp_path: Path
) -> None:
    """The database goes away in the middle of the question: it is asked again, not forgotten."""
    async with AsyncExitStack() as stack:
        cutter = await stack.enter_async_context(WireCutter(database_of_module, tmp_path))
        inside = await stack.enter_async_context(
            serving(cutter.dsn, tmp_path, database_command_s=1, database_connect_s=1)
        )
        company = Company(inside, stack)
        _, y, _ = await company.gather()
        guard = inside.documents.guard
        cutter.answers.clear()
        pool = await open_pool(database_of_module)
        await Grants(pool).set_member(company.ada.workspace, company.bob.account, Role.NONE)
        version = await Grants(pool).place(company.ada.account, company.ada.workspace)
        await close_pool(pool)
        assert version is not None
        # A commit brings the news; what it means has to be asked, and cannot be.
        guard.seen(company.ada.workspace, version.rights_version)
        await until(lambda: guard._unsure)
        cutter.cut()
        cutter.answers.set()

        assert await y.closed() == FORBIDDEN
