"""Notices over real sockets: what is committed, by whichever door, is told to those who asked."""

from __future__ import annotations

import base64
import itertools
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from auth.principal import Role
from crdt import wire
from crdt.ids import make_ulid
from server import feed, notices
from server.feed import FEED
from server.identity import IDENTITY
from server.notices import Notices
from tests.clients import HocuspocusClient, Replica
from tests.inside import Guest, Inside
from tests.patience import PATIENCE_S, in_time, prompt, until
from tests.server.realtime.conftest import Serve, ada, bob, inside, serve
from tests.storage.papers import typing, write

__all__ = ["ada", "bob", "inside", "serve"]

pytestmark = pytest.mark.asyncio(loop_scope="module")

_numbers = itertools.count(1)


def new_id() -> str:
    """An id that a client made."""
    return make_ulid(int(time.time() * 1000), next(_numbers).to_bytes(10))


def update(text: str = "a") -> str:
    """An update of a new document, as push takes it."""
    return base64.b64encode(Replica().insert(text)).decode()


async def push(guest: Guest, workspace: str, *blocks: str, said: str | None = None) -> None:
    """Push something into blocks by REST."""
    body = [
        {"block_id": block, "workspace_id": workspace, "update": said or update()}
        for block in blocks
    ]
    status, answer, _ = await guest.post("/api/sync/push", json={"blocks": body})
    assert status == 200
    assert all(one["success"] for one in answer["results"]), answer


class Listener:
    """A document's session that listens to workspaces."""

    def __init__(self, session: HocuspocusClient) -> None:
        self.session = session

    @property
    def heard(self) -> list[dict[str, Any]]:
        """Every stateless message so far."""
        return [json.loads(text) for text in self.session.payloads(wire.STATELESS)]

    async def say(self, **message: object) -> None:
        """Send a stateless message."""
        await self.session.send(wire.stateless(json.dumps(message)))

    async def until(
        self, holds: Callable[[dict[str, Any]], bool], s: float = PATIENCE_S
    ) -> dict[str, Any]:
        """Wait for a message."""
        await self.session.until(lambda: any(map(holds, self.heard)), s)
        return next(filter(holds, self.heard))

    async def subscribe(self, workspace: object) -> dict[str, Any]:
        """Ask for a workspace; the answer."""
        had = len(self.heard)
        await self.say(type="subscribe", workspace_id=workspace)
        await self.session.until(lambda: len(self.heard) > had)
        return self.heard[had]

    async def kinds(self, block: str, *wanted: str) -> list[str]:
        """The kinds of a block's notices, once the last one wanted is there."""
        await self.until(lambda it: it.get("block_id") == block and it["kind"] == wanted[-1])
        return [it["kind"] for it in self.heard if it.get("block_id") == block]


async def listen(guest: Guest, workspace: str | None = None) -> Listener:
    """A session on a document of one's own that listens to a workspace."""
    listener = Listener(await guest.open(new_id()))
    answer = await listener.subscribe(workspace or guest.workspace)
    assert answer["type"] == "subscribed", answer
    return listener


def notices_of(inside: Inside) -> Notices:
    """The server's own notices."""
    assert inside.realtime.notices is not None
    return inside.realtime.notices


async def test_a_pushed_block_is_told_as_created_and_then_as_changed(ada: Guest) -> None:
    """With id, kind and a stamp that lies after the subscription's; delta since then has it."""
    listener = await listen(ada)
    start = listener.heard[0]["stamp"]
    block = new_id()
    await push(ada, ada.workspace, block)
    created = await listener.until(lambda it: it.get("block_id") == block)
    await push(ada, ada.workspace, block)
    changed = await listener.until(lambda it: it.get("kind") == "changed")

    assert created["type"] == "block_created"
    assert created["workspace_id"] == ada.workspace
    assert start < created["stamp"] < changed["stamp"]
    _, delta = await ada.get(f"/api/sync/delta?workspace_id={ada.workspace}&since={start}")
    entry = next(x for x in json.loads(delta)["changed_blocks"] if x["block_id"] == block)
    assert entry["updated_at"] == changed["stamp"]


