"""The parts of identity put together: modes of registration, setup code, clearing away."""

import dataclasses

import pytest

from auth.registration import setup_code
from server.identity import Identity
from server.settings import Mode, Settings
from storage.documents import Documents
from storage.pool import Pool
from tests.server.conftest import Connect, make_app
from tests.server.person import Clock, Person


async def start(settings: Settings, pool: Pool, clock: Clock) -> Identity:
    """An identity under other settings."""
    identity = Identity(settings, pool, Documents(pool), clock=clock)
    await identity.start()
    await identity.greet()
    return identity


async def test_closed_registration_refuses_unknown_keys_only(
    settings: Settings, pool: Pool, clock: Clock, aiohttp_client: Connect
) -> None:
    """Unknown: 403 registration_closed. Known: as before. The code still makes the first one."""
    closed = dataclasses.replace(settings, registration="closed")
    identity = await start(closed, pool, clock)
    client = await aiohttp_client(make_app(identity, pool))
    stranger = await Person().attempt(client)
    code = setup_code(identity.keyring.signing)
    first = await Person().log_in(client, setup_code=code)
    again = await first.log_in(client)
    late = await Person().attempt(client, setup_code=code)
    await identity.stop()

    assert (stranger[0], stranger[1]["error"]) == (403, "registration_closed")
    assert again.reply["is_admin"] is True
    assert late[0] == 403


async def test_open_registration_of_a_public_server_makes_no_administrator(
    settings: Settings, pool: Pool, clock: Clock, aiohttp_client: Connect
) -> None:
    """Anybody may come in, but the first of them does not own the server."""
    public = dataclasses.replace(
        settings, registration="open", public_url="https://notes.example.org"
    )
    identity = await start(public, pool, clock)
    client = await aiohttp_client(make_app(identity, pool))
    first = await Person().log_in(client)
    owner = await Person().log_in(client, setup_code=setup_code(identity.keyring.signing))
    await identity.stop()

    assert (first.reply["is_admin"], owner.reply["is_admin"]) == (False, True)


@pytest.mark.parametrize("mode", ["approval", "open"])
async def test_the_setup_code_also_works_for_who_came_without_it_first(
    settings: Settings, pool: Pool, clock: Clock, aiohttp_client: Connect, mode: Mode
) -> None:
    """The operator's key is known by then; the code still makes it the administrator, once."""
    public = dataclasses.replace(
        settings, registration=mode, public_url="https://notes.example.org"
    )
    identity = await start(public, pool, clock)
    client = await aiohttp_client(make_app(identity, pool))
    code = setup_code(identity.keyring.signing)
    owner, other = Person(), Person()
    await owner.attempt(client)
    await other.attempt(client)
    await owner.log_in(client, setup_code=code)
    _, late = await other.attempt(client, setup_code=code)
    await identity.stop()

    assert owner.reply["is_admin"] is True
    assert not late.get("is_admin")


async def test_the_setup_code_is_printed_until_there_is_an_administrator(
    settings: Settings, pool: Pool, clock: Clock, aiohttp_client: Connect,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """On stderr, the same at each start, and no more once it was used."""
    public = dataclasses.replace(settings, public_url="https://notes.example.org")
    identity = await start(public, pool, clock)
    code = setup_code(identity.keyring.signing)
    first = capsys.readouterr()
    await identity.stop()
    identity = await start(public, pool, clock)
    second = capsys.readouterr()
    client = await aiohttp_client(make_app(identity, pool))
    await Person().log_in(client, setup_code=code)
    await identity.stop()
    identity = await start(public, pool, clock)
    await identity.stop()
    third = capsys.readouterr()

    assert code in first.err
    assert code in second.err
    assert "setup code" not in third.err
    assert first.out == second.out == third.out == ""


async def test_a_loopback_server_prints_no_code(
    identity: Identity, capsys: pytest.CaptureFixture[str]
) -> None:
    """There the first to come is the one at the machine."""
    assert setup_code(identity.keyring.signing) not in capsys.readouterr().err


async def test_two_nodes_with_the_same_keys_are_one_server(
    settings: Settings, pool: Pool, clock: Clock, aiohttp_client: Connect
) -> None:
    """A challenge of one is answered at the other, and the tokens hold at both."""
    one, two = await start(settings, pool, clock), await start(settings, pool, clock)
    clients = [await aiohttp_client(make_app(node, pool)) for node in (one, two)]
    person = Person()
    message = await person.challenge(clients[0])
    status, body = await person.attempt(clients[1], message=message, signature=person.sign(message))
    person.access = body["accessToken"]

    assert status == 200
    assert [await person.me(client) for client in clients] == [200, 200]
    await one.stop()
    await two.stop()


async def test_login_attempts_of_one_address_are_limited(
    settings: Settings, pool: Pool, clock: Clock, aiohttp_client: Connect
) -> None:
    """The attempt after the last allowed one is 429 with Retry-After; other routes go on."""
    strict = dataclasses.replace(settings, login_attempts_per_minute=5)
    identity = await start(strict, pool, clock)
    client = await aiohttp_client(make_app(identity, pool))
    person = Person()
    body = {"public_key": person.public_key}
    responses = [await client.post("/api/auth/create_session", json=body) for _ in range(6)]
    other = await client.get("/api/health")
    await identity.stop()

    assert [r.status for r in responses] == [200] * 5 + [429]
    assert 1 <= int(responses[-1].headers["Retry-After"]) <= 12
    assert (await responses[-1].json())["error"] == "rate_limited"
    assert other.status == 200


async def test_sweeping_clears_memory_and_tables(
    identity: Identity, pool: Pool, clock: Clock, aiohttp_client: Connect
) -> None:
    """After their time used challenges and logins are gone, and nothing is watched any more."""
    client = await aiohttp_client(make_app(identity, pool))
    person = await Person().log_in(client)
    assert await person.me(client) == 200
    assert identity.watch.sizes()["account"] == 1
    clock.now += identity.settings.refresh_token_s + 7200
    await identity.sweep()
    await identity.sweep()

    assert identity.watch.sizes() == {"account": 0, "scope": 0}
    assert await pool.fetchval("SELECT count(*) FROM used_challenges") == 0
    assert await pool.fetchval("SELECT count(*) FROM refresh_families") == 0
