"""Nodes, and a whole cluster of them on loopback, with everything that they stand on."""

from __future__ import annotations

import asyncio
import http.client
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from scripts._cluster.engines import Balancer, Nats, Weed
from scripts._cluster.process import READY_S_MAX, NotReady, Process, free_ports
from storage.postgres import Embedded

ROOT = Path(__file__).resolve().parents[2]
READY = "Plait is ready at "


class Node(Process):
    """One server; the same port after a restart. Settings are given by their names."""

    def __init__(
        self, number: int, folder: Path, port: int, settings: Mapping[str, object]
    ) -> None:
        self.port = port
        values = {"port": port, **settings}
        environment = {f"PLAIT_{name.upper()}": str(value) for name, value in values.items()}
        super().__init__(
            f"node {number}",
            [sys.executable, "-P", "-m", "server"],
            ready=READY,
            folder=folder,
            environment={**environment, "PYTHONPATH": str(ROOT)},
        )

    @property
    def url(self) -> str:
        """Where this node alone is reached."""
        return f"http://127.0.0.1:{self.port}"

    def until_ready(self, within_s: float = READY_S_MAX) -> None:
        """Wait until it says that it can work. Raises NotReady."""
        end = time.monotonic() + within_s
        while not self.is_ready():
            if time.monotonic() > end:
                raise NotReady(f"{self.name} is not ready:\n{self.said}")
            time.sleep(0.1)

    def is_ready(self) -> bool:
        """Whether it says now that it can work."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


class Cluster:
    """N nodes and what they stand on. `bus` is `nats` or `notify`.

    The parts are started in order and stopped in reverse. Raises Missing, NotReady or
    EmbeddedError.
    """

    def __init__(
        self,
        folder: Path,
        *,
        nodes: int = 2,
        bus: str = "nats",
        port: int = 0,
        balanced: bool = True,
        objects: bool = True,
        postgres: Mapping[str, str] | None = None,
        settings: Mapping[str, object] | None = None,
    ) -> None:
        self.folder = folder
        ports = free_ports(nodes + 1)
        self.port = port or ports[0]
        connections = {"max_connections": str(20 + 24 * nodes)}
        self.database = Embedded(folder / "database", options=connections | dict(postgres or {}))
        self.nats = Nats(folder / "nats") if bus == "nats" else None
        self.weed = Weed(folder / "objects") if objects else None
        self.balancer = Balancer(folder / "balancer", self.port, ports[1:]) if balanced else None
        self._settings = {
            "data": folder / "data",
            "public_url": f"http://127.0.0.1:{self.port}",
            "trusted_proxies": "127.0.0.1",
            # Whoever comes through the balancer is not local, though all of this is on loopback.
            "registration": "open",
            "bus": "notify" if self.nats is None else self.nats.url,
            **({} if self.weed is None else self.weed.settings),
            **(settings or {}),
        }
        self.settings_of: dict[int, dict[str, object]] = {}
        """Settings of single nodes, by number, that differ from those of all."""
        self._ports = ports[1:]
        self.nodes: list[Node] = []

    @property
    def url(self) -> str:
        """Where it is reached: by the balancer, or the first node."""
        return self.nodes[0].url if self.balancer is None else self.balancer.url

    @property
    def processes(self) -> list[Process]:
        """All that run, the database apart."""
        return [
            one for one in (self.nats, self.weed, *self.nodes, self.balancer) if one is not None
        ]

    async def start(self) -> Self:
        """Start everything; the first node alone, because it migrates and makes the keys."""
        shutil.rmtree(self.folder / "nats", ignore_errors=True)
        engines = [one for one in (self.nats, self.weed) if one is not None]
        for failed in await asyncio.gather(
            self.database.start(),
            *(asyncio.to_thread(engine.start) for engine in engines),
            return_exceptions=True,
        ):
            if failed is not None:
                raise failed
        for number, port in enumerate(self._ports):
            settings = {"database_url": self.database.dsn, **self._settings}
            settings |= self.settings_of.get(number, {})
            node = Node(number, self.folder / f"node{number}", port, settings)
            self.nodes.append(node)
            await asyncio.to_thread(node.start)
        if self.balancer is not None:
            await asyncio.to_thread(self.balancer.start)
        return self

    async def stop(self) -> None:
        """Stop everything, those that serve first."""
        if self.balancer is not None:
            await asyncio.to_thread(self.balancer.stop)
        await asyncio.gather(*(asyncio.to_thread(node.stop) for node in self.nodes))
        for engine in (self.weed, self.nats):
            if engine is not None:
                await asyncio.to_thread(engine.kill)
        await self.database.stop()

    async def __aenter__(self) -> Self:
        try:
            return await self.start()
        except BaseException:
            await self.stop()
            raise

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