@prompt
async def test_live_editing_is_told(ada: Guest, bob: Guest, inside: Inside) -> None:
    """What another member types on /ws raises a notice, within moments."""
    await inside.grants.set_member(ada.workspace, bob.account, Role.EDITOR)
    listener = await listen(ada)
    block = new_id()
    editor = await bob.open(f"{ada.workspace}:{block}")
    await editor.write("hello")
    await editor.settled(1)
    started = time.monotonic()
    await listener.kinds(block, "created")

    in_time(time.monotonic() - started, 2)


async def test_trash_restore_and_emptying_are_told(ada: Guest) -> None:
    """However the state came about, each change of sides has its kind."""
    listener = await listen(ada)
    block = new_id()
    replica = Replica()
    await push(ada, ada.workspace, block)
    await listener.kinds(block, "created")
    meta = replica.doc.get("meta_v0", type=type(replica._map))
    said = replica.edit(lambda: meta.update({"deleted_at": 1_760_000_000_000}))
    await push(ada, ada.workspace, block, said=base64.b64encode(said).decode())
    await listener.kinds(block, "trashed")
    await ada.post(f"/api/trash/{ada.workspace}/restore", json={"block_id": block})
    await listener.kinds(block, "restored")
    await push(ada, ada.workspace, block, said=base64.b64encode(replica.put("x", 1)).decode())
    said = replica.edit(lambda: meta.update({"deleted_at": 1_760_000_000_001}))
    await push(ada, ada.workspace, block, said=base64.b64encode(said).decode())
    async with ada.http.delete(f"/api/trash/{ada.workspace}", headers=ada.bearer) as answer:
        assert answer.status == 200
    kinds = await listener.kinds(block, "deleted")

    assert [kind for kind in kinds if kind != "changed"] in (
        ["created", "trashed", "restored", "trashed", "deleted"],
        ["created", "trashed", "restored", "deleted"],
    )


async def test_members_are_told_of_members(ada: Guest, bob: Guest, inside: Inside) -> None:
    """Added, changed and removed, whichever process did it."""
    listener = await listen(ada)
    for role, kind in ((Role.VIEWER, "added"), (Role.EDITOR, "changed"), (Role.NONE, "removed")):
        await inside.grants.set_member(ada.workspace, bob.account, role)
        said = await listener.until(
            lambda it, kind=kind: it["type"] == "member_changed" and it["kind"] == kind  # type: ignore[misc]
        )
        assert (said["user_id"], said["role"]) == (bob.account, role.word)


async def test_a_removed_member_is_told_nothing_more(
    ada: Guest, bob: Guest, inside: Inside
) -> None:
    """Within two seconds it hears that its subscription is over, and of no block since."""
    await inside.grants.set_member(ada.workspace, bob.account, Role.VIEWER)
    listener = await listen(bob, ada.workspace)
    await push(ada, ada.workspace, new_id())
    await listener.until(lambda it: it["type"] == "block_created")
    await inside.grants.set_member(ada.workspace, bob.account, Role.NONE)
    over = await listener.until(lambda it: it["type"] == "unsubscribed")
    had = len(listener.heard)
    block = new_id()
    witness = await listen(ada)
    await push(ada, ada.workspace, block)
    await witness.kinds(block, "created")
    await listener.session.sync()

    assert over == {
        "type": "unsubscribed",
        "workspace_id": ada.workspace,
        "reason": "forbidden",
    }
    assert len(listener.heard) == had


