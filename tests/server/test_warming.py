"""What is prepared before anybody comes."""

import subprocess
import sys
from pathlib import Path

from server.warming import warm
from storage.credentials import Credentials
from storage.documents import Documents
from storage.grants import Grants
from storage.pool import close_pool, open_pool

_PREPARED = "SELECT statement FROM pg_prepared_statements"
_DECODED_AFTER = """
import asyncio, sys
from crdt.document import Document
from server.warming import warm
from storage import credentials, documents, grants, pool

async def decode():
    asked = await pool.open_pool(sys.argv[1], connections_max=1)
    await warm(credentials.Credentials(asked), grants.Grants(asked), documents.Documents(asked))
    known = set(sys.modules)
    Document().wake()
    "localhost".encode("idna")
    print(len(set(sys.modules) - known))
    await pool.close_pool(asked)

asyncio.run(decode())
"""


async def test_what_a_newcomer_is_asked_for_is_prepared(database: str) -> None:
    """The statements that find a login, a role, a document's name and its rows; nobody is made."""
    pool = await open_pool(database, connections_max=1)
    await warm(Credentials(pool), Grants(pool), Documents(pool))
    prepared = " ".join([row[0] for row in await pool.fetch(_PREPARED)])

    for words in ("refresh_families", "m.role", "AND name = $2", "h.snapshot_sequence"):
        assert words in prepared, words
    await close_pool(pool)


async def test_the_first_who_come_load_nothing_more(database: str) -> None:
    """In a process that was just made ready; else all wait for that, 20 ms for anyio."""
    done = subprocess.run(
        [sys.executable, "-c", _DECODED_AFTER, database],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "0\n"
