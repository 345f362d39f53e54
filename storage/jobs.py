"""Jobs: work in the background that outlives a process and is done by one process at a time.

A job is claimed by a node that says again and again that it lives; one that was not heard of for a
while loses its jobs to the next who asks. So a job may be begun more than once, and must not mind.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from storage.errors import reaching
from storage.extracts import storable
from storage.pool import Pool

OPEN = ("queued", "running")


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A job as it was last written."""

    id: str
    kind: str
    account: str
    scope: str
    target: str
    options: dict[str, Any]
    state: str
    counts: dict[str, int]
    error: str
    abort_asked: bool
    machine: str | None
    """Only nodes of this machine may take it; None: any."""
    node: str | None
    beat_at: datetime
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class NewJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job that is asked for."""

    id: str
    kind: str
    account: str
    scope: str
    target: str
    options: dict[str, Any] = {}
    machine: str | None = None


def _sql(text: str) -> str:
    return text.replace("RECORD", ", ".join(Job.__struct_fields__))


_ADD = _sql("""
INSERT INTO jobs (id, kind, account, scope, target, options, machine)
VALUES ($1, $2, $3, $4, $5, $6::jsonb, $7)
ON CONFLICT (kind, target) WHERE state IN ('queued', 'running') DO NOTHING RETURNING RECORD
""")
_OPEN_ONE = _sql("""
SELECT RECORD FROM jobs WHERE kind = $1 AND target = $2 AND state IN ('queued', 'running')
""")
_GET = _sql("SELECT RECORD FROM jobs WHERE id = $1")
_OPEN = _sql("""
SELECT RECORD FROM jobs WHERE state IN ('queued', 'running')
AND kind = ANY ($1) AND (account = $2 OR scope = ANY ($3)) ORDER BY created_at LIMIT $4
""")
_COUNT = "SELECT count(*) FROM jobs WHERE state IN ('queued', 'running') AND account = $1"
_CLAIM = _sql("""
UPDATE jobs SET state = 'running', node = $1, beat_at = now(),
    started_at = coalesce(started_at, now())
WHERE id IN (
    SELECT id FROM jobs WHERE (machine IS NULL OR machine = $4) AND (state = 'queued' OR (
        state = 'running' AND node IS DISTINCT FROM $1
        AND beat_at < now() - make_interval(secs => $2)
    )) ORDER BY created_at LIMIT $3 FOR UPDATE SKIP LOCKED
) AND state IN ('queued', 'running') RETURNING RECORD
""")
_BEAT = """
UPDATE jobs SET beat_at = now(), counts = $3::jsonb
WHERE id = $1 AND node = $2 AND state = 'running' RETURNING abort_asked
"""
_END = _sql("""
UPDATE jobs SET state = $3, counts = $4::jsonb, error = $5, ended_at = now(), beat_at = now()
WHERE id = $1 AND node = $2 AND state = 'running' RETURNING RECORD
""")
_RELEASE = "UPDATE jobs SET state = 'queued', node = NULL WHERE node = $1 AND state = 'running'"
_ABORT = _sql("""
UPDATE jobs SET abort_asked = true,
    beat_at = CASE WHEN state = 'queued' THEN now() ELSE beat_at END,
    ended_at = CASE WHEN state = 'queued' THEN now() ELSE ended_at END,
    state = CASE WHEN state = 'queued' THEN 'aborted' ELSE state END