async def test_rights_are_looked_at_again_for_each_notice(
    ada: Guest, bob: Guest, inside: Inside
) -> None:
    """A right that is known to be gone ends it at the notice, before any sweep comes round."""
    await inside.grants.set_member(ada.workspace, bob.account, Role.VIEWER)
    listener = await listen(bob, ada.workspace)
    notices = notices_of(inside)
    place = notices._places[ada.workspace]
    for one in place.subscriptions.values():
        assert one.unwatch is not None
        one.unwatch()
    await inside.grants.set_member(ada.workspace, bob.account, Role.NONE)
    await inside.app[IDENTITY].watch.look()
    await push(ada, ada.workspace, new_id())
    await listener.until(lambda it: it["type"] == "unsubscribed")

    assert not [it for it in listener.heard if it["type"].startswith("block")]


async def test_strangers_subscribe_to_nothing(ada: Guest, bob: Guest) -> None:
    """Foreign and unknown workspaces are refused alike; a document token opens none at all."""
    listener = Listener(await bob.open(new_id()))
    foreign = await listener.subscribe(ada.workspace)
    unknown = await listener.subscribe(new_id())
    name = new_id()
    token = await ada.document_token(name)
    borrowed = Listener(await bob.open(name, token=token))

    assert foreign == {"type": "refused", "workspace_id": ada.workspace, "error": "forbidden"}
    assert unknown["error"] == "forbidden"
    assert (await borrowed.subscribe(ada.workspace))["error"] == "forbidden"


async def test_unsubscribing_ends_it(ada: Guest, inside: Inside) -> None:
    """Also leaving the document does; nothing of it is kept."""
    listener = await listen(ada)
    other = await listen(ada)
    await listener.say(type="unsubscribe", workspace_id=ada.workspace)
    await listener.until(lambda it: it["type"] == "unsubscribed")
    had = len(listener.heard)
    block = new_id()
    await push(ada, ada.workspace, block)
    await other.kinds(block, "created")
    await other.session.socket.close()
    notices = notices_of(inside)
    await until(lambda: ada.workspace not in notices._places)

    assert len(listener.heard) == had
    assert ada.workspace not in inside.documents.listened
    assert not notices._of_reader


async def test_other_stateless_messages_are_left_alone(ada: Guest) -> None:
    """Whatever they hold, the session goes on, and questions in between are answered."""
    listener = Listener(await ada.open(new_id()))
    for text in ("", "hello", "[1]", '{"type": 5}', '{"type": "x"}', '{"a":' * 5000):
        await listener.session.send(wire.stateless(text))
    answer = await listener.subscribe("")
    for name in (7, None, True, ["x"], {"a": 1}):
        assert await listener.subscribe(name) == answer
    fine = await listener.subscribe(ada.workspace.lower())

    assert fine["workspace_id"] == ada.workspace
    assert answer == {"type": "refused", "workspace_id": "", "error": "bad_request"}
    assert fine["type"] == "subscribed"


async def test_a_question_may_come_before_the_token_is_checked(ada: Guest) -> None:
    """Providers send everything at once; it is answered when the document is open."""
    socket = await ada.hocuspocus()
    session = socket.session(new_id())
    listener = Listener(session)
    await listener.say(type="subscribe", workspace_id=ada.workspace)
    await session.show(ada.token)

    assert (await listener.until(lambda it: it["type"] == "subscribed"))["stamp"] >= 0


async def test_one_session_has_a_bound(ada: Guest) -> None:
    """Over it a subscription is refused; the same workspace again is none more."""
    listener = Listener(await ada.open(new_id()))
    made = []
    for _ in range(11):
        _, answer, _ = await ada.post("/api/heap/add", json={})
        made.append(answer["heap_id"])
    answers = [await listener.subscribe(workspace) for workspace in made]
    again = await listener.subscribe(made[0])

    assert [it["type"] for it in answers] == ["subscribed"] * 10 + ["refused"]
    assert answers[-1]["error"] == "too_many"
    assert again["type"] == "subscribed"


