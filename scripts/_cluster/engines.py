"""The engines that nodes stand on beside PostgreSQL: the bus and the object store, on loopback."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts._cluster.process import Process, free_ports

CONNECTIONS_MAX = 20_000
"""Through the balancer, where the limit of open files allows it."""


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


class Weed(Process):
    """One SeaweedFS with one bucket: an S3 that refuses what is not signed with its key."""

    BUCKET, KEY, SECRET = "plait", "plait-cluster", "a-secret-of-this-cluster"

    def __init__(self, folder: Path) -> None:
        services = ("master", "volume", "filer", "s3", "admin")
        names = [f"{one}.port{kind}" for one in services for kind in ("", ".grpc")]
        ports = dict(zip(names, free_ports(len(names)), strict=True))
        self.port = ports["s3.port"]
        command = [
            program("weed"), "mini", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
            f"-bucket={self.BUCKET}", "-webdav=false", "-admin.ui=false", "-s3.port.iceberg=0",
            "-s3.port.lance=0", "-master.telemetry=false", "-master.volumeSizeLimitMB=64",
            *(f"-{name}={port}" for name, port in ports.items()),
        ]  # fmt: skip
        keys = {"AWS_ACCESS_KEY_ID": self.KEY, "AWS_SECRET_ACCESS_KEY": self.SECRET}
        super().__init__(
            "seaweedfs",
            command,
            ready="All enabled components are running",
            folder=folder,
            environment=keys,
        )

    @property
    def settings(self) -> dict[str, str]:
        """For the nodes."""
        options = {
            "aws_endpoint": f"http://127.0.0.1:{self.port}",
            "aws_region": "us-east-1",
            "aws_access_key_id": self.KEY,
            "aws_secret_access_key": self.SECRET,
        }
        return {
            "blobs_url": f"s3://{self.BUCKET}",
            "blobs_options": ",".join(f"{name}={value}" for name, value in options.items()),
        }


class Balancer(Process):
    """HAProxy in front of the nodes: whoever is ready and has the fewest connections is next.

    No session sticks to a node. It asks each node every second whether it is ready.
    """

    def __init__(self, folder: Path, port: int, nodes: Sequence[int]) -> None:
        self.port = port
        self._file = folder / "haproxy.cfg"
        self._nodes = list(nodes)
        super().__init__(
            "haproxy",
            [balancer_program(), "-W", "-db", "-f", str(self._file)],
            ready="Loading success",
            folder=folder,
        )

    @property
    def url(self) -> str:
        """Where all nodes are reached."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Write its configuration and start it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._file.write_text(self.configuration())
        super().start()

    def configuration(self) -> str:
        """What stands in its file."""
        servers = "\n".join(
            f"    server node{number} 127.0.0.1:{port} check"
            for number, port in enumerate(self._nodes)
        )
        # Two sockets for each connection, and some for itself.
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        connections = min(CONNECTIONS_MAX, files // 2 - 100)
        return _CONFIGURATION.format(port=self.port, servers=servers, connections=connections)


_CONFIGURATION = """\
global
    maxconn {connections}
    log stderr format raw local0 notice
defaults
    mode http
    log global
    timeout connect 2s
    timeout client 75s
    timeout server 75s
    timeout http-keep-alive 10s
    # WebSockets are pinged by both ends; what is silent for so long is dead.
    timeout tunnel 150s
    retries 2
    option redispatch 1
    option forwardfor
    option dontlognull
frontend plait
    bind 127.0.0.1:{port}
    default_backend nodes
backend nodes
    balance leastconn
    option httpchk
    http-check send meth GET uri /readyz ver HTTP/1.1 hdr Host localhost
    default-server inter 1s fall 2 rise 1
{servers}
"""


class Missing(Exception):
    """A program that this machine has not; the message says what to install."""


def balancer_program() -> str:
    """HAProxy, installed from Debian where we are root and it is missing. Raises Missing."""
    found = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is not None:
        return found
    how = "install it (Debian, Ubuntu: apt-get install haproxy)"
    apt = shutil.which("apt-get")
    if os.geteuid() != 0 or apt is None:
        raise Missing(f"haproxy is missing, and cannot be installed from here: {how}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    said = ""
    for command in (
        ["update", "-q"],
        ["install", "-y", "-q", "--no-install-recommends", "haproxy"],
    ):
        done = subprocess.run(
            [apt, *command],
            env=environment,
            check=False,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        said = done.stdout
    found = shutil.which("haproxy", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    if found is None:
        raise Missing(f"haproxy is missing and apt-get did not bring it: {how}\n{said[-500:]}")
    return found