WHERE id = $1 AND state IN ('queued', 'running') RETURNING RECORD
""")
_SINCE = _sql("SELECT RECORD FROM jobs WHERE beat_at > $1 ORDER BY beat_at LIMIT 1000")
_FORGET = """
DELETE FROM jobs WHERE id IN (
    SELECT id FROM jobs WHERE state NOT IN ('queued', 'running') AND beat_at < $1
    ORDER BY beat_at LIMIT 1000
)
"""


_ALL_OPEN = _sql("""
SELECT RECORD FROM jobs WHERE state IN ('queued', 'running') ORDER BY created_at, id LIMIT $1
""")


class Jobs:
    """All jobs. Every method may raise Unavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add(self, new: NewJob) -> tuple[Job, bool]:
        """Ask for a job; whether it is new. Of a kind and target there is one at a time."""
        options = msgspec.json.encode(new.options).decode()
        with reaching():
            while True:
                row = await self._pool.fetchrow(
                    _ADD,
                    new.id,
                    new.kind,
                    new.account,
                    new.scope,
                    new.target,
                    options,
                    new.machine,
                )
                if row is not None:
                    return _job(row), True
                row = await self._pool.fetchrow(_OPEN_ONE, new.kind, new.target)
                if row is not None:
                    return _job(row), False
                # It ended between the two questions.

    async def get(self, job: str) -> Job | None:
        """A job by its id."""
        with reaching():
            row = await self._pool.fetchrow(_GET, storable(job))
        return None if row is None else _job(row)

    async def running(self, kind: str, target: str) -> Job | None:
        """The one that is under way."""
        with reaching():
            row = await self._pool.fetchrow(_OPEN_ONE, kind, storable(target))
        return None if row is None else _job(row)

    async def under_way(
        self, kinds: Sequence[str], account: str, scopes: Sequence[str], limit: int
    ) -> list[Job]:
        """Jobs of these kinds that an account began, or that are in one of the scopes."""
        with reaching():
            rows = await self._pool.fetch(_OPEN, list(kinds), account, list(scopes), limit)
        return [_job(row) for row in rows]

    async def all_under_way(self, limit: int) -> list[Job]:
        """Jobs that wait or are worked on, whoever began them, the oldest first."""
        with reaching():
            rows = await self._pool.fetch(_ALL_OPEN, limit)
        return [_job(row) for row in rows]

    async def count(self, account: str) -> int:
        """How many of an account are under way."""
        with reaching():
            found: int = await self._pool.fetchval(_COUNT, account)
        return found

    async def claim(
        self, node: str, silent_s: float, limit: int, machine: str | None = None
    ) -> list[Job]:
        """Take jobs that wait, and those of nodes that were not heard of for so long.

        Those that belong to a machine are left to its nodes.
        """
        with reaching():
            rows = await self._pool.fetch(_CLAIM, node, silent_s, limit, machine)
        return [_job(row) for row in rows]

    async def beat(self, job: str, node: str, counts: dict[str, int]) -> bool | None:
        """Say that it is worked on; whether it is to be aborted, None where it is not ours."""
        said = msgspec.json.encode(counts).decode()
        with reaching():
            found: bool | None = await self._pool.fetchval(_BEAT, job, node, said)
        return found

    async def end(
        self, job: str, node: str, state: str, counts: dict[str, int], error: str = ""
    ) -> Job | None:
        """It is over; None where it is not ours any more."""
        said = msgspec.json.encode(counts).decode()
        with reaching():
            row = await self._pool.fetchrow(_END, job, node, state, said, storable(error))
        return None if row is None else _job(row)

    async def release(self, node: str) -> None:
        """A node stops: its jobs wait for another."""
        with reaching():
            await self._pool.execute(_RELEASE, node)

    async def abort(self, job: str) -> Job | None:
        """Ask for a job's end; one that waits ends at once. None where it is over."""
        with reaching():
            row = await self._pool.fetchrow(_ABORT, job)
        return None if row is None else _job(row)

    async def since(self, moment: datetime) -> list[Job]:
        """Jobs of which anything was heard after a moment."""
        with reaching():
            rows = await self._pool.fetch(_SINCE, moment)
        return [_job(row) for row in rows]

    async def forget(self, before: datetime) -> None:
        """Remove what ended before a moment."""
        with reaching():
            await self._pool.execute(_FORGET, before)


def _job(row: asyncpg.Record) -> Job:
    values = dict(row)
    for name in ("options", "counts"):
        values[name] = msgspec.json.decode(values[name])
    return Job(**values)
