"""What an account has stored, counted in a real database."""

from storage.access_tokens import AccessTokens
from storage.devices import Devices
from storage.pool import Pool
from storage.usage import Usage, Usages
from tests.storage.people import MONTH, NOW, join, log_in
from tests.storage.test_access_tokens import paper

NOTHING = Usage(
    workspaces=1,
    documents=0,
    log_bytes=0,
    snapshot_bytes=0,
    history_bytes=0,
    files=0,
    file_bytes=0,
    reserved_bytes=0,
    devices=1,
    sessions=0,
    access_tokens=0,
)


async def write_documents(pool: Pool, scope: str) -> None:
    """Two and a purged one, and what is kept of the older versions of each."""
    await pool.execute(
        "INSERT INTO documents (id, scope, name, purged_at) VALUES"
        " ('00000000-0000-0000-0000-000000000001', $1, 'a', NULL),"
        " ('00000000-0000-0000-0000-000000000002', $1, 'b', NULL),"
        " ('00000000-0000-0000-0000-000000000003', $1, 'c', now())",
        scope,
    )
    await pool.execute(
        "INSERT INTO heads (document, scope, log_bytes, snapshot_bytes, snapshot_sequence)"
        " SELECT id, scope, 10, 5, 1 FROM documents"
    )
    await pool.execute(
        "INSERT INTO updates (document, sequence, at, writer, batch, data, pending)"
        " SELECT id, n, now(), 1, n, 'abc', n = 0 FROM documents, generate_series(0, 2) n"
        " WHERE name <> 'b'"
    )
    await pool.execute(
        "INSERT INTO history (document, first, last, started_at, at, data, authors)"
        " SELECT id, 1, 1, now(), now(), repeat('h', 20)::bytea, '{}' FROM documents"
        " WHERE name <> 'b'"
    )
    await pool.execute(
        "INSERT INTO named_versions (document, sequence, name, author, at, encoding, data)"
        " SELECT id, 1, 'n', 'a', now(), 0, repeat('v', 100)::bytea FROM documents"
        " WHERE name <> 'a'"
    )


async def test_usage_counts_what_is_stored(pool: Pool) -> None:
    """Documents, files and credentials of the account's own, and of nobody else's."""
    owner, device = await join(pool)
    other, _ = await join(pool)
    await write_documents(pool, owner.default_workspace)
    await pool.execute("INSERT INTO blob_accounts VALUES ($1, 2, 300, 40)", owner.id)
    await Devices(pool).add(owner.id, b"2" * 32, "second", "", most=5)
    await log_in(pool, owner, device)
    for number, expires_at in enumerate((None, NOW + 60, NOW - 1)):
        token = paper(owner.id, number, expires_at)
        await AccessTokens(pool).add(token, bytes([number]) * 32, most=5)
    usages = Usages(pool)

    assert await usages.of(owner.id, NOW) == Usage(
        workspaces=1,
        documents=2,
        log_bytes=20,
        snapshot_bytes=10,
        history_bytes=3 + 20 + 100,
        files=2,
        file_bytes=300,
        reserved_bytes=40,
        devices=2,
        sessions=1,
        access_tokens=2,
    )
    assert await usages.of(other.id, NOW) == NOTHING


async def test_what_has_ended_counts_no_more(pool: Pool) -> None:
    """A login whose time is over, and a workspace that was deleted."""
    owner, device = await join(pool)
    await log_in(pool, owner, device)
    await pool.execute(
        "INSERT INTO scopes (id, owner, deleted_at) VALUES ('x', $1, now())", owner.id
    )

    assert await Usages(pool).of(owner.id, NOW + 2 * MONTH) == NOTHING
