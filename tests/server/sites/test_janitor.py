"""What time does to sites."""

from datetime import UTC, datetime

import pytest

from server.adapters.flowershow.stores import STORES
from server.catalogue import CATALOGUE
from server.sites.catalogue import SITES
from server.sites.janitor import Janitor
from server.sites.publishing import PUBLISHING
from tests.inside import Guest, Inside
from tests.server.adapters.flowershow.tools import CommandLine, command_line

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_what_is_left_of_a_removed_site_goes(inside: Inside, ada: Guest) -> None:
    """Its texts and the uses of its bytes; an unclaimed site ends by itself."""
    cli: CommandLine = await command_line(ada)
    removed, ended = await cli.make("removed"), await cli.make("ended")
    for site in (removed, ended):
        await cli.sync(site, {"a.md": b"a", "b.bin": b"b"})
    await cli.ask("DELETE", f"/api/sites/id/{removed}")
    sql = "UPDATE sites SET account = NULL, expires_at = now() - interval '1 day' WHERE id = $1"
    await inside.pool.execute(sql, ended)
    janitor = Janitor(inside.app[PUBLISHING], inside.app[CATALOGUE], inside.app[STORES].devices)
    while await janitor.clear(datetime.now(UTC)):
        pass
    uses = await inside.pool.fetchval("SELECT count(*) FROM blob_uses WHERE kind LIKE 'site%'")
    rows = "FROM documents d JOIN scopes s ON s.id = d.scope WHERE s.kind = 'site'"
    left = await inside.pool.fetchval(f"SELECT count(*) {rows} AND d.purged_at IS NULL")

    assert (uses, left) == (0, 0)
    assert await inside.app[SITES].store.by_id(ended) is None