async def test_a_block_that_changes_often_is_told_seldom(ada: Guest) -> None:
    """Changes are gathered: never a notice for each keystroke, always one after the last."""
    listener = await listen(ada)
    block = new_id()
    editor = await ada.open(block)
    for _ in range(200):
        await editor.write("x")
    await editor.settled(200)
    _, body = await ada.get(f"/api/sync/delta?workspace_id={ada.workspace}")
    last = next(x for x in json.loads(body)["changed_blocks"] if x["block_id"] == block)
    await listener.until(lambda it: it.get("stamp") == last["updated_at"])

    told = [it for it in listener.heard if it.get("block_id") == block]
    assert len(told) < 60


async def test_a_slow_reader_is_told_everything_later_or_to_ask(serve: Serve) -> None:
    """Nothing waits for it; when it reads again it hears each block once, or `resync`."""
    inside = await serve(notices_at_once_max=20)
    async with inside.visitor() as ada:
        listener = await listen(ada)
        notices = notices_of(inside)
        (reader,) = notices._of_reader
        outbox = reader.connection.outbox  # type: ignore[attr-defined]
        outbox.blocked, outbox.blocked_at = True, time.monotonic()
        block = new_id()
        for _ in range(3):
            await push(ada, ada.workspace, block)
            await inside.app[FEED].settle(ada.workspace)
        assert len(listener.heard) == 1
        outbox.blocked = False
        assert await listener.kinds(block, "created") == ["created"]

        outbox.blocked = True
        many = [new_id() for _ in range(40)]
        for start in range(0, 40, 10):
            await push(ada, ada.workspace, *many[start : start + 10])
        await inside.app[FEED].settle(ada.workspace)
        outbox.blocked = False
        word = await listener.until(lambda it: it["type"] == "resync")
        _, body = await ada.get(
            f"/api/sync/delta?workspace_id={ada.workspace}&since={word['since']}"
        )
        missed = {x["block_id"] for x in json.loads(body)["changed_blocks"]}
        assert missed == set(many)
        await push(ada, ada.workspace, block)
        after = await listener.until(lambda it: it.get("stamp", 0) > word["stamp"])
        assert after["block_id"] == block


async def test_what_another_process_settles_is_told(ada: Guest, inside: Inside) -> None:
    """Notices are read from the feed in the database, not from what happened to pass by here."""
    listener = await listen(ada)
    block = new_id()
    await push(ada, ada.workspace, block)
    await listener.kinds(block, "created")
    async with inside.pool.acquire() as connection:
        await connection.execute(
            "WITH next AS (UPDATE scopes SET last_stamp = last_stamp + 5 WHERE id = $1"
            " RETURNING last_stamp) UPDATE changes SET stamp = next.last_stamp FROM next"
            " WHERE scope = $1 AND document = (SELECT id FROM documents WHERE name = $2)",
            ada.workspace,
            block,
        )
    assert await listener.kinds(block, "changed") == ["created", "changed"]


async def test_what_another_process_has_no_time_to_settle_is_told(
    ada: Guest, inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever listens here does not wait for the sweeper of a busy node."""
    monkeypatch.setattr(feed, "LOOK_S", 1e9)
    monkeypatch.setattr(notices, "POLL_S", 0.05)
    listener = await listen(ada)
    block = new_id()
    await push(ada, ada.workspace, block)
    await listener.kinds(block, "created")
    record = await inside.store.by_global_id(block)
    assert record is not None
    await write(inside.settings.database_url, record.id, *typing("b"))

    assert await listener.kinds(block, "changed") == ["created", "changed"]


async def test_nobody_pays_who_does_not_listen(ada: Guest, inside: Inside) -> None:
    """Commits in a workspace without listeners start no settling of their own."""
    before = dict(inside.documents.listened)
    editor = await ada.open(new_id())
    await editor.write("quiet")
    await editor.settled(1)

    assert ada.workspace not in before
    assert ada.workspace not in inside.documents.listened
