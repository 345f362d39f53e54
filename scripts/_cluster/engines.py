"""The engines that nodes stand on beside PostgreSQL: the bus and the object store, on loopback."""

from __future__ import annotations

import sys
from pathlib import Path

from scripts._cluster.process import Process, free_ports


def program(name: str) -> str:
    """A program that a package brought into this environment."""
    return str(Path(sys.executable).parent / name)


class Nats(Process):
    """One nats-server without a disk; the same port after a restart."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.port = port or free_ports(1)[0]
        super().__init__(
            "nats-server",
            [program("nats-server"), "-a", "127.0.0.1", "-p", str(self.port)],
            ready="Server is ready",
            folder=folder,
        )

    @property
    def url(self) -> str:
        """For the setting `bus`."""
        return f"nats://127.0.0.1:{self.port}"
