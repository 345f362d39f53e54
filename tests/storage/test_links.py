"""Links to documents in a real database."""

from auth.principal import Role
from storage.accounts import Account, Accounts
from storage.credentials import Credentials
from storage.documents import DocumentRecord, Documents
from storage.links import Link, Links, Opens
from storage.pool import Pool
from tests.storage.people import NOW, join


async def document(pool: Pool) -> tuple[Account, DocumentRecord]:
    """Somebody with a document."""
    account, _ = await join(pool)
    return account, await Documents(pool).create(account.default_workspace, "notes", account.id)


def link(
    account: Account, record: DocumentRecord, number: int = 1, expires_at: float | None = None
) -> Link:
    """A link as it is kept."""
    return Link(
        id=f"L{account.id}-{number}",
        document=record.id,
        account=account.id,
        role=Role.VIEWER,
        name="for Zoë",
        created_at=NOW + number,
        expires_at=expires_at,
    )


async def is_live(pool: Pool, kept: Link) -> bool:
    """Whether a link still opens its document."""
    standing = await Credentials(pool).standing_of_document_token(
        kept.account, kept.id, kept.created_at, kept.id
    )
    return standing is not None and standing.is_live


async def test_a_link_is_found_by_its_digest_and_listed(pool: Pool) -> None:
    """With the document that it opens."""
    account, record = await document(pool)
    links, kept = Links(pool), link(account, record)

    assert await links.add(kept, b"1" * 32, most=1)
    assert not await links.add(link(account, record, 2), b"2" * 32, most=1)
    assert await links.find(b"1" * 32) == Opens(
        link=kept, scope=record.scope, document_name="notes"
    )
    assert await links.find(b"2" * 32) is None
    assert await links.of(record.id) == [kept]


async def test_a_revoked_link_is_worth_nothing(pool: Pool) -> None:
    """And every node hears of it by the version of its maker's account."""
    account, record = await document(pool)
    links, kept = Links(pool), link(account, record)
    await links.add(kept, b"1" * 32, most=1)
    live = [await is_live(pool, kept)]

    assert await links.revoke(record.id, kept.id)
    assert not await links.revoke(record.id, kept.id)
    live.append(await is_live(pool, kept))
    after = await Accounts(pool).get(account.id)
    assert after is not None
    assert live == [True, False]
    assert after.auth_version == account.auth_version + 1


async def test_the_links_of_a_closed_account_end(pool: Pool) -> None:
    """For good, and it makes no new ones."""
    account, record = await document(pool)
    links = Links(pool)
    await links.add(link(account, record), b"1" * 32, most=5)
    await Accounts(pool).disable(account.id)

    assert await links.of(record.id) == []
    assert not await links.add(link(account, record, 2), b"2" * 32, most=5)


async def test_links_that_ended_are_removed(pool: Pool) -> None:
    """Those without an end stay."""
    account, record = await document(pool)
    links = Links(pool)
    await links.add(link(account, record, 1, NOW + 1), b"1" * 32, most=5)
    await links.add(link(account, record, 2), b"2" * 32, most=5)

    assert await links.sweep(NOW + 2, 10) == 1
    assert len(await links.of(record.id)) == 1
