"""The server that is soaked, and what it holds at a moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import aiohttp

ROOT = Path(__file__).resolve().parents[2]
READY = "Plait is ready at "


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

    def __init__(self, folder: Path, **more: object) -> None:
        self._started = time.monotonic()
        command = [sys.executable, "-P", "-m", "server"]
        settings = {
            "PORT": "0", "DATA": str(folder / "data"), "ROOM_IDLE_S": "1", "LOG_LEVEL": "error",
            "LOGIN_ATTEMPTS_PER_MINUTE": "100000", "COMPACT_ROWS": "200",
        }  # fmt: skip
        kept = {k: v for k, v in os.environ.items() if not k.startswith("PLAIT_")}
        settings |= {name.upper(): str(value) for name, value in more.items()}
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
