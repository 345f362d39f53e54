"""Login, refresh and `me` over HTTP, as the API page describes them."""

import asyncio
import base64
import json
import random
import re
from collections.abc import Callable
from typing import Any

import pytest
from nacl.signing import VerifyKey

from auth.keys import decode_base58, encode_base58
from auth.registration import setup_code
from server.adapters import ADAPTERS
from server.identity import Identity
from tests.patience import PATIENCE_S
from tests.server.person import Client, Clock, Person

REFRESH = "/api/auth/refresh_token"


async def refresh(client: Client, token: str) -> tuple[int, dict[str, Any]]:
    """Show a refresh token; status and body."""
    response = await client.post(REFRESH, headers={"Authorization": f"Bearer {token}"})
    return response.status, await response.json()


async def test_a_login_gives_tokens_and_who_one_is(client: Client, identity: Identity) -> None:
    """Both tokens in camelCase, the server's key, user, workspace and is_admin."""
    person = await Person().log_in(client)

    assert {
        "accessToken",
        "refreshToken",
        "server_public_key",
        "user_id",
        "workspace_id",
        "is_admin",
    } <= set(person.reply)
    assert person.reply["server_public_key"] == identity.keyring.identity.public_text
    assert await person.me(client) == 200


async def test_verify_key_gives_the_same_in_snake_case(client: Client) -> None:
    """The other login route takes the signature as signed_message."""
    person = Person()
    message = await person.challenge(client)
    response = await client.post(
        "/api/auth/verify_key",
        json={
            "public_key": person.public_key,
            "signed_message": person.sign(message),
            "message": message,
        },
    )
    body = await response.json()
    person.access = body["access_token"]

    assert response.status == 200
    assert (body["success"], body["verified"], body["approval_required"]) == (True, True, False)
    assert "refresh_token" in body
    assert await person.me(client) == 200


async def test_the_server_proves_itself(client: Client) -> None:
    """A server_challenge comes back signed by the key that /api/ shows, under both names."""
    challenge = "prove yourself, é " + "x" * 20
    person = await Person().log_in(client, server_challenge=challenge)
    key = decode_base58(person.reply["server_public_key"])
    signature = decode_base58(person.reply["server_signature"])

    assert key is not None
    assert signature is not None
    VerifyKey(key).verify(challenge.encode(), signature)
    assert person.reply["signed_server_challenge"] == person.reply["server_signature"]


async def test_a_signed_server_challenge_opens_no_route(client: Client, identity: Identity) -> None:
    """A server_challenge that is a JWT signing input gives no token for anything."""
    victim = await Person().log_in(client)
    attacker = Person()
    claims = victim.access.split(".")[1]
    for kid in (identity.keyring.identity.key_id, identity.keyring.signing.key_id):
        header = json.dumps({"alg": "EdDSA", "typ": "JWT", "kid": kid}, separators=(",", ":"))
        head = base64.urlsafe_b64encode(header.encode()).decode().rstrip("=")
        await attacker.log_in(client, server_challenge=f"{head}.{claims}")
        signature = decode_base58(attacker.reply["server_signature"])
        assert signature is not None
        tail = base64.urlsafe_b64encode(signature).decode().rstrip("=")
        forged = {"Authorization": f"Bearer {head}.{claims}.{tail}"}

        for route in ADAPTERS[0].routes:
            if (route.access.kinds and not route.access.optional) or route.path == REFRESH:
                path = re.sub(r"\{\w+\}", "1", route.path)
                response = await client.request(route.method, path, headers=forged)
                assert response.status == 401, path


async def test_the_server_signs_nothing_before_a_login_succeeded(client: Client) -> None:
    """A wrong signature gets no signature in return."""
    status, body = await Person().attempt(
        client, signature="1" * 64 + "2" * 24, server_challenge="x" * 32
    )

    assert status in {400, 401}
    assert "server_signature" not in body


