"""A published site of thousands of notes: syncs, pages cold and kept, and what one change costs.

    PYTHONPATH=. python scripts/bench/sites.py [--notes 5000] [--small 500]

A whole server on an embedded PostgreSQL (fsync on) is published to as the command line does it: a
manifest, then each file on its own. Notes have about 2 kB with three links each. CPU is that of the
server, its helpers and its PostgreSQL together, for each request, with what is done behind it.
Predicted: a page that is kept costs a millisecond; one changed file costs the same in a small site
and in a large one, but for the look through the list of files.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import aiohttp
import psutil

from scripts._load.dialect import post_json
from scripts._load.login import login

_HOME = Path(__file__).resolve().parents[2]
_WORDS = ("lamp", "tide", "harbour", "fog", "signal", "keeper", "storm", "log", "watch", "reef")


def main() -> None:
    """Print one line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--notes", type=int, default=5000)
    parser.add_argument("--small", type=int, default=500)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="plait-bench-") as folder:
        Path(folder).chmod(0o755)
        asyncio.run(run(Path(folder), [options.small, options.notes]))


async def run(folder: Path, sizes: list[int]) -> None:
    """Publish, read and change a site of each size; then read the large one after a restart."""
    async with served(folder) as bench:
        await bench.enter()
        for size in sizes:
            await bench.publish(size)
            await bench.manifests(size)
            await bench.pages(size)
            await bench.change(size)
    async with served(folder) as bench:
        await bench.again(sizes[-1])


def note(number: int, count: int, more: str = "") -> bytes:
    """A note of about 2 kB with three links."""
    words = " ".join(_WORDS[(number * 7 + place) % 10] for place in range(300))
    links = f"[[note {number // 2}]] [[note {number * 7 % count}]] [there](note%20{number // 3}.md)"
    lines = [words[at : at + 100] for at in range(0, len(words), 100)]
    return f"# Note {number}\n\n{links}\n\n## Words\n\n{chr(10).join(lines)}\n{more}".encode()


