"""Settings of a server that is one of several."""

import socket
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(frozen=True, kw_only=True)
class Nodes:
    """Several nodes on one database."""

    workers: int = 1
    """Server processes on this machine, on one port; as many as it has cores is right."""

    share_port: bool = False
    """Others may listen on the same port, and the kernel deals connections out; workers do."""

    machine: str = ""
    """Name of this machine, for work on folders that only it has; empty means its host name."""

    bus: str = field(default="", repr=False)
    """How nodes tell each other what is new: empty (this one is alone; workers take `notify`),
    `notify` (PostgreSQL, for a few), or the URLs of NATS servers."""

    bus_subject: str = "plait"
    """Subject or channel on the bus; the nodes of one database share it with nobody else."""

    bus_poll_s: float = 1.0
    """Seconds between two looks at the log for open documents while the bus is away."""

    node_beat_s: float = 2.0
    """Seconds between two signs of life of a node."""

    node_silence_s: float = 8.0
    """Seconds of silence after which a node is taken for dead, and its clients for gone."""

    def machine_name(self) -> str:
        """The name of this machine."""
        return self.machine or socket.gethostname()

    def bus_complaints(self) -> list[str]:
        """What cannot be of the settings of the bus."""
        found = []
        servers = [urlsplit(one) for one in self.bus.split(",")]
        if self.bus not in {"", "notify"} and not all(
            one.scheme in {"nats", "tls", "ws", "wss"} and one.hostname for one in servers
        ):
            found.append("bus must be notify, or look like nats://host:4222")
        if not all(part.isalnum() for part in self.bus_subject.split(".")):
            found.append("bus_subject must be made of letters, digits and dots")
        return found