BAD: list[tuple[str, Callable[[dict[str, Any]], dict[str, Any]], int, str]] = [
    ("no-key", lambda b: {k: v for k, v in b.items() if k != "public_key"}, 400, "bad_request"),
    ("key-number", lambda b: b | {"public_key": 7}, 400, "bad_request"),
    ("key-short", lambda b: b | {"public_key": encode_base58(b"x" * 31)}, 400, "bad_public_key"),
    ("signature-shape", lambda b: b | {"signature": "zz"}, 400, "bad_signature"),
    ("signature-wrong", lambda b: b | {"signature": "00" * 64}, 401, "signature_invalid"),
    ("message-other", lambda b: b | {"message": "hello"}, 401, "challenge_invalid"),
    ("message-empty", lambda b: b | {"message": ""}, 401, "challenge_invalid"),
    ("challenge-short", lambda b: b | {"server_challenge": "x"}, 400, "bad_server_challenge"),
    ("challenge-long", lambda b: b | {"server_challenge": "x" * 513}, 400, "bad_server_challenge"),
    ("email-number", lambda b: b | {"email": 7}, 400, "bad_request"),
]


@pytest.mark.parametrize(
    ("change", "status", "word"), [b[1:] for b in BAD], ids=[b[0] for b in BAD]
)
async def test_bad_logins_are_refused_with_a_word(
    client: Client, change: Callable[[dict[str, Any]], dict[str, Any]], status: int, word: str
) -> None:
    """Shape is 400, a signature or challenge that does not hold is 401; each has its word."""
    person = Person()
    message = await person.challenge(client)
    body = {
        "public_key": person.public_key,
        "message": message,
        "signature": person.sign(message),
    }
    response = await client.post("/api/auth/verify_session", json=change(body))
    told = await response.json()

    assert (response.status, told["error"], told["success"]) == (status, word, False)
    assert told["message"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'"x"', b"[" * 9000, b"\xff", b'{"public_key": "\\ud800"}']
)
async def test_bodies_that_are_no_request_are_400(client: Client, body: bytes) -> None:
    """Whatever bytes are sent, the answer is a documented 400."""
    for path in ("create_session", "verify_session", "verify_key"):
        response = await client.post(f"/api/auth/{path}", data=body)

        assert response.status == 400, path
        assert (await response.json())["success"] is False


VALUES = [
    None, True, 0, -1, 2**70, 1.5, "", "x", "\x00", "\U0001f600", "1" * 44, "plr_a_b_c", [],
    {}, ["x"], {"x": "y"}, "a.b.c", "x" * 5000,
]  # fmt: skip
FIELDS = (
    "public_key", "message", "signature", "signed_message", "server_challenge", "email",
    "setup_code",
)  # fmt: skip


async def test_no_mixture_of_values_is_more_than_a_4xx(client: Client) -> None:
    """Three hundred bodies of odd values in every field, and tokens of every kind of nonsense."""
    chance = random.Random(7)
    person = Person()
    message = await person.challenge(client)
    good = {"public_key": person.public_key, "message": message, "signature": "00" * 64}
    for _ in range(100):
        body = good | {name: chance.choice(VALUES) for name in chance.sample(FIELDS, 3)}
        header = {"Authorization": f"Bearer {chance.choice(VALUES[5:])}".replace("\x00", "?")}
        for path in ("create_session", "verify_session", "verify_key"):
            response = await client.post(f"/api/auth/{path}", json=body)
            assert response.status < 500, (path, body)
        response = await client.post(REFRESH, headers=header)
        assert response.status == 401, header


async def test_a_body_over_the_bound_is_413(client: Client) -> None:
    """A login of a megabyte is refused."""
    response = await client.post("/api/auth/create_session", data=b" " * 1_000_000)

    assert (response.status, (await response.json())["error"]) == (413, "too_large")


