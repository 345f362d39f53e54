"""A real S3 on loopback for tests: SeaweedFS, which refuses what is not signed with its key."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

BUCKET = "plait"
KEY, SECRET = "plait-tests", "a-secret-of-the-tests"
READY_S_MAX = 60.0
_SERVICES = tuple(
    name
    for service in ("master", "volume", "filer", "s3", "admin")
    for name in (f"{service}.port", f"{service}.port.grpc")
)
_READY = re.compile(r"S3 Endpoint:|All enabled components are running")


@dataclass
class Weed:
    """A running object store with one bucket."""

    port: int
    secret: str = SECRET

    @property
    def url(self) -> str:
        """The bucket, for the setting `blobs_url`."""
        return f"s3://{BUCKET}"

    @property
    def options(self) -> dict[str, str]:
        """For the setting `blobs_options`."""
        return {
            "aws_endpoint": f"http://127.0.0.1:{self.port}",
            "aws_region": "us-east-1",
            "aws_access_key_id": KEY,
            "aws_secret_access_key": self.secret,
        }

    @property
    def settings(self) -> dict[str, object]:
        """Both, for a server in this process."""
        options = tuple(f"{name}={value}" for name, value in self.options.items())
        return {"blobs_url": self.url, "blobs_options": options}


@contextmanager
def weed(folder: Path) -> Iterator[Weed]:
    """Start one on free ports of loopback, and stop it."""
    ports = dict(zip(_SERVICES, _free_ports(len(_SERVICES)), strict=True))
    command = [
        str(Path(sys.executable).parent / "weed"), "mini", f"-dir={folder}",
        "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-bucket={BUCKET}", "-webdav=false",
        "-admin.ui=false", "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false",
        "-master.volumeSizeLimitMB=64", *(f"-{name}={port}" for name, port in ports.items()),
    ]  # fmt: skip
    process = subprocess.Popen(
        command,
        env={**os.environ, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET},
        cwd=folder, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    said: list[str] = []
    ready = threading.Event()
    threading.Thread(target=_read, args=(process, said, ready), daemon=True).start()
    try:
        if not ready.wait(READY_S_MAX) or process.poll() is not None:
            raise AssertionError(f"weed did not become ready:\n{''.join(said)}")
        yield Weed(ports["s3.port"])
    finally:
        process.kill()  # It takes ten seconds over a goodbye, and nothing of it is needed.
        process.wait()


def _read(process: subprocess.Popen[str], said: list[str], ready: threading.Event) -> None:
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            said.append(line)
            if _READY.search(line):
                ready.set()
    ready.set()


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
