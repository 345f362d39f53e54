"""scripts/soak: people come and go without end; afterwards nothing of them may be left.

A server of its own is started, churned for a while to be warm, and left alone until it is empty:
that is the base line. Then the churn proper, and rest again. Memory, tasks, loaded documents,
sessions, connections and file handles must be back. Exit 1 where one is not.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pycrdt

from crdt import wire

from ._load.login import login

ROOT = Path(__file__).resolve().parents[1]
READY = "Plait is ready at "
START_S_MAX, REST_S_MAX = 60.0, 120.0
DOCUMENTS = 40
BARS = " ▁▂▃▄▅▆▇█"
ALLOWED = {"tasks": 3, "handles": 8, "rooms": 0, "sessions": 0, "connections": 0}
"""How far above the base line each may end."""
MEMORY_SHARE, MEMORY_MB = 0.10, 24.0
"""Likewise the memory: allocators keep what they once had, within this."""


@dataclass(frozen=True)
class Sample:
    """What a server holds at one moment."""

    at_s: float
    memory_mb: float
    handles: int
    tasks: int
    rooms: int
    sessions: int
    connections: int


class Soaked:
    """The server that is soaked."""

    def __init__(self, folder: Path) -> None:
        self._started = time.monotonic()
        command = [sys.executable, "-P", "-m", "server"]
        settings = {
            "PORT": "0", "DATA": str(folder / "data"), "ROOM_IDLE_S": "1", "LOG_LEVEL": "error",
            "LOGIN_ATTEMPTS_PER_MINUTE": "100000", "COMPACT_ROWS": "200",
        }  # fmt: skip
        kept = {k: v for k, v in os.environ.items() if not k.startswith("PLAIT_")}
        given = {f"PLAIT_{name}": value for name, value in settings.items()}
        self.process = subprocess.Popen(
            command,
            env={**kept, **given, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.startswith(READY):
            self.stop()
            sys.exit("scripts/soak: the server did not start")
        self.url = line.removeprefix(READY).strip()

    def stop(self) -> None:
        """End it."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()

    async def sample(self, http: aiohttp.ClientSession) -> Sample:
        """What it holds now."""
        async with http.get("/api/health") as answer:
            told = (await answer.json())["diagnostics"]["realtime"]
        memory, handles = _held(self.process.pid)
        return Sample(
            at_s=round(time.monotonic() - self._started, 2),
            memory_mb=round(memory / 1024, 1),
            handles=handles,
            tasks=int(told["tasks"]),
            rooms=int(told["rooms"]),
            sessions=int(told["sessions"]),
            connections=int(told["connections_open"]),
        )


def _held(pid: int) -> tuple[int, int]:
    """Resident memory in KiB, and open file handles."""
    status = Path(f"/proc/{pid}/status").read_text()
    memory = next(x.split()[1] for x in status.splitlines() if x.startswith("VmRSS"))
    return int(memory), len(list(Path(f"/proc/{pid}/fd").iterdir()))


class Churn:
    """People who open a document, write a little, and leave in one way or another."""

    def __init__(self, url: str, token: str, seed: int) -> None:
        self._url, self._token = url, token
        self._chance = random.Random(seed)  # noqa: S311  the same churn again
        self.visits = self.updates = self.refused = 0

    async def for_(self, seconds: float, people: int) -> None:
        """Churn for a time."""
        end = time.monotonic() + seconds
        async with aiohttp.ClientSession(self._url) as http:
            await asyncio.gather(*(self._person(http, end) for _ in range(people)))

    async def _person(self, http: aiohttp.ClientSession, end: float) -> None:
        ways = (self._edit, self._edit, self._edit, self._read, self._spoil, self._intrude)
        while time.monotonic() < end:
            name = f"d{self._chance.randrange(DOCUMENTS)}"
            with suppress(aiohttp.ClientError, TimeoutError, ConnectionError):
                async with asyncio.timeout(20):
                    await self._chance.choice(ways)(http, name)
            self.visits += 1

    async def _open(self, http: aiohttp.ClientSession, name: str, token: str) -> Any:  # noqa: ANN401
        return await http.ws_connect(f"/ws/{name}", params={"token": token}, max_msg_size=0)

    async def _edit(self, http: aiohttp.ClientSession, name: str) -> None:
        """Show a cursor, type some letters, listen a moment, leave with or without a word."""
        socket = await self._open(http, name, self._token)
        doc: pycrdt.Doc[Any] = pycrdt.Doc(client_id=self._chance.randrange(1, 1 << 31))
        text = doc.get("text", type=pycrdt.Text)
        entry = wire.var_uint(doc.client_id) + b"\x01\x02{}"
        await socket.send_bytes(wire.awareness(b"\x01" + entry))
        for _ in range(self._chance.randrange(1, 8)):
            before = doc.get_state()
            text += self._chance.choice("abcdef") * 3
            await socket.send_bytes(wire.update(doc.get_update(before)))
            self.updates += 1
        with suppress(TimeoutError):
            async with asyncio.timeout(self._chance.random() / 2):
                async for _ in socket:
                    pass
        if self._chance.random() < 0.5:
            await socket.close()
        else:
            socket._response.connection.transport.abort()  # noqa: SLF001  as a lost line does

    async def _read(self, http: aiohttp.ClientSession, name: str) -> None:
        """By REST."""
        headers = {"Authorization": f"Bearer {self._token}"}
        await (await http.post("/doc/new", json={"docId": name}, headers=headers)).read()
        async with http.get(f"/d/{name}/as-update", headers=headers) as answer:
            await answer.read()

    async def _spoil(self, http: aiohttp.ClientSession, name: str) -> None:
        """Send what is no frame."""
        socket = await self._open(http, name, self._token)
        await socket.send_bytes(self._chance.randbytes(30))
        with suppress(TimeoutError):
            async with asyncio.timeout(2):
                async for _ in socket:
                    pass
        await socket.close()

    async def _intrude(self, http: aiohttp.ClientSession, name: str) -> None:
        """Come without a right."""
        try:
            await self._open(http, name, "nonsense")
        except aiohttp.WSServerHandshakeError:
            self.refused += 1


