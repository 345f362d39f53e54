"""Visitors of sites with a password."""

import aiohttp
import pytest

from tests.inside import Guest
from tests.server.adapters.flowershow.tools import Answer, CommandLine, ask
from tests.server.realtime.conftest import Serve

pytestmark = pytest.mark.asyncio(loop_scope="module")

PASSWORD = "correct horse"


async def log_in(guest: Guest, site: str, password: str, *, multipart: bool = True) -> Answer:
    """Send the form, of one kind or the other."""
    data: object = {"password": password}
    if multipart:
        form = aiohttp.FormData(default_to_multipart=True)
        form.add_field("password", password)
        data = form
    async with guest.http.post(f"/api/sites/id/{site}/login", data=data) as response:
        found = Answer(response, await response.json())
    guest.http.cookie_jar.clear()
    return found


async def protected(cli: CommandLine) -> tuple[str, str]:
    """A site with a password: its id, and where it is looked up."""
    site = await cli.make("private")
    answer = await cli.ask("PATCH", f"/api/sites/id/{site}", {"password": PASSWORD})
    assert answer.status == 200, answer.body
    user = (await cli.ask("GET", "/api/user"))["username"]
    return site, f"/api/sites/{user}/private"


async def test_a_visitor_who_knows_the_password_is_let_in(cli: CommandLine, bob: Guest) -> None:
    """For seven days, by a cookie that no script reads, at this site alone."""
    site, path = await protected(cli)
    wrong = await log_in(bob, site, "wrong horses")
    answer = await log_in(bob, site, PASSWORD)
    also = await log_in(bob, site, PASSWORD, multipart=False)
    morsel = answer.cookies[f"site_access_{site}"]
    cookie = {"Cookie": f"site_access_{site}={morsel.value}"}
    seen = await ask(bob, "GET", path, **cookie)
    other = await cli.make("other")
    await cli.ask("PATCH", f"/api/sites/id/{other}", {"password": PASSWORD})
    elsewhere = {"Cookie": f"site_access_{other}={morsel.value}"}
    unseen = await ask(bob, "GET", path.replace("private", "other"), **elsewhere)

    assert (wrong.status, wrong["error"]) == (401, "invalid_password")
    assert (answer.status, also.status, answer.body) == (200, 200, {"success": True})
    assert morsel["httponly"]
    assert (morsel["samesite"], morsel["max-age"]) == ("Lax", "604800")
    assert morsel["path"].endswith("/private")
    assert seen["site"]["id"] == site
    assert unseen.body == {}


async def test_a_new_password_logs_everybody_out(cli: CommandLine, bob: Guest) -> None:
    """And none makes the site public."""
    site, path = await protected(cli)
    value = (await log_in(bob, site, PASSWORD)).cookies[f"site_access_{site}"].value
    cookie = {"Cookie": f"site_access_{site}={value}"}
    await cli.ask("PATCH", f"/api/sites/id/{site}", {"password": "another horse"})
    after = await ask(bob, "GET", path, **cookie)
    await cli.ask("PATCH", f"/api/sites/id/{site}", {"password": None})
    public = await ask(bob, "GET", path)

    assert after.body == {}
    assert public["site"]["privacyMode"] == "PUBLIC"


async def test_logging_out_takes_the_cookie_away(cli: CommandLine, bob: Guest) -> None:
    """Of an unknown site too, for what there is to take."""
    site, _ = await protected(cli)
    known = await ask(bob, "POST", f"/api/sites/id/{site}/logout")
    unknown = await ask(bob, "POST", "/api/sites/id/site_x/logout")

    assert (known.status, unknown.status) == (200, 200)
    assert known.cookies[f"site_access_{site}"]["max-age"] == "0"


async def test_there_is_nothing_to_log_in_to_without_a_password(
    cli: CommandLine, bob: Guest
) -> None:
    """An unknown site is no other case."""
    site = await cli.make("open")
    statuses = [(await log_in(bob, each, PASSWORD)).status for each in (site, "site_x")]

    assert statuses == [400, 400]


async def test_guesses_are_counted(serve: Serve) -> None:
    """By address."""
    inside = await serve(site_logins_per_minute=3)
    async with inside.visitor() as guest:
        statuses = [(await log_in(guest, "site_x", "x")).status for _ in range(4)]

    assert statuses == [400, 400, 400, 429]
