"""Who one is, and which tokens one has."""

import pytest

from server.identity import IDENTITY
from tests.inside import Guest, Inside
from tests.server.adapters.flowershow.tools import Browser, CommandLine, ask, with_username

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_user_is_shown_to_browser_and_token_alike(ada: Guest, cli: CommandLine) -> None:
    """With the fields of the page."""
    browser = await Browser.of(ada)
    shown = await browser.ask("GET", "/api/user")
    by_token = await cli.ask("GET", "/api/user")
    nobody = await ask(ada, "GET", "/api/user")

    assert shown.body == by_token.body
    assert set(shown.body) == {"id", "name", "username", "email", "image", "role"}
    assert shown["role"] in {"USER", "ADMIN"}
    assert (nobody.status, nobody["error"]) == (401, "unauthorized")
    assert nobody["error_description"] == nobody["message"]


async def test_a_username_is_chosen_once_for_all(ada: Guest, bob: Guest) -> None:
    """Whatever its case; and a name to show."""
    first = await with_username(ada, "Ada-1")
    second = await Browser.of(bob)
    taken = await second.ask("PATCH", "/api/user", {"username": "ada-1"})
    named = await first.ask("PATCH", "/api/user", {"name": "Ada Lovelace"})

    assert (taken.status, taken["error"]) == (409, "username_taken")
    assert (named["username"], named["name"]) == ("Ada-1", "Ada Lovelace")


@pytest.mark.parametrize(
    "text", ["", "ab", "-abc", "a--b", "anon", "API", "a_b", "x" * 40, "ä" * 4]
)
async def test_what_no_username_can_be_is_refused(ada: Guest, text: str) -> None:
    """Too short, too long, odd, or a word that stands for something else."""
    answer = await (await Browser.of(ada)).ask("PATCH", "/api/user", {"username": text})

    assert (answer.status, answer["error"]) == (400, "invalid_username")


async def test_tokens_are_revoked_by_a_browser_alone(
    cli: CommandLine, ada: Guest, bob: Guest
) -> None:
    """Of the own account; the token ends at once."""
    browser, other = await Browser.of(ada), await Browser.of(bob)
    tokens = (await browser.ask("GET", "/api/access-tokens"))["access_tokens"]
    body = {"token_id": tokens[0]["id"]}
    path = "/api/tokens/revoke"
    itself = await cli.ask("POST", path, body)
    foreign = await other.ask("POST", path, body)
    nothing = await browser.ask("POST", path, {})
    done = await browser.ask("POST", path, body)
    after = await cli.ask("GET", "/api/user")

    assert tokens[0]["name"] == "CLI Token"
    assert tokens[0]["prefix"] == "fs_cli_"
    assert (itself.status, itself["error"]) == (401, "unauthorized")
    assert (foreign.status, foreign["error"]) == (404, "not_found")
    assert (nothing.status, nothing["error"]) == (400, "invalid_request")
    assert (done.status, done.body) == (200, {"success": True})
    assert after.status == 401


async def test_a_token_that_nobody_uses_ends(cli: CommandLine, inside: Inside) -> None:
    """After ninety days."""
    sql = "UPDATE access_tokens SET created_at = now() - interval '91 days', used_at = NULL"
    used = await cli.ask("GET", "/api/user")
    identity = inside.app[IDENTITY]
    await identity.identify.uses.flush()
    await inside.pool.execute(f"{sql} WHERE account = $1", cli.guest.account)
    await identity.sweep()
    await identity.watch.look()
    after = await cli.ask("GET", "/api/user")

    assert (used.status, after.status) == (200, 401)
