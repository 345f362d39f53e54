"""Sites: found by what they are called, claimed once, gone with their end."""

from datetime import UTC, datetime, timedelta

import pytest

from storage.pool import Pool
from storage.sites import NewSite, Site, Sites

_ACCOUNT = """
WITH home AS (INSERT INTO scopes (id, owner) VALUES ('home-' || $1, $1) RETURNING id)
INSERT INTO accounts (id, state, default_workspace, username) SELECT $1, 'active', id, $2 FROM home
"""


@pytest.fixture
async def sites(pool: Pool) -> Sites:
    """The store, with two people."""
    for account, username in (("ada", "Ada"), ("bob", "bob")):
        await pool.execute(
            "INSERT INTO scopes (id, owner) VALUES ($1, $2)", f"home-{account}", account
        )
        await pool.execute(
            "INSERT INTO accounts (id, state, default_workspace, username) VALUES ($1, $2, $3, $4)",
            account, "active", f"home-{account}", username,
        )  # fmt: skip
    return Sites(pool)


async def add(sites: Sites, site: str, **more: object) -> Site | None:
    """A site."""
    given = {"account": "ada", "name": "notes", "domain_token": "t", "scope": f"scope-{site}"}
    return await sites.add(NewSite(id=site, **(given | more)))  # type: ignore[arg-type]


async def test_a_site_is_found_by_name_whatever_its_case(sites: Sites) -> None:
    """Once for each account."""
    made = await add(sites, "one")

    assert made is not None
    assert made.username == "Ada"
    assert await sites.named("ADA", "Notes") == made
    assert await add(sites, "two", name="NOTES") is None
    assert await add(sites, "three", account="bob") is not None


async def test_a_domain_shows_one_site_once_it_is_verified(sites: Sites) -> None:
    """Two may want it."""
    first, second = await add(sites, "one"), await add(sites, "two", account="bob")
    assert first is not None
    assert second is not None
    for site in (first, second):
        await sites.change(site.id, {"domain": "docs.example.com"})
    before = await sites.by_domain("docs.example.com")
    await sites.change(second.id, {"domain_verified_at": datetime.now(UTC)})
    found = await sites.by_domain("DOCS.example.com")

    assert before is None
    assert found is not None
    assert found.id == second.id
    assert [each.id for each in await sites.wishing("docs.example.com")] == ["one", "two"]


async def test_a_site_without_account_ends_or_is_claimed_once(sites: Sites) -> None:
    """Under the first name that its new owner has free."""
    later, before = (datetime.now(UTC) + timedelta(hours=hours) for hours in (1, -1))
    anonymous = {"account": None, "claim_digest": b"x", "anonymous_owner": "somebody"}
    await add(sites, "mine")
    await add(sites, "over", name="over", expires_at=before, **anonymous)
    await add(sites, "one", expires_at=later, **anonymous)
    wrong = await sites.claim("one", b"y", "ada", ["notes", "notes-2"])
    name = await sites.claim("one", b"x", "ada", ["notes", "notes-2"])
    again = await sites.claim("one", b"x", "bob", ["notes"])

    assert (wrong, name, again) == (None, "notes-2", None)
    assert await sites.anonymous("over") is None
    assert await sites.by_id("over") is None
    assert [each.id for each in await sites.expired(datetime.now(UTC), 10)] == ["over"]
    assert {each.id for each in await sites.listed("ada", 10)} == {"mine", "one"}


async def test_a_password_moves_its_version(sites: Sites) -> None:
    """Other settings do not."""
    await add(sites, "one")
    await sites.change("one", {"title": "T"})
    await sites.change("one", {"password_hash": "h", "privacy": "PASSWORD"})
    found = await sites.by_id("one")

    assert found is not None
    assert found.is_protected
    assert (found.title, found.password_version) == ("T", 1)


async def test_a_removed_site_is_nowhere(sites: Sites, pool: Pool) -> None:
    """Nobody has a role in what is left."""
    await add(sites, "one")
    scope = await sites.remove("one")
    members = await pool.fetchval("SELECT count(*) FROM members WHERE scope = $1", scope)

    assert (scope, members) == ("scope-one", 0)
    assert await sites.remove("one") is None
    assert await sites.named("ada", "notes") is None
