"""What is prepared before anybody comes."""

from server.warming import warm
from storage.credentials import Credentials
from storage.documents import Documents
from storage.grants import Grants
from storage.pool import close_pool, open_pool

_PREPARED = "SELECT statement FROM pg_prepared_statements"


async def test_what_a_newcomer_is_asked_for_is_prepared(database: str) -> None:
    """The statements that find a login, a role, a document's name and its rows; nobody is made."""
    pool = await open_pool(database, connections_max=1)
    await warm(Credentials(pool), Grants(pool), Documents(pool))
    prepared = " ".join([row[0] for row in await pool.fetch(_PREPARED)])

    for words in ("refresh_families", "m.role", "AND name = $2", "h.snapshot_sequence"):
        assert words in prepared, words
    await close_pool(pool)
