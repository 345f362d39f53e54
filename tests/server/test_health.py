"""Health answers soon, whatever the database does."""

import asyncio
import time

from server.health import KEEP_S, WAIT_S, Health
from storage.pool import Pool
from tests.patience import in_time, prompt


class Gate:
    """A pool whose answer is held back."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.opened = asyncio.Event()
        self.asked = 0

    async def fetchval(self, sql: str) -> object:
        """Count, wait for the gate, ask."""
        self.asked += 1
        await self.opened.wait()
        return await self._pool.fetchval(sql)


@prompt
async def test_a_hanging_database_is_asked_once_and_said_in_time(pool: Pool) -> None:
    """A hundred probes wait for one question, a second at most; when it comes back, so do they."""
    gate = Gate(pool)
    health = Health(gate)  # type: ignore[arg-type]
    started = time.monotonic()
    answers = await asyncio.gather(*(health.database() for _ in range(100)))
    took = time.monotonic() - started
    gate.opened.set()
    await asyncio.sleep(KEEP_S)

    assert set(answers) == {"down"}
    assert gate.asked == 1
    assert await health.database() == "ok"
    in_time(took, 2 * WAIT_S)


async def test_probes_do_not_load_the_database(pool: Pool) -> None:
    """Within half a second one question serves all."""
    gate = Gate(pool)
    gate.opened.set()
    health = Health(gate)  # type: ignore[arg-type]
    answers = [await health.database() for _ in range(50)]

    assert set(answers) == {"ok"}
    assert gate.asked == 1


async def test_a_closed_pool_and_failing_commits_are_down(pool: Pool) -> None:
    """Neither a database that is gone nor one that cannot commit is healthy."""
    health = Health(pool)
    health.failing = lambda: "disk full"
    failing = await health.database()
    health.failing = lambda: None
    healthy = await health.database()
    await pool.close()
    gone = await Health(pool).database()

    assert (failing, healthy, gone) == ("down", "ok", "down")
