"""Y-Sweet's REST: documents made, tokens given, bytes read and written, each as its client asks."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from auth.principal import Role
from crdt import wire
from server.realtime.codes import EXPIRED
from tests.clients import Replica, text_of
from tests.inside import Guest
from tests.server.realtime.conftest import Serve

pytestmark = pytest.mark.asyncio(loop_scope="module")


def name_of() -> str:
    """A document's name that nobody used before."""
    return f"doc-{uuid4().hex[:8]}"


# -- /doc/new ---------------------------------------------------------------------------


async def test_a_document_is_made_or_found(ada: Guest) -> None:
    """Without a name it gets one; the same name again is the same document."""
    status, made, _ = await ada.post("/doc/new", json={})
    assert status == 200
    status, again, _ = await ada.post("/doc/new", json={"docId": made["docId"]})

    assert (status, again) == (200, made)
    assert len(made["docId"]) == 26
    status, _, _ = await ada.post("/doc/new")  # Some clients send no body at all.
    assert status == 200


@pytest.mark.parametrize("doc_id", ["", "a/b", "a b", "x" * 257, "é", "a:b", ".", 7, None])
async def test_a_name_is_letters_digits_dash_and_underscore(ada: Guest, doc_id: object) -> None:
    """Anything else is 400; null means: give me a name."""
    status, body, _ = await ada.post("/doc/new", json={"docId": doc_id})

    assert status == (200 if doc_id is None else 400), body


async def test_a_foreign_document_cannot_be_made_again(ada: Guest, bob: Guest) -> None:
    """A global id that is another account's is 404, and so is one that was deleted."""
    block, deleted = str(uuid4()), str(uuid4())
    await ada.post("/doc/new", json={"docId": block})
    record = await ada.inside.store.create(ada.workspace, deleted, ada.account)
    await ada.inside.store.delete(record.id)

    assert (await bob.post("/doc/new", json={"docId": block}))[0] == 404
    assert (await ada.post("/doc/new", json={"docId": deleted}))[0] == 404


async def test_documents_are_made_by_accounts_only(ada: Guest) -> None:
    """A document token makes nothing and issues nothing; no token is 401."""
    name = name_of()
    token = await ada.document_token(name)

    for path in ("/doc/new", f"/doc/{name}/auth"):
        assert (await ada.post(path, token=token, json={}))[0] == 403
        assert (await ada.post(path, token="nonsense", json={}))[0] == 401
        async with ada.http.post(path, json={}) as answer:
            assert answer.status == 401


# -- /doc/{id}/auth ---------------------------------------------------------------------


async def test_a_token_comes_with_the_address_to_use_it_at(ada: Guest) -> None:
    """The client appends the name to `url`, and REST paths to `baseUrl`."""
    name = name_of()
    await ada.post("/doc/new", json={"docId": name})

    status, answer, _ = await ada.post(f"/doc/{name}/auth", json={"userId": "u1"})

    assert status == 200
    base = ada.url.removeprefix("http")
    assert answer["url"] == f"ws{base}/d/{name}/ws"
    assert answer["baseUrl"] == f"http{base}/d/{name}"
    assert (answer["docId"], answer["authorization"]) == (name, "full")
    path = answer["url"].removeprefix(f"ws{base}") + "/"
    client = await ada.y(name, token=answer["token"], path=path)
    await client.sync()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"validForSeconds": 1}, 200),
        ({"validForSeconds": 86_400}, 200),
        ({"validForSeconds": 0}, 400),
        ({"validForSeconds": -5}, 400),
        ({"validForSeconds": 86_401}, 400),
        ({"validForSeconds": "3600"}, 400),
        ({"authorization": "read-only"}, 200),
        ({"authorization": "admin"}, 400),
        ({"userId": "x" * 256}, 200),
        ({"userId": "x" * 257}, 400),
        ({"unknown": "is ignored"}, 200),
        ([], 400),
    ],
)
async def test_what_may_be_asked_of_a_token(ada: Guest, body: Any, status: int) -> None:
    """ValidForSeconds 1 to 86,400, two authorizations, a short user id."""
    name = name_of()
    await ada.post("/doc/new", json={"docId": name})

    answered, reply, _ = await ada.post(f"/doc/{name}/auth", json=body)

    assert answered == status, reply


async def test_a_token_gives_no_more_than_its_issuer_may(ada: Guest, bob: Guest) -> None:
    """A viewer asks for full and gets a token that reads; a stranger gets 404."""
    block = str(uuid4())
    await ada.post("/doc/new", json={"docId": block})
    assert (await bob.post(f"/doc/{block}/auth", json={}))[0] == 404
    await ada.inside.grants.set_member(ada.workspace, bob.account, Role.VIEWER)

    status, answer, _ = await bob.post(f"/doc/{block}/auth", json={"authorization": "full"})

    assert (status, answer["authorization"]) == (200, "read-only")
    token = answer["token"]
    pushed, _, _ = await bob.post(f"/d/{block}/update", token=token, data=Replica().insert("x"))
    assert pushed == 403
    client = await (await bob.sweet(block, token)).sync()
    await client.write("x")
    await client.until(lambda: client.payloads(wire.AUTH_DENIED))


