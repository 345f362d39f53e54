"""Servers under measurement: started on one core, read until ready, stopped, killed, restarted."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
NODE_PEERS = HERE / "peers"
READY_S_MAX = 120.0
METRICS_TOKEN = "bench-reads-commits"  # noqa: S105 - of servers that live for a row
"""Opens what our server counts of its own commits."""


class DidNotStart(RuntimeError):
    """A server ended or stayed silent instead of serving."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """How one kind of server is started. `{port}` and `{folder}` are filled in."""

    name: str
    title: str
    dialect: str
    durability: str
    """What an acknowledged update has survived; which fsync there is."""
    command: Sequence[str]
    environment: dict[str, str] = field(default_factory=dict)
    store_s: float = 0.0
    """How long it may take until everything is in its store."""


YWS = ("node", str(NODE_PEERS / "node_modules/@y/websocket-server/src/server.js"))
KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            name="plait",
            title="Plait",
            dialect="y-websocket",
            durability="acknowledged after COMMIT; WAL is fsynced",
            command=(str(ROOT / "scripts" / "serve"), "--port", "{port}", "--data", "{folder}"),
            environment={
                "PLAIT_LOG_LEVEL": "warning",
                "PLAIT_METRICS_TOKEN": METRICS_TOKEN,
                # Everybody comes from one address and one account; no peer has such bounds.
                "PLAIT_CONNECTIONS_MAX": "20000",
                "PLAIT_CONNECTIONS_PER_ADDRESS_MAX": "20000",
                "PLAIT_CONNECTIONS_PER_ACCOUNT_MAX": "20000",
                "PLAIT_HTTP_CONNECTIONS_PER_ADDRESS_MAX": "20000",
                "PLAIT_HANDSHAKES_PER_S_MAX": "50000",
                "PLAIT_HANDSHAKES_PER_ADDRESS_PER_S_MAX": "50000",
            },
        ),
        Kind(
            name="y-websocket",
            title="@y/websocket-server 0.1.1, in memory",
            dialect="y-websocket",
            durability="not durable",
            command=YWS,
            environment={"PORT": "{port}", "HOST": "127.0.0.1"},
        ),
        Kind(
            name="y-leveldb",
            title="@y/websocket-server 0.1.1, y-leveldb 0.2.0",
            dialect="y-websocket",
            durability="written at once without fsync: survives kill -9, not power loss; no ack",
            command=YWS,
            environment={
                "PORT": "{port}", "HOST": "127.0.0.1", "YPERSISTENCE": "{folder}/leveldb",
            },
            store_s=2.0,
        ),
        Kind(
            name="hocuspocus",
            title="@hocuspocus/server 4.7.0, extension-sqlite",
            dialect="hocuspocus",
            durability="acknowledged before it is stored; the whole document is stored after "
            "2 to 10 s, then fsynced (SQLite, synchronous=FULL)",
            command=("node", str(NODE_PEERS / "hocuspocus.mjs")),
            environment={"PORT": "{port}", "DATABASE": "{folder}/hocuspocus.sqlite"},
            store_s=12.0,
        ),
        Kind(
            name="relay",
            title="bare broadcast: no document, no account, no store",
            dialect="y-websocket",
            durability="not durable",
            command=(sys.executable, str(NODE_PEERS / "relay_server.py")),
            environment={"PORT": "{port}"},
        ),
        Kind(
            name="pycrdt-websocket",
            title="pycrdt-websocket 0.16.5, SQLiteYStore",
            dialect="y-websocket",
            durability="each update is a commit of its own, fsynced, some time after others saw "
            "it (SQLite, synchronous=FULL); no ack",
            command=(sys.executable, str(NODE_PEERS / "pycrdt_websocket_server.py")),
            environment={"PORT": "{port}", "DATABASE": "{folder}/ystore.sqlite"},
            store_s=12.0,
        ),
    )
}  # fmt: skip


def interpreted(kind: Kind) -> Kind:
    """Our server without the machine code of scripts/compile."""
    return replace(kind, environment={**kind.environment, "PLAIT_COMPILED": "false"})


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Server:
    """A running server of a kind, in its own folder and process group."""

    kind: Kind
    folder: Path
    core: int | None = 0
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its first process."""
        return self.process.pid if self.process else 0

    @property
    def url(self) -> str:
        """What scripts/load is pointed at."""
        if self.kind.name == "plait":
            return f"http://127.0.0.1:{self.port}"
        path = "" if self.kind.dialect == "hocuspocus" else "{room}"
        return f"ws://127.0.0.1:{self.port}/{path}"

    def start(self) -> "Server":
        """Start and wait until it accepts connections. Raises DidNotStart."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = self.port or free_port()
        pin = ("taskset", "-c", str(self.core)) if self.core is not None else ()
        with (self.folder.parent / f"{self.folder.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*pin, *map(self._fill, self.kind.command)],
                env={**os.environ, **{k: self._fill(v) for k, v in self._environment().items()}},
                cwd=NODE_PEERS,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            self._await_port(log)
        time.sleep(0.7)
        return self

    def _environment(self) -> dict[str, str]:
        return {"PYTHONPATH": str(ROOT), **self.kind.environment}

    def _fill(self, text: str) -> str:
        return text.replace("{port}", str(self.port)).replace("{folder}", str(self.folder))

    def _await_port(self, log: IO[bytes]) -> None:
        assert self.process is not None
        end = time.monotonic() + READY_S_MAX
        while time.monotonic() < end and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 0.5).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        self.kill()
        raise DidNotStart(f"{self.kind.name} did not start: see {log.name}")

    def kill(self) -> None:
        """SIGKILL to the first process; what it started is left to notice, then killed too."""
        if self.process is None:
            return
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._end_group(signal.SIGKILL)
        self.process = None

    def stop(self) -> None:
        """Ask it to end; insist after a while."""
        if self.process is None:
            return
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self._end_group(signal.SIGKILL)
            self.process.wait()
        self._end_group(signal.SIGKILL)
        self.process = None

    def _end_group(self, word: signal.Signals) -> None:
        assert self.process is not None
        try:
            os.killpg(self.process.pid, word)
        except ProcessLookupError:
            return

    def settle(self) -> None:
        """Wait until everything is in its store."""
        time.sleep(self.kind.store_s)
