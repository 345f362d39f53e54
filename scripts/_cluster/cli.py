"""`scripts/cluster`: a whole production shape on one machine, until Ctrl-C.

    scripts/cluster [--nodes 2] [--port 8080] [--bus nats|notify] [--data FOLDER]

N nodes, PostgreSQL, NATS, SeaweedFS and HAProxy, all on loopback. On real machines each of these
is a service of its own: the nodes have the same settings and keys, and the balancer asks /readyz.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from pathlib import Path

from scripts._cluster.engines import Missing
from scripts._cluster.nodes import Cluster
from scripts._cluster.process import NotReady
from storage.cluster import EmbeddedError


def main() -> int:
    """Exit 0 after a clean stop, 1 where something could not be started."""
    parser = argparse.ArgumentParser(prog="scripts/cluster", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--nodes", type=int, default=2, help="servers; default 2")
    parser.add_argument("--port", type=int, default=8080, help="the balancer's; default 8080")
    parser.add_argument("--bus", choices=["nats", "notify"], default="nats")
    parser.add_argument("--data", type=Path, default=Path("data-cluster"), help="folder for all")
    chosen = parser.parse_args()
    if chosen.nodes < 1:
        parser.error("--nodes must be at least 1")
    try:
        return asyncio.run(run(chosen))
    except (Missing, NotReady, EmbeddedError) as error:
        print(f"scripts/cluster: {error}", file=sys.stderr)
        return 1


async def run(chosen: argparse.Namespace) -> int:
    """Start it, say where everything is, wait for a signal, stop it."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    cluster = Cluster(chosen.data.resolve(), nodes=chosen.nodes, port=chosen.port, bus=chosen.bus)
    starting = asyncio.create_task(cluster.start())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            await starting
            say(cluster)
            await stopping
    finally:
        starting.cancel()
        with contextlib.suppress(asyncio.CancelledError, Missing, NotReady, EmbeddedError):
            await starting
        await cluster.stop()
    return 0


def say(cluster: Cluster) -> None:
    """Where everything is, and what to kill."""
    print(f"Plait is ready at {cluster.url}", flush=True)
    for process in cluster.processes:
        where = getattr(process, "url", "")
        print(f"  {process.name}: process {process.pid} {where}", flush=True)
    for line in cluster.nodes[0].said.splitlines():
        if "setup code" in line:
            print(f"  {line}", flush=True)
    print(f"  PostgreSQL: process {cluster.database.pid} {cluster.database.dsn}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
