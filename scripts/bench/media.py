"""Pictures against vipsthumbnail, and files per second of a first and of a repeated scan.

    PYTHONPATH=. python scripts/bench/media.py [--pictures 60] [--files 10000]

Pictures: the same JPEGs of 12 megapixels through a helper and through `vipsthumbnail` (of
libvips-tools), to WebP of the same size and quality; CPU of all processes concerned, so that
what else the machine does counts less. A file is opened, sent to the helper and its picture comes
back; vipsthumbnail reads and writes files and is started once for all. Scans: a whole server on an
embedded PostgreSQL (fsync on), text files of a kilobyte in folders of a hundred.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import psutil
import pyvips
from nacl.signing import SigningKey

from scripts._load.dialect import post_json
from scripts._load.login import login
from server.media.work import SIZES, Job, Limits
from server.media.workshop import Workshop
from server.settings import Settings

LIMITS = Limits(
    pixels_max=150_000_000,
    frames_max=100,
    svg_bytes_max=4 << 20,
    cpu_s=20,
    output_bytes_max=8 << 20,
)


def main() -> None:
    """Print one line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pictures", type=int, default=60)
    parser.add_argument("--files", type=int, default=10_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="plait-bench-") as folder:
        Path(folder).chmod(0o755)
        if options.pictures:
            asyncio.run(pictures(Path(folder), options.pictures))
        if options.files:
            asyncio.run(scans(Path(folder), options.files))


# -- pictures --------------------------------------------------------------------------------


async def pictures(folder: Path, count: int) -> None:
    """Ours, then vipsthumbnail, of the same files."""
    sources = list(_photographs(folder / "photographs", count))
    workshop = Workshop(
        processes=1, waiting_max=10, memory_bytes=1536 << 20, timeout_s=60, limits=LIMITS
    )
    job = Job(task="still", limits=LIMITS, pixels=SIZES["medium"])
    await _made(workshop, job, sources[0])
    helper = psutil.Process(workshop.pids()[0])
    before, started = _cpu_s(helper), time.perf_counter()
    for source in sources:
        await _made(workshop, job, source)
    ours_s, ours_cpu = time.perf_counter() - started, _cpu_s(helper) - before
    workshop.close()
    print(f"pictures, ours: {count / ours_s:.1f} a second, {1000 * ours_cpu / count:.1f} ms CPU")
    program = shutil.which("vipsthumbnail")
    if program is None:
        print("pictures: vipsthumbnail is not installed (libvips-tools)")
        return
    words = [
        program,
        "--size",
        str(SIZES["medium"]),
        "-o",
        "%s.webp[Q=80,reduction-effort=3,strip]",
    ]
    before, started = _children_cpu_s(), time.perf_counter()
    await asyncio.to_thread(
        subprocess.run,
        [*words, "--eprofile", "srgb", *map(str, sources)],
        check=True,
        env={**os.environ, "VIPS_CONCURRENCY": "1"},
        capture_output=True,
    )
    theirs_s, theirs_cpu = time.perf_counter() - started, _children_cpu_s() - before
    print(
        f"pictures, vipsthumbnail: {count / theirs_s:.1f} a second, "
        f"{1000 * theirs_cpu / count:.1f} ms CPU; "
        f"ours takes {ours_cpu / theirs_cpu:.2f} times its CPU"
    )


def _photographs(folder: Path, count: int) -> Iterator[Path]:
    folder.mkdir()
    noise = pyvips.Image.gaussnoise(1000, 750, sigma=40, mean=128).resize(4)
    image = noise.bandjoin([noise.flip("horizontal"), noise.flip("vertical")]).cast("uchar")
    image.copy(interpretation="srgb").jpegsave(str(folder / "0.jpg"), Q=85)
    yield folder / "0.jpg"
    for number in range(1, count):
        shutil.copy(folder / "0.jpg", folder / f"{number}.jpg")
        yield folder / f"{number}.jpg"


async def _made(workshop: Workshop, job: Job, source: Path) -> None:
    file = os.open(source, os.O_RDONLY)
    try:
        await workshop.do(job, file)
    finally:
        os.close(file)


def _cpu_s(helper: psutil.Process) -> float:
    """The helper's CPU, and what we spend on it."""
    theirs, ours = helper.cpu_times(), resource.getrusage(resource.RUSAGE_SELF)
    return float(theirs.user + theirs.system) + ours.ru_utime + ours.ru_stime


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


# -- scans -----------------------------------------------------------------------------------


async def scans(folder: Path, count: int) -> None:
    """A first scan, a repeated one, and one after a single change."""
    from server.app import Server  # noqa: PLC0415 (pictures need no server)
    from server.scanning.desk import DESK  # noqa: PLC0415

    root = folder / "root"
    for number in range(count):
        path = root / f"{number // 100:04}" / f"{number:06}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{number} " * 128)
    server = Server(Settings(port=0, data=folder / "data"))
    await server.start()
    try:
        app = server.app
        assert app is not None
        account, scope = await _person(server.address)
        await app[DESK].scans.set_root(account, str(root.resolve()))
        for what in ("first", "repeated", "after one change"):
            if what == "after one change":
                (root / "0000" / "000000.txt").write_text("changed")
            with _timed(f"scan, {what}", count):
                job, _ = await app[DESK].jobs.ask("scan", account, scope, str(root.resolve()))
                ended = await app[DESK].jobs.ended(job.id)
            assert ended is not None
            assert ended.state == "completed", ended.error
            print(f"    {ended.counts}")
    finally:
        await server.stop()


async def _person(url: str) -> tuple[str, str]:
    """A new account and its workspace."""
    known = await asyncio.to_thread(login, url, SigningKey.generate())
    me = await asyncio.to_thread(post_json, f"{url}/api/me", {}, known.access_token)
    return me["user_id"], known.workspace_id


@contextmanager
def _timed(what: str, count: int) -> Iterator[None]:
    started, before = time.perf_counter(), time.process_time()
    yield
    took, cpu = time.perf_counter() - started, time.process_time() - before
    print(f"{what}: {count / took:.0f} files a second, {took:.2f} s, {cpu:.2f} s CPU of the server")


if __name__ == "__main__":
    main()
