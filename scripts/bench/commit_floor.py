"""What a commit costs: our process and PostgreSQL, in microseconds of CPU per row.

    python scripts/bench/commit_floor.py [--dsn URL] [--seconds 2] [--core 0]

Without a URL it starts an embedded PostgreSQL with its defaults (fsync on) in a temporary folder;
both run on one core. Each line of the first table keeps so many rows unsaved, spread over so many
documents, and appends one more for each one that is acknowledged; "alone" waits for each row before
the next. The second table is the floor below: bare asyncpg, and several ways to commit many rows at
once (`commit_ways.py`).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
import uuid
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import asyncpg
import uvloop

from scripts.bench import commit_ways
from storage.log import Fenced, Flusher, Row, Stored
from storage.migrate import migrate
from storage.pool import close_pool, open_pool
from storage.postgres import Embedded

ACCOUNT = "01J8ZQ4T9Y3K8M2N5P7R9S1T3V"
CASES = (
    ("alone", 1, 1),
    ("100 unsaved, 1 document", 100, 1),
    ("100 unsaved, 100 documents", 100, 100),
    ("400 unsaved, 200 documents", 400, 200),
    ("2000 unsaved, 50 documents", 2000, 50),
)
HEAD = """
| by the flusher | rows/s | rows a commit | p50 ms | p99 ms | us a row here | PostgreSQL | append |
|---|---|---|---|---|---|---|---|"""


def postgres_cpu_s(postmaster: psutil.Process) -> float:
    """CPU seconds of one PostgreSQL: its postmaster and all its children, ended ones too."""
    own = postmaster.cpu_times()
    total = own.user + own.system + own.children_user + own.children_system
    for process in postmaster.children(recursive=True):
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system
    return total


async def find_postmaster(dsn: str) -> psutil.Process:
    """The parent of the backend that serves us; the database must be on this machine."""
    connection = await asyncpg.connect(dsn)
    parent = psutil.Process(connection.get_server_pid()).parent()
    await connection.close()
    assert parent is not None
    return parent


async def make_documents(dsn: str, count: int) -> list[uuid.UUID]:
    """New empty documents in a scope of their own."""
    connection = await asyncpg.connect(dsn)
    scope = uuid.uuid4().hex
    ids = [uuid.uuid4() for _ in range(count)]
    await connection.execute("INSERT INTO scopes (id) VALUES ($1)", scope)
    await connection.execute(
        "INSERT INTO documents (id, scope, name) SELECT i, $2, i::text FROM unnest($1::uuid[]) i",
        ids, scope,
    )  # fmt: skip
    await connection.execute(
        "INSERT INTO heads (document, scope) SELECT i, $2 FROM unnest($1::uuid[]) i", ids, scope
    )
    ids = [
        row[0] for row in await connection.fetch("SELECT id FROM documents WHERE scope = $1", scope)
    ]
    await connection.close()
    return ids


async def measure(dsn: str, unsaved: int, documents: int, seconds: float) -> str:
    """Run one case and word its line."""
    ids = await make_documents(dsn, documents)
    postmaster = await find_postmaster(dsn)
    flusher = Flusher(dsn)
    await flusher.start()
    row = Row(os.urandom(100), ACCOUNT, ACCOUNT, time.time())
    over = asyncio.Event()
    waits: list[float] = []
    ending = time.perf_counter() + seconds
    spent = 0.0
    calls = 0

    def send(document: uuid.UUID) -> None:
        nonlocal spent, calls
        begun = time.perf_counter()

        def done(told: Stored | Fenced) -> None:
            assert isinstance(told, Stored)
            now = time.perf_counter()
            waits.append(now - begun)
            if now < ending:
                send(document)
            elif not flusher.unsaved_rows:
                over.set()

        before = time.perf_counter()
        flusher.append(document, 1, [row], done)
        spent += time.perf_counter() - before
        calls += 1

    pg, cpu, started = postgres_cpu_s(postmaster), time.process_time(), time.perf_counter()
    for number in range(unsaved):
        send(ids[number % documents])
    await over.wait()
    elapsed, cpu = time.perf_counter() - started, time.process_time() - cpu
    pg = postgres_cpu_s(postmaster) - pg
    await flusher.close()
    commits = flusher.statistics.commits
    return line_of(sorted(waits), elapsed, commits, cpu, pg) + f" {spent / calls * 1e6:.2f} |"


def line_of(waits: list[float], elapsed: float, commits: int, cpu: float, pg: float) -> str:
    """Rows a second, rows a commit, latencies, CPU per row here and there."""
    rows = len(waits)
    return (
        f"{rows / elapsed:,.0f} | {rows / commits:.1f} | "
        f"{waits[rows // 2] * 1e3:.2f} | {waits[rows * 99 // 100] * 1e3:.2f} | "
        f"{cpu / rows * 1e6:.1f} | {pg / rows * 1e6:.1f} |"
    )


async def run(dsn: str, seconds: float) -> None:
    """Bring the database up to date and print both tables."""
    pool = await open_pool(dsn)
    await migrate(pool)
    await close_pool(pool)
    print(HEAD)
    await measure(dsn, 100, 100, 0.3)
    for name, unsaved, documents in CASES:
        print(f"| {name} | {await measure(dsn, unsaved, documents, seconds)}", flush=True)
    ids = await make_documents(dsn, commit_ways.DOCUMENTS)
    await commit_ways.compare(dsn, (await find_postmaster(dsn)).pid, ids, seconds)


async def main() -> None:
    """Read the options; start a PostgreSQL when none is given."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dsn")
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--core", type=int, default=0, help="core of this and PostgreSQL (0)")
    options = parser.parse_args()
    os.sched_setaffinity(0, {options.core})  # Before PostgreSQL starts below.
    if options.dsn:
        await run(options.dsn, options.seconds)
        return
    with tempfile.TemporaryDirectory(prefix="plait-bench-") as folder:
        os.chmod(folder, 0o755)  # noqa: PTH101, S103 - for PostgreSQL's user
        embedded = Embedded(Path(folder))
        await embedded.start()
        try:
            await run(embedded.dsn, options.seconds)
        finally:
            await embedded.stop()


if __name__ == "__main__":
    uvloop.run(main())
