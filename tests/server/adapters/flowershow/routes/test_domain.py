"""Domains of sites, as a real DNS server tells of them."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.inside import Guest, Inside, fresh_database, serving
from tests.server.adapters.flowershow.names import NameServer
from tests.server.adapters.flowershow.tools import Answer, CommandLine, ask, command_line

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def names() -> AsyncIterator[NameServer]:
    """A name server."""
    running = await NameServer().start()
    yield running
    running.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def inside(
    postgres: str, names: NameServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Inside]:
    """A server that asks it."""
    folder = tmp_path_factory.mktemp("inside")
    async with (
        fresh_database(postgres) as database,
        serving(
            database,
            folder,
            dns_servers=(f"127.0.0.1:{names.port}",),
            dns_timeout_s=2.0,
            domain_target="sites.example.net",
            domain_addresses=("192.0.2.7",),
            domain_checks_per_minute=100_000,
            device_codes_per_minute=100_000,
        ) as running,
    ):
        yield running


async def verify(guest: Guest, domain: str) -> Answer:
    """Ask how a domain is configured."""
    answer = await ask(guest, "GET", f"/api/domain/{domain}/verify")
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-store, max-age=0"
    return answer


async def wish(cli: CommandLine, name: str, domain: str) -> dict[str, str]:
    """Make a site that wants a domain; what its owner is told of it."""
    site = await cli.make(name)
    answer = await cli.ask("PATCH", f"/api/sites/id/{site}", {"customDomain": domain})
    return dict(answer["site"])


async def test_a_domain_is_verified_step_by_step(
    cli: CommandLine, ada: Guest, names: NameServer
) -> None:
    """Unknown, pending, verified but elsewhere, valid; then it is the site's address."""
    domain = "docs.example.com"
    unknown = await verify(ada, domain)
    site = await wish(cli, "docs", domain)
    pending = await verify(ada, domain)
    wanted = pending["domainJson"]["verification"][0]
    names.put(f"_flowershow.{domain}", "TXT", '"something else"')
    still = await verify(ada, domain)
    names.put(wanted["domain"], "TXT", '"something else"', f'"{wanted["value"]}"')
    elsewhere = await verify(ada, domain)
    names.put(domain, "CNAME", "sites.example.net.")
    valid = await verify(ada, domain.upper())
    detail = await cli.ask("GET", f"/api/sites/id/{site['id']}")
    by_domain = await ask(ada, "GET", f"/api/sites/_domain/{domain}")
    robots = await robots_of(ada, domain)

    assert unknown["status"] == "Domain Not Found"
    assert (pending["status"], still["status"]) == ("Pending Verification",) * 2
    assert wanted == {
        "type": "TXT", "domain": site["domainTxtName"], "value": site["domainTxtValue"],
        "reason": "pending_domain_verification",
    }  # fmt: skip
    assert elsewhere["status"] == "Invalid Configuration"
    assert elsewhere["domainJson"]["verification"][0]["value"] == "sites.example.net"
    assert valid["status"] == "Valid Configuration"
    assert valid["domainJson"] == {
        "name": domain, "apexName": "example.com", "projectId": site["id"], "verified": True,
        "verification": [],
    }  # fmt: skip
    assert detail["site"]["url"] == f"http://{domain}"
    assert by_domain["site"]["id"] == site["id"]
    assert robots[0] == 200
    assert f"Sitemap: http://{domain}/sitemap.xml" in robots[1]


async def robots_of(guest: Guest, host: str) -> tuple[int, str]:
    """What crawlers are told of a host."""
    async with guest.http.get(f"/api/robots/{host}") as response:
        return response.status, await response.text()


async def test_a_domain_shows_its_site_by_the_host_that_is_asked(
    cli: CommandLine, ada: Guest, names: NameServer
) -> None:
    """And is nobody's before."""
    domain = "shown.example.com"
    site = await wish(cli, "shown", domain)
    await cli.sync(site["id"], {"index.md": b"# Shown here"})
    async with ada.http.get("/", headers={"Host": domain}) as response:
        before = response.status
    names.put(site["domainTxtName"], "TXT", f'"{site["domainTxtValue"]}"')
    await verify(ada, domain)
    async with ada.http.get("/", headers={"Host": domain}) as response:
        # For up to two seconds it is remembered that the host was nobody's.
        assert response.status in {200, 421}
    site_again = await ask(ada, "GET", f"/api/sites/_domain/{domain}")

    assert before == 421
    assert site_again["site"]["id"] == site["id"]


async def test_an_apex_may_lead_here_by_address(
    cli: CommandLine, ada: Guest, names: NameServer
) -> None:
    """It cannot have an alias."""
    site = await wish(cli, "apex", "apex.org")
    names.put(site["domainTxtName"], "TXT", f'"{site["domainTxtValue"]}"')
    names.put("apex.org", "A", "198.51.100.1")
    wrong = await verify(ada, "apex.org")
    names.put("apex.org", "A", "192.0.2.7")
    right = await verify(ada, "apex.org")

    assert wrong["status"] == "Invalid Configuration"
    assert wrong["domainJson"]["verification"][0] | {"reason": ""} == {
        "type": "A", "domain": "apex.org", "value": "192.0.2.7", "reason": "",
    }  # fmt: skip
    assert right["status"] == "Valid Configuration"


async def test_a_domain_is_one_sites_by_its_record(
    cli: CommandLine, ada: Guest, bob: Guest, names: NameServer
) -> None:
    """Who only wants it gets nothing; who shows the record takes it over."""
    domain = "taken.example.com"
    first = await wish(cli, "first", domain)
    second = await wish(await command_line(bob), "second", domain)
    names.put(first["domainTxtName"], "TXT", f'"{first["domainTxtValue"]}"')
    before = await verify(ada, domain)
    names.put(first["domainTxtName"], "TXT", f'"{second["domainTxtValue"]}"')
    after = await verify(ada, domain)

    assert first["domainTxtValue"] != second["domainTxtValue"]
    assert before["domainJson"]["projectId"] == first["id"]
    assert after["domainJson"]["projectId"] == second["id"]


async def test_what_dns_does_not_answer_is_not_known(
    cli: CommandLine, ada: Guest, names: NameServer
) -> None:
    """And changes nothing."""
    await wish(cli, "odd", "odd.example.com")
    names.broken = True
    try:
        answer = await verify(ada, "odd.example.com")
    finally:
        names.broken = False

    assert answer["status"] == "Unknown Error"
    assert (await verify(ada, "not a domain"))["status"] == "Domain Not Found"