async def rest(server: Soaked, http: aiohttp.ClientSession, samples: list[Sample]) -> Sample:
    """Wait until nobody is there any more; the last look, after a moment of quiet."""
    end = time.monotonic() + REST_S_MAX
    while time.monotonic() < end:
        await asyncio.sleep(0.5)
        samples.append(await server.sample(http))
        last = samples[-1]
        if not (last.rooms or last.sessions or last.connections):
            break
    await asyncio.sleep(2)
    samples.append(await server.sample(http))
    return samples[-1]


async def watch(server: Soaked, samples: list[Sample], every_s: float) -> None:
    """Look every so often."""
    async with aiohttp.ClientSession(server.url) as http:
        while True:
            samples.append(await server.sample(http))
            await asyncio.sleep(every_s)


async def soak(server: Soaked, options: argparse.Namespace) -> tuple[list[Sample], Sample, Churn]:
    """Warm up, rest, churn, rest: all samples, and the one of the base line."""
    samples: list[Sample] = []
    token = (await asyncio.to_thread(login, server.url)).access_token
    warm_s = max(4.0, min(60.0, options.seconds / 4))
    async with aiohttp.ClientSession(server.url) as http:
        await Churn(server.url, token, 1).for_(warm_s, options.people)
        base = await rest(server, http, samples)
        token = (await asyncio.to_thread(login, server.url)).access_token
        churn = Churn(server.url, token, options.seed)
        watching = asyncio.create_task(watch(server, samples, max(0.5, options.seconds / 200)))
        left = options.seconds
        while left > 0:  # Tokens are good for a quarter of an hour.
            await churn.for_(min(left, 600), options.people)
            left -= 600
            known = await asyncio.to_thread(login, server.url)
            churn._token = known.access_token  # noqa: SLF001
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await rest(server, http, samples)
    return samples, base, churn


def judged(base: Sample, end: Sample) -> dict[str, tuple[float, float, float]]:
    """For each quantity: base line, end, and the most that it may be."""
    found = {
        name: (getattr(base, name), getattr(end, name), getattr(base, name) + over)
        for name, over in ALLOWED.items()
    }
    most = base.memory_mb * (1 + MEMORY_SHARE) + MEMORY_MB
    found["memory_mb"] = (base.memory_mb, end.memory_mb, round(most, 1))
    return found


def plot(values: list[float], width: int = 60) -> str:
    """One line of bars, from the smallest to the largest."""
    step = max(1, len(values) // width)
    shown = [max(values[at : at + step]) for at in range(0, len(values), step)]
    low, high = min(shown), max(shown)
    return "".join(BARS[round((v - low) / ((high - low) or 1) * (len(BARS) - 1))] for v in shown)


def show(samples: list[Sample], base: Sample, churn: Churn) -> bool:
    """Print the table and the curves; whether all is back."""
    end = samples[-1]
    rows = judged(base, end)
    print(f"{churn.visits} visits, {churn.updates} updates, {churn.refused} refused")
    print(f"{'':12} {'base':>8} {'peak':>8} {'end':>8} {'most':>8}")
    for name, (before, after, most) in rows.items():
        values = [float(getattr(sample, name)) for sample in samples]
        mark = "" if after <= most else "   LEAKS"
        print(f"{name:12} {before:8g} {max(values):8g} {after:8g} {most:8g}{mark}  {plot(values)}")
    return all(after <= most for _, after, most in rows.values())


def main() -> int:
    """Run it; 1 where something did not come back."""
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="how long (%(default)g)")
    parser.add_argument("--hour", action="store_true", help="an hour")
    parser.add_argument("--seconds", type=float, help="a short one")
    parser.add_argument("--people", type=int, default=30, help="how many at a time (%(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="for the same churn again")
    parser.add_argument("--json", type=Path, help="write every sample into a file")
    options = parser.parse_args()
    if options.seconds is None:
        options.seconds = 3600.0 if options.hour else options.minutes * 60
    with tempfile.TemporaryDirectory(prefix="plait-soak-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # Root's PostgreSQL runs as another user.
        server = Soaked(Path(folder))
        try:
            samples, base, churn = asyncio.run(soak(server, options))
        finally:
            server.stop()
    if options.json is not None:
        options.json.write_text(json.dumps([asdict(sample) for sample in samples]))
    return 0 if show(samples, base, churn) else 1


if __name__ == "__main__":
    sys.exit(main())
