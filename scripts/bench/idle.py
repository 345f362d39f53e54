"""What connections cost that say nothing, ten thousand of them: memory of each, and CPU at rest.

    python scripts/bench/idle.py [--clients 10000] [--server plait] [--server y-websocket]

All in ten documents, then each in one of its own. CPU is read for two rounds of the keepalive
(20 s), a while after all have come, when nothing is left to do of new documents. Memory is that of
the server's processes which belongs to no file. Needs 10,000 open files, more than a shell has by
default on some systems (`ulimit -n`).
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts._load.login import token_or_login
from scripts.bench.measure import Place, load
from scripts.bench.servers import KINDS, Server

HEAD = "| | kB a connection | server, MB | cores at rest | PostgreSQL | closed | came in, s |"


def measure(name: str, clients: int, documents: int, options: argparse.Namespace) -> str:
    """One row of the table, with a server of its own."""
    kind = KINDS[name]
    with tempfile.TemporaryDirectory(prefix="plait-idle-") as folder:
        Path(folder).chmod(0o755)
        server = Server(kind, Path(folder) / "data", options.core).start()
        try:
            token = token_or_login(server.url, None) if name == "plait" else ""
            place = Place(url=server.url, dialect=kind.dialect, pid=server.pid, token=token)
            words = ["idle", "--clients", str(clients), "--documents", str(documents)]
            words += ["--seconds", str(options.seconds), "--warm", str(options.warm)]
            found = load(place, words)
        finally:
            server.stop()
    idle, totals = found["idle"], found["totals"]
    what = f"{clients:,} in {documents:,} document{'s' if documents > 1 else ''}"
    return (
        f"| {kind.title}: {what} | {idle['kb_per_client']:.1f} | {totals['rss_mb']:.0f}"
        f" | {idle['server_core_share']:.3f} | {idle['postgres_core_share']:.3f}"
        f" | {totals['disconnected']:.0f} | {idle['connect_s']:.1f} |"
    )


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--clients", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=41.0)
    parser.add_argument("--warm", type=float, default=40.0, help="seconds before that")
    parser.add_argument("--server", action="append", choices=KINDS, help="(plait)")
    parser.add_argument("--core", type=int, default=0, help="core of the server (0)")
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < options.clients + 500:
        raise SystemExit(f"only {hard} files may be open here: --clients fewer, or ulimit -n more")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # Children have it, too.
    print(HEAD + "\n|---|---|---|---|---|---|---|", flush=True)
    for documents in (10, options.clients):
        for name in options.server or ["plait"]:
            print(measure(name, options.clients, documents, options), flush=True)


if __name__ == "__main__":
    main()
