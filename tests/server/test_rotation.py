"""Other keys for a server: what the old ones signed holds until it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from auth.keys import ServerKey
from auth.links import Links
from auth.succession import PREFIX, Predecessor, follows
from server.admin.__main__ import main
from server.keyring import open_keyring
from server.settings import Settings
from tests.inside import fresh_database, serving
from tests.server.person import Person

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Kept:
    """One server that is started again and again on the same data."""

    def __init__(self, database: str, folder: Path) -> None:
        self._database, self._folder = database, folder
        self.data = folder / "data"

    def serving(self) -> Any:
        """From start to stop."""
        return serving(self._database, self._folder, data=self.data)

    def keys(self, *words: str) -> None:
        """What an operator says while it rests."""
        main(["--data", str(self.data), "keys", *words])


@pytest_asyncio.fixture(loop_scope="module")
async def kept(postgres: str, tmp_path: Path) -> AsyncIterator[Kept]:
    """Such a server."""
    async with fresh_database(postgres) as database:
        yield Kept(database, tmp_path)


async def good(url: str, person: Person) -> dict[str, int]:
    """The status of everything that the person was given."""
    async with aiohttp.ClientSession(url) as http:
        client: Any = http
        async with http.post("/api/auth/refresh_token", headers=bearer(person.refresh)) as answer:
            refreshed = answer.status
        return {"access": await person.me(client), "refresh": refreshed}


def bearer(token: str) -> dict[str, str]:
    """The header that shows a token."""
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("kind", ["signing", "identity"])
async def test_what_an_old_key_signed_holds_until_it_ends(kept: Kept, kind: str) -> None:
    """Access, refresh and document tokens, and a challenge that was not signed yet."""
    person = Person()
    async with kept.serving() as inside, aiohttp.ClientSession(inside.url) as http:
        client: Any = http
        await person.log_in(client)
        challenge = await person.challenge(client)
        before = open_keyring(inside.settings)
        async with http.post("/doc/new", headers=person.bearer, json={"docId": "a"}) as answer:
            assert answer.status == 200
        async with http.post("/doc/a/auth", headers=person.bearer, json={}) as answer:
            token = (await answer.json())["token"]
    kept.keys("rotate", kind)
    async with kept.serving() as inside, aiohttp.ClientSession(inside.url) as http:
        after = open_keyring(inside.settings)
        old = await good(inside.url, person)
        async with http.get("/d/a/as-update", headers=bearer(token)) as answer:
            document = answer.status
        signed = {
            "public_key": person.public_key,
            "message": challenge,
            "signature": person.sign(challenge),
        }
        async with http.post("/api/auth/verify_session", json=signed) as answer:
            late = answer.status
        client = http
        fresh = await (Person()).log_in(client)

    assert old == {"access": 200, "refresh": 200}
    assert (document, late) == (200, 200)
    assert getattr(before, kind).public != getattr(after, kind).public
    keyring = Settings(data=kept.data)
    assert fresh.access.split(".")[0] == _header(open_keyring(keyring).signing)


def _header(key: ServerKey) -> str:
    from auth.tokens import Tokens  # noqa: PLC0415

    return Tokens(key, "x")._header_of(key.key_id)


async def test_a_key_that_became_known_is_worth_nothing_at_once(kept: Kept) -> None:
    """Everybody logs in again, and that works."""
    person = Person()
    async with kept.serving() as inside, aiohttp.ClientSession(inside.url) as http:
        client: Any = http
        await person.log_in(client)
    kept.keys("rotate", "signing")
    kept.keys("rotate", "signing", "--now")
    async with kept.serving() as inside, aiohttp.ClientSession(inside.url) as http:
        client = http
        old = await good(inside.url, person)
        await person.log_in(client)
        new = await good(inside.url, person)

    assert old == {"access": 401, "refresh": 401}
    assert new == {"access": 200, "refresh": 200}


async def test_nodes_verify_with_the_next_key_before_any_uses_it(
    kept: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    """So a rolling change has no moment in which a token is good at one node alone."""
    person = Person()
    async with kept.serving():
        pass
    kept.keys("prepare", "signing")
    kept.keys("prepare", "identity")
    async with kept.serving() as early:
        kept.keys("rotate", "signing")
        kept.keys("rotate", "identity")
        async with kept.serving() as late, aiohttp.ClientSession(late.url) as http:
            client: Any = http
            await person.log_in(client)
            there = await good(early.url, person)
    kept.keys("list")
    said = capsys.readouterr().out

    assert there == {"access": 200, "refresh": 200}
    assert said.count("in use") == 2
    assert said.count("verifies until") == 2


async def test_the_old_identity_names_the_new_one(kept: Kept) -> None:
    """A client that remembers the old key follows the chain; a stranger adds nothing to it."""
    async with kept.serving() as inside:
        first = await instance(inside.url)
    kept.keys("rotate", "identity")
    kept.keys("rotate", "identity")
    async with kept.serving() as inside, aiohttp.ClientSession(inside.url) as http:
        now = await instance(inside.url)
        client: Any = http
        chain = [
            Predecessor(o["public_key"], o["successor_signature"]) for o in now["predecessors"]
        ]
        status, refused = await Person().attempt(client, server_challenge=f"{PREFIX} a b " * 3)

    assert first.get("predecessors", []) == []
    assert chain[0].public_text == first["public_key"]
    keys = [*(old.public_text for old in chain[1:]), now["public_key"]]
    assert [follows(old, new) for old, new in zip(chain, keys, strict=True)] == [True, True]
    assert not follows(chain[0], now["public_key"])
    assert (status, refused["error"]) == (400, "bad_server_challenge")


async def instance(url: str) -> Any:
    """What the server says of itself."""
    async with aiohttp.ClientSession(url) as http, http.get("/api/") as answer:
        return await answer.json()


async def test_what_cannot_be_done_is_one_sentence(tmp_path: Path) -> None:
    """No keys here; and a file of old keys that others may read ends the start."""
    with pytest.raises(SystemExit, match="no keys"):
        main(["--data", str(tmp_path), "keys", "list"])
    open_keyring(Settings(data=tmp_path))
    main(["--data", str(tmp_path), "keys", "rotate", "signing"])
    (tmp_path / "retired.keys").chmod(0o644)
    with pytest.raises(SystemExit, match="read by others"):
        main(["--data", str(tmp_path), "keys", "list"])


async def test_links_of_an_old_key_hold(tmp_path: Path) -> None:
    """Also those that are made by a derived secret."""
    old, new = ServerKey(b"o" * 32), ServerKey(b"n" * 32)
    link = Links(old, "upload").mint({"a": 1}, now=0, lifetime_s=60)

    assert Links(ServerKey(b"n" * 32, [old]), "upload").verify(link, 1) == {"a": 1}
    with pytest.raises(Exception, match="link"):
        Links(new, "upload").verify(link, 1)