async def test_an_address_with_control_characters_is_taken_without_them(client: Client) -> None:
    """What PostgreSQL cannot store in a text never reaches it."""
    person = await Person().log_in(client, email="a\x00b\x1b@x\u202e.org", setup_code="\x00")
    body = await (await client.post("/api/me", headers=person.bearer)).json()

    assert body["email"] == "ab@x.org"


async def test_a_challenge_is_good_once(client: Client) -> None:
    """The same signed challenge a second time is refused, also under the other route."""
    person = Person()
    message = await person.challenge(client)
    body = {"public_key": person.public_key, "message": message, "signature": person.sign(message)}
    statuses = [(await client.post("/api/auth/verify_session", json=body)).status for _ in range(2)]
    again = await client.post(
        "/api/auth/verify_key", json=body | {"signed_message": body["signature"]}
    )

    assert statuses == [200, 401]
    assert (again.status, (await again.json())["error"]) == (401, "challenge_used")


async def test_one_challenge_sent_ten_times_at_once_logs_in_once(client: Client) -> None:
    """Concurrency makes no difference."""
    person = Person()
    message = await person.challenge(client)
    body = {"public_key": person.public_key, "message": message, "signature": person.sign(message)}
    responses = await asyncio.gather(
        *(client.post("/api/auth/verify_session", json=body) for _ in range(10))
    )

    assert sorted(r.status for r in responses) == [200] + [401] * 9


async def test_a_challenge_of_another_key_is_refused(client: Client) -> None:
    """Challenges are bound to the key that asked."""
    one, two = Person(), Person()
    message = await one.challenge(client)
    status, body = await two.attempt(client, message=message, signature=two.sign(message))

    assert (status, body["error"]) == (401, "challenge_invalid")


async def test_a_challenge_expires(client: Client, clock: Clock) -> None:
    """After 300 seconds it is worth nothing."""
    person = Person()
    message = await person.challenge(client)
    clock.now += 300
    status, body = await person.attempt(client, message=message, signature=person.sign(message))

    assert (status, body["error"]) == (401, "challenge_expired")


async def test_known_and_unknown_keys_get_challenges_alike(client: Client) -> None:
    """Nothing in the answer tells whether a key has an account."""
    known, unknown = await Person().log_in(client), Person()
    shapes = []
    for person in (known, unknown):
        response = await client.post(
            "/api/auth/create_session", json={"public_key": person.public_key, "email": "x@y"}
        )
        body = await response.json()
        parts = body["challenge"].split(" ")
        shapes.append((response.status, sorted(body), parts[:3], len(parts)))

    assert shapes[0] == shapes[1]


async def test_a_second_login_is_the_same_account(client: Client) -> None:
    """The key is the account; a login more changes nothing else."""
    person = await Person().log_in(client)
    account, workspace = person.account, person.workspace
    await person.log_in(client)

    assert (person.account, person.workspace) == (account, workspace)


async def test_refreshing_gives_a_new_pair(client: Client) -> None:
    """Both new tokens are good and differ from the old ones."""
    person = await Person().log_in(client)
    status, body = await refresh(client, person.refresh)

    assert (status, body["success"]) == (200, True)
    assert body["refreshToken"] != person.refresh
    assert body["accessToken"] != person.access
    person.access = body["accessToken"]
    assert await person.me(client) == 200


async def test_reuse_of_a_refresh_token_ends_the_login(client: Client, clock: Clock) -> None:
    """After the grace time the old token ends everything, access tokens included."""
    person = await Person().log_in(client)
    _, body = await refresh(client, person.refresh)
    clock.now += 31
    status, refused = await refresh(client, person.refresh)

    assert (status, refused["error"]) == (401, "token_revoked")
    assert (await refresh(client, body["refreshToken"]))[0] == 401
    async with asyncio.timeout(PATIENCE_S):
        while await person.me(client) != 401:
            pass


async def test_a_lost_answer_can_be_asked_for_again(client: Client, clock: Clock) -> None:
    """Within 30 s the same token gets another pair, and that one goes on."""
    person = await Person().log_in(client)
    await refresh(client, person.refresh)
    clock.now += 29
    status, body = await refresh(client, person.refresh)
    clock.now += 900

    assert status == 200
    assert (await refresh(client, body["refreshToken"]))[0] == 200