async def test_a_token_ends_when_it_said(serve: Serve) -> None:
    """Then it is 401 over REST and at the handshake, and the open socket is closed."""
    inside = await serve(sweep_s=0.05)
    async with inside.visitor() as guest:
        token = await guest.ending_document_token("doc", 2)
        client = await (await guest.sweet("doc", token)).sync()

        assert await client.closed(3) == EXPIRED

        assert (await guest.get("/d/doc/as-update", token=token))[0] == 401


async def test_unknown_documents_are_404_everywhere(ada: Guest, bob: Guest) -> None:
    """Unknown, foreign and badly spelled alike; deleted ones too."""
    foreign, deleted = str(uuid4()), name_of()
    await ada.post("/doc/new", json={"docId": foreign})
    await bob.post("/doc/new", json={"docId": deleted})
    record = await bob.inside.record(bob, deleted)
    await bob.inside.store.delete(record.id)
    bob.inside.realtime.rights.forget(record)  # Elsewhere it is known within two seconds.
    for name in (foreign, deleted, name_of(), "a%20b", "x" * 300):
        assert (await bob.post(f"/doc/{name}/auth", json={}))[0] == 404, name
        assert (await bob.get(f"/d/{name}/as-update"))[0] == 404, name
        assert (await bob.post(f"/d/{name}/update", data=b"\x00\x00"))[0] == 404, name


# -- /d/{id} ----------------------------------------------------------------------------


async def test_a_document_is_read_and_written_as_bytes(ada: Guest) -> None:
    """An empty one is the empty update; a push is seen by open editors and read back."""
    name = name_of()
    token = await ada.document_token(name)
    assert await ada.get(f"/d/{name}/as-update", token=token) == (200, b"\x00\x00")
    session = await ada.open(name)
    update = Replica().insert("pushed")

    status, body, _ = await ada.post(f"/d/{name}/update", token=token, data=update)

    assert (status, body) == (200, b"")
    await session.until(lambda: session.replica.text == "pushed")
    assert text_of((await ada.get(f"/d/{name}/as-update", token=token))[1]) == "pushed"


async def test_a_push_again_changes_nothing(ada: Guest) -> None:
    """Retries are 200 and stored once."""
    name = name_of()
    token = await ada.document_token(name)
    update = Replica().insert("once")

    for _ in range(3):
        assert (await ada.post(f"/d/{name}/update", token=token, data=update))[0] == 200

    assert (await ada.inside.store.load((await ada.inside.record(ada, name)).id)).head == 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"\x01\x01\x01",
        bytes.fromhex("00000183b3e1e50d000100000004010100"),
        bytes.fromhex("01010100040101740278790000"),
    ],
    ids=["empty", "garbage", "truncated", "v2", "trailing"],
)
async def test_a_bad_push_is_400_and_changes_nothing(ada: Guest, data: bytes) -> None:
    """With a word that names the reason; never 500."""
    name = name_of()
    token = await ada.document_token(name)

    status, body, _ = await ada.post(f"/d/{name}/update", token=token, data=data)

    assert status == 400, body
    assert body["error"].startswith("update_")
    assert await ada.get(f"/d/{name}/as-update", token=token) == (200, b"\x00\x00")


async def test_a_push_over_its_bound_is_413_without_being_read(serve: Serve) -> None:
    """The declared length alone is enough; so is one that grows while it comes."""
    inside = await serve(update_bytes_max=10_000)
    async with inside.visitor() as guest:
        token = await guest.document_token("doc")
        declared = await guest.post("/d/doc/update", token=token, data=bytes(20_000))

        async def parts() -> Any:
            for _ in range(20):
                yield bytes(1000)

        grown = await guest.post("/d/doc/update", token=token, data=parts())

        assert (declared[0], grown[0]) == (413, 413)


async def test_a_reader_reads_and_writes_nothing(ada: Guest) -> None:
    """403 for the push, 200 for the read."""
    name = name_of()
    token = await ada.document_token(name, "read-only")

    status, _, _ = await ada.post(f"/d/{name}/update", token=token, data=Replica().insert("x"))

    assert status == 403
    assert (await ada.get(f"/d/{name}/as-update", token=token)) == (200, b"\x00\x00")


async def test_browsers_of_any_site_may_use_a_token(ada: Guest) -> None:
    """The origin is mirrored, never with credentials."""
    name = name_of()
    token = await ada.document_token(name)
    headers = {"Origin": "https://app.example", "Authorization": f"Bearer {token}"}

    async with ada.http.get(f"/d/{name}/as-update", headers=headers) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example"
        assert "Access-Control-Allow-Credentials" not in answer.headers
    async with ada.http.options(
        f"/d/{name}/update",
        headers={"Origin": "https://app.example", "Access-Control-Request-Method": "POST"},
    ) as answer:
        assert answer.status in {200, 204}
        assert "POST" in answer.headers["Access-Control-Allow-Methods"]