class Bench:
    """A server, somebody who publishes, and the processes whose CPU is counted."""

    def __init__(self, url: str, process: psutil.Process) -> None:
        self.url = url
        self._process = process
        self._known: dict[int, tuple[bool, float]] = {}
        self.http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=8))
        self._bearer: dict[str, str] = {}
        self.site = ""

    def cpu_s(self) -> tuple[float, float]:
        """CPU of the server with its helpers, and of PostgreSQL; what ended included."""
        for each in [self._process, *self._process.children(recursive=True)]:
            try:
                times = each.cpu_times()
                is_postgres = each.name().startswith("postgres")
            except psutil.Error:
                continue
            self._known[each.pid] = (is_postgres, times.user + times.system)
        postgres = sum(used for is_postgres, used in self._known.values() if is_postgres)
        return sum(used for _, used in self._known.values()) - postgres, postgres

    @asynccontextmanager
    async def timed(self, what: str, count: int) -> AsyncIterator[None]:
        """Say what each of `count` pieces of work costs."""
        before, started = self.cpu_s(), time.perf_counter()
        yield
        took_s, after = time.perf_counter() - started, self.cpu_s()
        each = 1000 / count
        server, postgres = (each * (b - a) for a, b in zip(before, after, strict=True))
        cpu = f"{server:.2f} ms of CPU, PostgreSQL {postgres:.2f}"
        print(f"{what}: {took_s * each:.2f} ms, {cpu}", flush=True)

    async def enter(self) -> None:
        """Make an account with a username and a token."""
        known = await asyncio.to_thread(login, self.url)
        body = {"name": "bench", "scopes": ["flowershow:write"]}
        made = await asyncio.to_thread(
            post_json, f"{self.url}/api/access-tokens", body, known.access_token
        )
        self._bearer = {"Authorization": f"Bearer {made['token']}"}
        await self.ask("PATCH", "/api/user", json={"username": "ada"})

    async def ask(self, method: str, path: str, **more: Any) -> Any:  # noqa: ANN401
        """An API call, which must succeed."""
        async with self.http.request(
            method, self.url + path, headers=self._bearer, **more
        ) as answer:
            assert answer.status < 300, (path, answer.status, await answer.text())
            return await answer.json()

    async def sync(self, files: dict[str, bytes], *, whole: bool) -> int:
        """Send a manifest and what is asked for; how many files that was."""
        rows = [
            {
                "path": path,
                "size": len(data),
                "sha": sha1(data),
            }
            for path, data in files.items()
        ]
        wanted = []
        if whole and len(rows) <= 1000:
            found = await self.ask("POST", f"/api/sites/id/{self.site}/sync", json={"files": rows})
            wanted = found["toUpload"] + found["toUpdate"]
        else:
            for start in range(0, len(rows), 1000):
                part = {"files": rows[start : start + 1000]}
                found = await self.ask("POST", f"/api/sites/id/{self.site}/files", json=part)
                wanted += found["files"]

        await gather([lambda each=each: self.put(each, files[each["path"]]) for each in wanted])
        return len(wanted)

    async def put(self, target: dict[str, str], data: bytes) -> None:
        """Bring the bytes of a file."""
        headers = {"Content-Type": target["contentType"]}
        async with self.http.put(target["uploadUrl"], data=data, headers=headers) as answer:
            assert answer.status < 300, await answer.text()

    async def publish(self, count: int) -> None:
        """A new site of so many notes."""
        made = await self.ask("POST", "/api/sites", json={"projectName": f"n{count}"})
        self.site = made["site"]["id"]
        files = folder_of(count)
        async with self.timed(f"{count} notes, first publication, a file", count):
            await self.sync(files, whole=False)

    async def read(self, path: str, **headers: str) -> tuple[int, str]:
        """A page of the site, as a reader gets it."""
        port = self.url.rpartition(":")[2]
        host = {"Host": f"sites.localhost:{port}", **headers}
        async with self.http.get(f"{self.url}/@ada/{path}", headers=host) as answer:
            await answer.read()
            return answer.status, answer.headers.get("ETag", "")

    async def pages(self, count: int) -> None:
        """The first page, pages never seen, pages kept, pages that the reader has."""
        async with self.timed(f"{count} notes, the very first page", 1):
            assert (await self.read(f"n{count}"))[0] == 200
        paths = [f"n{count}/f{number % 50}/note+{number}" for number in range(100)]
        async with self.timed(f"{count} notes, a page cold", len(paths)):
            for path in paths:
                assert (await self.read(path))[0] == 200
        async with self.timed(f"{count} notes, a page kept", len(paths) * 5):
            for path in paths * 5:
                await self.read(path)
        _, tag = await self.read(paths[0])
        async with self.timed(f"{count} notes, a page that the reader has (304)", 300):
            for _ in range(300):
                assert (await self.read(paths[0], **{"If-None-Match": tag}))[0] == 304

    async def change(self, count: int) -> None:
        """One file is published anew, with another title, and read, twenty times."""
        async with self.timed(f"{count} notes, one changed file published", 20):
            for turn in range(20):
                file = {"f7/note 7.md": note(7, count, f"\nTurn {turn}, [[note {turn}]]\n")}
                await self.sync(file, whole=False)
        async with self.timed(f"{count} notes, the same, and its page read", 20):
            for turn in range(20):
                text = note(7, count, f"\nAgain {turn}, [[note {turn}]]\n")
                await self.sync(
                    {"f7/note 7.md": text.replace(b"# Note", b"# N%d" % turn)}, whole=False
                )
                assert (await self.read(f"n{count}/f7/note+7"))[0] == 200

    async def manifests(self, count: int) -> None:
        """The whole folder's manifest: nothing changed, then one file."""
        files = folder_of(count)
        rows = {
            path: {"path": path, "size": len(data), "sha": sha1(data)}
            for path, data in files.items()
        }
        sync = f"/api/sites/id/{self.site}/sync"
        async with self.timed(f"{count} notes, a whole sync, nothing changed", 5):
            for _ in range(5):
                found = await self.ask("POST", sync, json={"files": list(rows.values())})
                assert found["summary"]["unchanged"] == len(rows), found["summary"]
        async with self.timed(f"{count} notes, a whole sync, one file changed", 5):
            for turn in range(5):
                data = note(7, count, f"\nSynced {turn}\n")
                rows["f7/note 7.md"] |= {"size": len(data), "sha": sha1(data)}
                found = await self.ask("POST", sync, json={"files": list(rows.values())})
                (target,) = found["toUpdate"]
                await self.put(target, data)

    async def again(self, count: int) -> None:
        """The first page of a server that was started anew."""
        async with self.timed(f"{count} notes, the first page after a restart", 1):
            assert (await self.read(f"n{count}"))[0] == 200


def sha1(data: bytes) -> str:
    """What the command line calls bytes."""
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


def folder_of(count: int) -> dict[str, bytes]:
    """A folder of so many notes, and a first page."""
    files = {f"f{number % 50}/note {number}.md": note(number, count) for number in range(count)}
    files["index.md"] = b"# Home\n\n[[note 1]]\n"
    return files


async def gather(work: list[Callable[[], Any]]) -> None:
    """Do all of it, eight at a time."""
    rest = iter(work)

    async def worker() -> None:
        for each in rest:
            await each()

    await asyncio.gather(*(worker() for _ in range(8)))


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[Bench]:
    """A server on a folder, in a process of its own."""
    words = ["--port", "0", "--data", str(folder / "data")]
    process = subprocess.Popen(  # noqa: ASYNC220 (a bench may wait)
        [sys.executable, "-P", "-m", "server", *words],
        cwd=_HOME,
        env={**os.environ, "PYTHONPATH": str(_HOME)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = await asyncio.to_thread(process.stdout.readline)
        bench = Bench(line.split()[-1], psutil.Process(process.pid))
        try:
            yield bench
        finally:
            await bench.http.close()
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 60)


if __name__ == "__main__":
    main()
