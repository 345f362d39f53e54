"""The embedded PostgreSQL: starts, is private, comes back when it dies, goes when we go."""

import asyncio
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import psutil
import pytest

from storage.pool import close_pool, open_pool
from storage.postgres import Embedded, EmbeddedError
from storage.remains import processes_of
from tests.patience import PATIENCE_S

QUICK = {"fsync": "off"}
PROGRAM = """
import asyncio, sys
from pathlib import Path
from storage.postgres import Embedded

async def main():
    embedded = Embedded(Path(sys.argv[1]), options={"fsync": "off"})
    await embedded.start()
    print(embedded.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder with a cluster in it, for the tests that need no first start."""
    data = tmp_path_factory.mktemp("prepared")
    asyncio.run(_start_and_stop(data))
    yield data
    shutil.rmtree(data)


async def _start_and_stop(data: Path) -> None:
    async with _running(data):
        pass


@asynccontextmanager
async def _running(data: Path, **options: str) -> AsyncIterator[Embedded]:
    embedded = Embedded(data, options={**QUICK, **options})
    await embedded.start()
    try:
        yield embedded
    finally:
        await embedded.stop()


async def _ask(embedded: Embedded, sql: str) -> object:
    connection = await asyncpg.connect(embedded.dsn)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def _until_restarted(embedded: Embedded, restarts: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while embedded.restarts < restarts or embedded.failing:
            await embedded.changed()


def _wait_for_end(pid: int, seconds: float) -> bool:
    """Whether a process that is not our child ended in time; told by the kernel, not asked."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    ended, _, _ = select.select([handle], [], [], seconds)
    os.close(handle)
    return bool(ended)


async def test_the_first_start_makes_the_cluster_and_later_ones_keep_it(tmp_path: Path) -> None:
    """Rows are there after a stop and a start, in UTF-8 and the same collation everywhere."""
    async with _running(tmp_path) as embedded:
        await _ask(embedded, "create table t as select 'größe' as word")
        collation = await _ask(embedded, "select datlocale from pg_database limit 1")
    async with _running(tmp_path) as embedded:
        word = await _ask(embedded, "select word from t")

    assert (word, collation) == ("größe", "C.UTF-8")


async def test_it_is_reachable_by_nobody_else(prepared: Path) -> None:
    """No TCP port, a socket in a private folder, an ordinary user, and names are checked."""
    async with _running(prepared) as embedded:
        process = psutil.Process(embedded.pid)
        sockets = await _ask(embedded, "show unix_socket_directories")
        rules = await _ask(embedded, "select string_agg(auth_method, ',') from pg_hba_file_rules")

        assert process.net_connections("tcp") == []
        assert process.uids().effective != 0
        assert Path(str(sockets)).stat().st_mode & 0o777 == 0o700
        assert rules == "peer"


async def test_durability_is_on_unless_a_test_turns_it_off(prepared: Path) -> None:
    """The defaults wait for the disk at every commit."""
    embedded = Embedded(prepared)
    await embedded.start()
    names = ("fsync", "synchronous_commit", "full_page_writes", "data_checksums")

    values = [await _ask(embedded, f"show {name}") for name in names]
    await embedded.stop()

    assert values == ["on", "on", "on", "on"]


async def test_a_second_server_on_the_same_data_is_refused(prepared: Path) -> None:
    """It is told who serves the folder, and the first goes on undisturbed."""
    async with _running(prepared) as first:
        with pytest.raises(EmbeddedError, match=rf"another Plait \(process {os.getpid()}\)"):
            await Embedded(prepared).start()

        assert await _ask(first, "select 1") == 1


async def test_a_killed_postgresql_comes_back_by_itself(prepared: Path) -> None:
    """After SIGKILL the same pool works again, with every committed row, and nobody was asked."""
    async with _running(prepared) as embedded:
        pool = await open_pool(embedded.dsn)
        await pool.execute("create table kept (n int)")
        for round_ in (1, 2):
            await pool.execute("insert into kept values ($1)", round_)
            assert embedded.pid is not None
            os.kill(embedded.pid, signal.SIGKILL)

            await _until_restarted(embedded, round_)

            assert await pool.fetchval("select count(*) from kept") == round_
        await close_pool(pool)


async def test_it_comes_back_when_what_hindered_it_is_gone(prepared: Path) -> None:
    """While the start fails it says why and tries again; then the next try succeeds."""
    async with _running(prepared) as embedded:
        assert embedded.pid is not None
        hidden = prepared / "hidden"
        (prepared / "postgres").rename(hidden)
        os.kill(embedded.pid, signal.SIGKILL)
        async with asyncio.timeout(PATIENCE_S):
            while "cannot start" not in (embedded.failing or ""):
                await embedded.changed()

        hidden.rename(prepared / "postgres")
        await _until_restarted(embedded, 1)

        assert await _ask(embedded, "select 1") == 1


async def test_a_start_that_fails_says_why_and_leaves_the_folder_free(prepared: Path) -> None:
    """PostgreSQL's own sentence reaches the operator; after mending it the next start works."""
    with pytest.raises(EmbeddedError, match=r"did not start: .*max_connections"):
        await Embedded(prepared, options={"max_connections": "none"}).start()

    async with _running(prepared) as embedded:
        assert await _ask(embedded, "select 1") == 1


async def test_stopping_leaves_nothing(prepared: Path) -> None:
    """Even one that was frozen goes, and stopping again does no harm."""
    embedded = Embedded(prepared, options=QUICK)
    await embedded.start()
    process = psutil.Process(embedded.pid)
    family = [process, *process.children()]
    sockets = Path(str(await _ask(embedded, "show unix_socket_directories")))
    for member in family:
        member.suspend()

    await embedded.stop()
    await embedded.stop()

    assert not any(member.is_running() for member in family)
    assert not sockets.exists()
    assert (embedded.pid, embedded.failing) == (None, "stopped")


async def test_it_goes_when_its_parent_is_killed(prepared: Path) -> None:
    """After kill -9 of the server nothing is left, and the next start needs no help."""
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", PROGRAM, str(prepared)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environ) as server:
        assert server.stdout is not None
        pid = int(server.stdout.readline())
        server.kill()

    async with _running(prepared) as embedded:  # At once: it waits for the shutdown that goes on.
        assert await _ask(embedded, "select 1") == 1
    assert _wait_for_end(pid, PATIENCE_S)


async def test_a_frozen_orphan_does_not_hinder_the_next_start(prepared: Path) -> None:
    """Server killed while its PostgreSQL is frozen: the next one wakes it, waits, and serves."""
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", PROGRAM, str(prepared)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environ) as server:
        assert server.stdout is not None
        postmaster = psutil.Process(int(server.stdout.readline()))
        for process in (postmaster, *postmaster.children()):
            process.suspend()
        server.kill()

    async with _running(prepared) as embedded:
        assert await _ask(embedded, "select 1") == 1
    assert processes_of(prepared / "postgres") == []


async def test_its_log_is_bounded(prepared: Path) -> None:
    """However much PostgreSQL complains, two files of about 1 MiB are kept."""
    async with _running(prepared) as embedded:
        await _ask(
            embedded,
            "do $$ begin for i in 1..40 loop raise log '%', repeat('x', 100000); end loop; end $$",
        )
    sizes = [path.stat().st_size for path in prepared.glob("postgres.log*")]

    assert len(sizes) == 2
    assert max(sizes) < 1.2 * (1 << 20)