async def test_tokens_of_one_kind_are_not_the_other(client: Client) -> None:
    """An access token refreshes nothing, a refresh token reads nothing."""
    person = await Person().log_in(client)
    status, body = await refresh(client, person.access)
    response = await client.post("/api/me", headers={"Authorization": f"Bearer {person.refresh}"})

    assert (status, body["error"]) == (401, "token_type")
    assert (response.status, (await response.json())["error"]) == (401, "token_type")


async def test_an_access_token_expires(client: Client, clock: Clock) -> None:
    """It is good for its 900 seconds and the allowance for skewed clocks, not longer."""
    person = await Person().log_in(client)
    clock.now += 900
    early = await person.me(client)
    clock.now += 30
    response = await client.post("/api/me", headers=person.bearer)

    assert early == 200
    assert (response.status, (await response.json())["error"]) == (401, "token_expired")
    assert response.headers["WWW-Authenticate"] == "Bearer"


class Forwarded:
    """A request as a proxy on the same machine sends it on."""

    headers = {"X-Forwarded-For": "203.0.113.9"}  # noqa: RUF012 (never changed)


async def forwarded_login(
    client: Client, person: Person, route: str = "verify_session", **more: Any
) -> tuple[int, dict[str, Any]]:
    """Log in through a proxy: that is never a login from this machine."""
    message = await person.challenge(client)
    signature = person.sign(message)
    body = {
        "public_key": person.public_key,
        "message": message,
        "signature": signature,
        "signed_message": signature,
        **more,
    }
    response = await client.post(f"/api/auth/{route}", json=body, headers=Forwarded.headers)
    return response.status, await response.json()


async def test_through_a_proxy_the_first_account_needs_the_code(
    client: Client, identity: Identity
) -> None:
    """Without the code it waits like any other; with it, it is the administrator."""
    early, first = Person(), Person()
    waiting = await forwarded_login(client, early)
    code = setup_code(identity.keyring.signing)
    status, body = await forwarded_login(client, first, setup_code=code.lower())
    late = await forwarded_login(client, Person(), setup_code=code)

    assert (waiting[0], waiting[1]["error"]) == (403, "approval_required")
    assert (status, body["is_admin"]) == (200, True)
    assert late[0] == 403


async def test_a_pending_account_gets_no_tokens(client: Client, identity: Identity) -> None:
    """verify_session 403, verify_key 200, both with approval_required; nothing is signed."""
    person = Person()
    session = await forwarded_login(client, person, server_challenge="x" * 32)
    key = await forwarded_login(client, person, "verify_key", server_challenge="x" * 32)

    assert (session[0], session[1]["approval_required"]) == (403, True)
    assert key == (200, {"success": True, "verified": True, "approval_required": True})
    assert len(await identity.accounts.listed("pending")) == 1


async def test_an_approved_account_logs_in(client: Client, identity: Identity) -> None:
    """Approval is all that was missing."""
    person = Person()
    await forwarded_login(client, person)
    (waiting,) = await identity.accounts.listed("pending")
    await identity.accounts.approve(waiting.id)
    status, body = await forwarded_login(client, person)

    assert (status, body["user_id"]) == (200, waiting.id)


async def test_a_disabled_account_is_out_within_two_seconds(
    client: Client, identity: Identity
) -> None:
    """Access, refresh and a new login are refused."""
    await Person().log_in(client)  # The administrator, who stays.
    person = await Person().log_in(client)
    assert await person.me(client) == 200
    await identity.accounts.disable(person.account)

    async with asyncio.timeout(PATIENCE_S):
        while await person.me(client) != 401:
            pass
    assert (await refresh(client, person.refresh))[0] == 401
    status, body = await person.attempt(client)
    assert (status, body["error"]) == (403, "account_disabled")
