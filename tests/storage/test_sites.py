"""Sites: found by what they are called, claimed once, gone with their end."""

from datetime import UTC, datetime, timedelta

import pytest

from storage.pool import Pool
from storage.sites import NewSite, Site, Sites
from storage.sites.notes import _NOTES
from storage.sites.store import _FACTS, _HEADS, _ORPHANS, _OWN, _REMAINS
from tests.storage.plans import explain, pages_of

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


async def test_what_is_left_of_removed_sites_is_found_whoever_removed_them(
    sites: Sites, pool: Pool
) -> None:
    """Documents and uses of bytes, not those of other sites; in the end nobody looks any more."""
    for site in ("one", "two", "three"):
        await add(sites, site, name=site)
        await use(pool, f"{site}/a.md", f"{site}/b.md")
    await sites.remove("one")
    await pool.execute("DELETE FROM sites WHERE id = 'two'")
    orphans, remains = await sites.orphans(100), await sites.remains(100)
    await sites.cleared(datetime.now(UTC) - timedelta(days=1))
    again = await sites.orphans(2)
    await sites.cleared(datetime.now(UTC) + timedelta(seconds=1))

    assert sorted(orphans) == [
        ("site", f"{site}/{name}.md") for site in ("one", "two") for name in "ab"
    ]
    assert (len(remains), len(again)) == (2, 2)
    assert (await sites.orphans(2), await sites.remains(2)) == ([], [])


async def test_no_statement_reads_more_because_the_server_holds_more(
    sites: Sites, pool: Pool
) -> None:
    """The heads and notes of one site, what is left of one that went, a claim and a removal.

    Beside 200 other sites as beside 8,000, but for the deeper indexes.
    """
    await add(sites, "one")
    await add(sites, "two", name="two")
    await sites.remove("two")
    first = "'00000000-0000-0000-0000-000000000000'"
    pages, plans = [], []
    for size in (200, 8_000):
        await grow(pool, size)
        plans = [
            await explain(pool, _HEADS, "'scope-one'"),
            await explain(pool, _NOTES, "'scope-one'", first, "1000"),
            await explain(pool, _REMAINS, "200"),
            await explain(pool, _ORPHANS, "200"),
            await explain(pool, _OWN[2], "'scope-one'", "'ada'"),
            await explain(pool, _FACTS, "'scope-two'"),
        ]
        pages.append([pages_of(plan) for plan in plans])

    for plan in plans:
        for table in ("documents", "heads", "blob_uses", "note_facts", "scopes"):
            assert f"Seq Scan on {table}" not in plan, plan
    for few, many in zip(*pages, strict=True):
        assert many <= few + 10, pages


async def use(pool: Pool, *holders: str) -> None:
    """Bytes that sites use."""
    await pool.execute(
        "INSERT INTO blobs (hash, size) VALUES (sha256('x'), 1) ON CONFLICT DO NOTHING"
    )
    await pool.execute(
        "INSERT INTO blob_uses (hash, kind, holder) SELECT sha256('x'), 'site', unnest($1::text[])",
        list(holders),
    )


async def grow(pool: Pool, size: int) -> None:
    """So many other sites, each with three notes, as autovacuum leaves them."""
    await pool.execute(
        """
        WITH made AS (
            INSERT INTO scopes (id, kind) SELECT 'other' || n, 'site'
            FROM generate_series((SELECT count(*) FROM scopes) + 1, $1) n RETURNING id
        ), documents AS (
            INSERT INTO documents (id, scope, name)
            SELECT gen_random_uuid(), id, 'note' || n FROM made, generate_series(1, 3) n
            RETURNING id, scope
        ), facts AS (
            INSERT INTO note_facts (document, head, facts) SELECT id, 1, '' FROM documents
        )
        INSERT INTO heads (document, scope, head, dirty) SELECT id, scope, 1, false FROM documents
        """,
        size,
    )
    await use(pool, *(f"other{size}-{n}/a.md" for n in range(size)))
    await pool.execute("VACUUM ANALYZE")
