"""What files cost: up, down and in ranges, beside the least that aiohttp needs for the same.

    python scripts/bench/files.py [--mib 512] [--repeat 3] [--core 0] [--json FILE]

Ours hashes, flushes to the disk, checks who asks and notes it in PostgreSQL; the bare handler
writes what comes into a file (`peers/bare_files_server.py`). Both run on one core, curl on the
other, in turn; the median of the runs counts. CPU is the server's own, of all its threads, for a
gibibyte; that of PostgreSQL is too small to show. The file is in the page cache for all of them.

Ranges of 64 KiB are asked one after the other over one connection, not by curl: how many a second,
and the CPU of each, there with PostgreSQL's.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from crdt.ids import make_ulid
from scripts._load.login import login
from scripts._load.probe import Probe
from scripts.bench.rest_servers import serving

BARE = Path(__file__).parent / "peers" / "bare_files_server.py"
MIB = 1 << 20
CHUNK = 32 * MIB
RANGE = 64 * 1024
RANGES = 3000

Figures = dict[str, float]


def curl(*options: str) -> bytes:
    """What curl gets; anything but a 2xx ends the bench."""
    return subprocess.run(
        ["curl", "-sS", "--fail-with-body", "-H", "Expect:", *options],
        check=True, stdout=subprocess.PIPE,
    ).stdout  # fmt: skip


def timed(pid: int, size: int, work: Callable[[], object]) -> Figures:
    """Rate and CPU of one transfer; what helper processes do behind it is not counted."""
    cpu, started = _cpu_s(pid), time.monotonic()
    work()
    seconds, used_s = time.monotonic() - started, _cpu_s(pid) - cpu
    return {"mb_per_s": size / 1e6 / seconds, "cpu_s_per_gib": used_s * (1 << 30) / size}


def _cpu_s(pid: int) -> float:
    """What all threads of a process used, those too that ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def parts_of(file: Path) -> list[Path]:
    """The chunks of a file, as files beside it."""
    parts = [file.with_name(f"part{n}") for n in range(file.stat().st_size // CHUNK)]
    with file.open("rb") as whole:
        for part in parts:
            part.write_bytes(whole.read(CHUNK))
    return parts


def ranges_of(pid: int, file: Path, url: str, headers: dict[str, str]) -> Figures:
    """Ranges anywhere in a file, over one connection; the last is compared with the file."""
    where, size = urllib.parse.urlsplit(url), file.stat().st_size
    chance = random.Random(1)  # noqa: S311 - the same places for both sides
    connection = http.client.HTTPConnection(where.netloc)
    probe, data, start = Probe(pid), b"", 0

    def ask() -> bytes:
        asked = {**headers, "Range": f"bytes={start}-{start + RANGE - 1}"}
        connection.request("GET", where.path, headers=asked)
        with connection.getresponse() as answer:
            assert answer.status == 206, answer.status
            return answer.read()

    ask()
    cpu, started = probe.cpu(), time.monotonic()
    for _ in range(RANGES):
        start = chance.randrange(size - RANGE)
        data = ask()
    seconds, used = time.monotonic() - started, probe.cpu().since(cpu)
    connection.close()
    with file.open("rb") as whole:
        whole.seek(start)
        assert whole.read(RANGE) == data
    each = RANGES / 1e6
    return {
        "per_s": RANGES / seconds,
        "cpu_us": (used.server + used.postgres) / each,
        "postgres_us": used.postgres / each,
    }


class Ours:
    """Plait, as a client of its API uses it: another block and other bytes each time."""

    def __init__(self, url: str, pid: int, file: Path) -> None:
        self._who = login(url)
        self._url, self._file, self._pid = url, file, pid
        self._size = file.stat().st_size
        self._block = self._hash = ""

    def _path(self, step: str, rest: str = "") -> str:
        return f"{self._url}/api/upload/{step}/{self._who.workspace_id}/{self._block}{rest}"

    def _ask(self, *options: str) -> Any:  # noqa: ANN401 - JSON
        bearer = f"Authorization: Bearer {self._who.access_token}"
        return json.loads(curl("-H", bearer, *options))

    def _renew(self) -> None:
        """Other bytes, so that nothing is known by its hash; another block."""
        self._who = login(self._url)
        with self._file.open("r+b") as file:
            file.write(secrets.token_bytes(16))
        with self._file.open("rb") as file:
            sha = sha256()
            while piece := file.read(MIB):
                sha.update(piece)
        self._hash = sha.hexdigest()
        self._block = make_ulid(int(time.time() * 1000), secrets.token_bytes(10))

    def form(self) -> Figures:
        """Up by a form in one go."""
        self._renew()
        fields = ("-F", f"hash={self._hash}", "-F", f"file=@{self._file}")
        return timed(self._pid, self._size, lambda: self._ask(*fields, self._path("file")))

    def chunks(self) -> Figures:
        """Up in chunks, one after the other, and made one file of."""
        self._renew()
        parts = parts_of(self._file)

        def send() -> None:
            begin = {"hash": self._hash, "file_size": self._size, "chunk_size": CHUNK}
            self._ask("-d", json.dumps(begin), self._path("init"))
            for index, part in enumerate(parts):
                self._ask("-T", str(part), self._path("chunk", f"/{self._hash}/{index}"))
            self._ask("-X", "POST", self._path("complete", f"/{self._hash}"))

        return timed(self._pid, self._size, send)

    def down(self) -> Figures:
        """Down, whole."""
        bearer = f"Authorization: Bearer {self._who.access_token}"
        return timed(
            self._pid, self._size, lambda: curl("-H", bearer, "-o", "/dev/null", self._stream())
        )

    def range(self) -> Figures:
        """Down, in pieces from anywhere."""
        bearer = {"Authorization": f"Bearer {self._who.access_token}"}
        return ranges_of(self._pid, self._file, self._stream(), bearer)

    def _stream(self) -> str:
        return f"{self._url}/api/stream/{self._block}/x"


class Bare:
    """The bare handler."""

    def __init__(self, url: str, pid: int, file: Path) -> None:
        self._url, self._file, self._pid = url, file, pid
        self._size = file.stat().st_size

    def form(self) -> Figures:
        """Up by a form."""
        return timed(
            self._pid, self._size, lambda: curl("-F", f"file=@{self._file}", f"{self._url}/form")
        )

    def chunks(self) -> Figures:
        """Up in chunks, one after the other, and joined."""
        parts = parts_of(self._file)

        def send() -> None:
            for index, part in enumerate(parts):
                curl("-T", str(part), f"{self._url}/chunk/{index}")
            curl("-X", "POST", f"{self._url}/complete")

        return timed(self._pid, self._size, send)

    def down(self) -> Figures:
        """Down, whole."""
        return timed(self._pid, self._size, lambda: curl("-o", "/dev/null", f"{self._url}/file"))

    def range(self) -> Figures:
        """Down, in pieces from anywhere."""
        return ranges_of(self._pid, self._file, f"{self._url}/file", {})


@contextmanager
def bare(core: int, folder: Path) -> Iterator[tuple[str, int]]:
    """The bare handler, running: its address and process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, str(BARE), str(port), str(folder)])
    os.sched_setaffinity(process.pid, {core})
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(url + "/none")  # noqa: S310 - our own
            except urllib.error.HTTPError:
                break
            except OSError:
                time.sleep(0.05)
        yield url, process.pid
    finally:
        process.terminate()
        process.wait(30)


def run(options: argparse.Namespace, folder: Path) -> dict[str, dict[str, Figures]]:
    """All rows: ours and the bare handler's in turn."""
    file = folder / "file.bin"
    with file.open("wb") as out:
        for _ in range(options.mib):
            out.write(secrets.token_bytes(MIB))
    rows: dict[str, dict[str, Figures]] = {}
    print(HEAD)
    place = folder / "bare"
    place.mkdir()
    with serving(options.core) as ours, bare(options.core, place) as other:
        os.sched_setaffinity(0, set(range(os.cpu_count() or 1)) - {options.core} or {0})
        sides = {"ours": Ours(*ours, file), "bare": Bare(*other, file)}
        for row in ("form", "chunks", "down", "range"):
            runs: dict[str, list[Figures]] = {side: [] for side in sides}
            for _ in range(options.repeat):
                for side, it in sides.items():
                    runs[side].append(getattr(it, row)())
            rows[row] = {
                side: {key: statistics.median(one[key] for one in found) for key in found[0]}
                for side, found in runs.items()
            }
            say(row, rows[row])
    return rows


HEAD = """
| | Plait | CPU | bare | CPU | ratio of rates | of CPU |
|---|---|---|---|---|---|---|"""


def say(row: str, sides: dict[str, Figures]) -> None:
    """One line of the table: the rate and the CPU of either side."""
    (rate, cpu, *rest), (other_rate, other_cpu, *_) = (
        tuple(one.values()) for one in sides.values()
    )
    rates, costs, digits = ("requests/s", "us each", 0) if rest else ("MB/s", "s a GiB", 2)
    costs += "".join(f", {one:.0f} of them PostgreSQL's" for one in rest)
    print(
        f"| {row} | {rate:,.0f} {rates} | {cpu:.{digits}f} {costs} | {other_rate:,.0f} "
        f"| {other_cpu:.{digits}f} | {rate / other_rate:.2f} | {cpu / other_cpu:.2f} |",
        flush=True,
    )


def main() -> None:
    """Run all rows and print them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mib", type=int, default=512, help="size of the file (512)")
    parser.add_argument("--repeat", type=int, default=3, help="runs; the median counts (3)")
    parser.add_argument("--core", type=int, default=0, help="core of the servers (0)")
    parser.add_argument("--json", metavar="FILE", help="write all figures as JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="plait-files-") as folder:
        rows = run(options, Path(folder))
    if options.json:
        Path(options.json).write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
