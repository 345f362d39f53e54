"""A server of this version on the data of the one before: its clients go on where they were."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from auth.opaque import mint
from auth.refresh import RefreshTokens, digest
from auth.tokens import Tokens
from server.binding import StartError
from server.keyring import open_keyring
from server.settings import Settings
from storage.documents import make_id
from storage.migrate import migrate
from storage.pool import Pool, close_pool, open_pool
from tests.clients import Replica, text_of
from tests.inside import Guest, fresh_database, serving
from tests.server.person import Person
from tests.storage.papers import typing

pytestmark = pytest.mark.asyncio(loop_scope="module")

BEFORE = 14
"""The newest migration of the version before."""


@pytest_asyncio.fixture(loop_scope="module")
async def old(postgres: str) -> AsyncIterator[tuple[str, Pool]]:
    """A database as the version before left it."""
    async with fresh_database(postgres) as database:
        pool = await open_pool(database)
        await pool.execute("DROP SCHEMA public CASCADE")
        await pool.execute("CREATE SCHEMA public")
        await migrate(pool, upto=BEFORE)
        yield database, pool
        await close_pool(pool)


async def settle(pool: Pool, person: Person, refresh: str, personal: str) -> None:
    """An account with a login, a personal token and a document, as that version wrote them."""
    await pool.execute("INSERT INTO scopes (id, owner, title) VALUES ('HOME', 'ADA', 'Home')")
    await pool.execute(
        "INSERT INTO accounts (id, state, default_workspace) VALUES ('ADA', 'active', 'HOME')"
    )
    await pool.execute("INSERT INTO members (scope, account, role) VALUES ('HOME', 'ADA', 'owner')")
    await pool.execute(
        "INSERT INTO account_keys (key, account, device) VALUES ($1, 'ADA', 'LAPTOP')",
        person.public,
    )
    await pool.execute(
        """INSERT INTO refresh_families (id, account, device, current, rotated_at, expires_at)
        VALUES ('F1', 'ADA', 'LAPTOP', ARRAY[$1::bytea], now(), now() + interval '1 day')""",
        digest(refresh),
    )
    await pool.execute(
        """INSERT INTO access_tokens (id, account, digest, name, prefix, scopes, created_at)
        VALUES ('T1', 'ADA', $1, 'script', 'plait_pat_', '{heaps:write}', now())""",
        digest(personal),
    )
    document = make_id()
    await pool.execute(
        "INSERT INTO documents (id, scope, name, owner) VALUES ($1, 'HOME', 'notes', 'ADA')",
        document,
    )
    rows = typing("kept")
    await pool.execute(
        "INSERT INTO heads (document, scope, head, log_bytes) VALUES ($1, 'HOME', $2, $3)",
        document,
        len(rows),
        sum(map(len, rows)),
    )
    await pool.executemany(
        """INSERT INTO updates (document, sequence, at, writer, batch, data, author)
        VALUES ($1, $2, now(), 1, 1, $3, 'ADA')""",
        [(document, number, data) for number, data in enumerate(rows, 1)],
    )


async def test_clients_of_the_version_before_go_on(old: tuple[str, Pool], tmp_path: Path) -> None:
    """With their key and each kind of token; documents are as they were."""
    database, pool = old
    keys = open_keyring(Settings(data=tmp_path / "data"))
    refresh = RefreshTokens(keys.signing.derive("refresh-token")).mint(
        "F1", secrets.token_bytes(32)
    )
    personal = mint("plait_pat_", secrets.token_bytes(32))
    person = Person()
    await settle(pool, person, refresh, personal)
    async with serving(database, tmp_path, data=tmp_path / "data") as inside, Guest(inside) as ada:
        ada.person = person
        ada.token = Tokens(keys.signing, keys.identity.public_text).mint_access(
            account="ADA",
            family="F1",
            now=time.time(),
            lifetime_s=60,
            random_bytes=secrets.token_bytes(16),
        )
        y = await (await ada.y("notes")).sync()
        await y.stored(await y.write(" and more"))
        read, text = await ada.get("/d/notes/as-update", token=personal)
        more = Replica().insert("!")
        pushed, _, _ = await ada.post("/d/notes/update", data=more, token=personal)
        headers = {"Authorization": f"Bearer {refresh}"}
        async with ada.http.post("/api/auth/refresh_token", headers=headers) as answer:
            refreshed = answer.status
        await ada.log_in()
        newest = await pool.fetchval("SELECT max(number) FROM migrations")

    assert newest > BEFORE
    assert y.replica.text.startswith("kept and more")
    assert (read, text_of(text), pushed, refreshed) == (200, "kept and more", 200, 200)
    assert ada.account == "ADA"


async def test_a_database_of_a_later_version_is_refused(
    old: tuple[str, Pool], tmp_path: Path
) -> None:
    """With a sentence, and before anything in it is touched."""
    database, pool = old
    await pool.execute(
        "INSERT INTO migrations (number, name, checksum) VALUES (9999, 'later', 'x')"
    )
    with pytest.raises(StartError, match="start the newer program"):
        async with serving(database, tmp_path):
            pass

    assert await pool.fetchval("SELECT count(*) FROM migrations") == BEFORE + 1


async def test_nodes_of_both_versions_serve_one_database(
    old: tuple[str, Pool], tmp_path: Path
) -> None:
    """What the version before asks of its tables is still answered after the migrations."""
    database, pool = old
    before = {(row["table_name"], row["column_name"]) for row in await pool.fetch(_COLUMNS)}
    async with (
        serving(database, tmp_path) as inside,
        aiohttp.ClientSession(inside.url) as http,
        http.get("/readyz") as answer,
    ):
        ready = answer.status
    after = {
        (row["table_name"], row["column_name"]): (row["is_nullable"], row["column_default"])
        for row in await pool.fetch(_COLUMNS)
    }
    old_tables = {table for table, _ in before}
    # A row that the older program writes names none of these.
    needed = [
        f"{table}.{column}"
        for (table, column), (nullable, default) in after.items()
        if (table, column) not in before
        and table in old_tables
        and nullable == "NO"
        and default is None
    ]

    assert ready == 200
    assert before - after.keys() == set()
    assert needed == []


_COLUMNS = """
SELECT table_name, column_name, is_nullable, column_default FROM information_schema.columns
WHERE table_schema = 'public' AND table_name NOT IN ('migrations', 'migration_lock')
"""
