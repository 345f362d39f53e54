"""scripts/sizing: what one node costs on this machine, in the form of the table in OPERATIONS.md.

A server of its own is started and scripts/load is put on it, on the same cores: so a node with
cores of its own does better.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from ._soak.served import ROOT, Soaked

SCENARIOS = {
    "idle": ["--clients", "1000", "--documents", "100"],
    "rooms": ["--clients", "150", "--documents", "50"],
    "storm": ["--clients", "500", "--documents", "10"],
    "documents": ["--documents", "500"],
    "full": ["--clients", "9500", "--documents", "1000"],
}
OF = {"full": "idle"}
"""The scenario of scripts/load, where it is not the name."""
OPEN = {
    "http_connections_per_address_max": 20_000,
    "connections_per_account_max": 20_000,
    "handshakes_per_address_per_s_max": 5_000,
}
"""All come from one address and one account here."""


def measure(server: Soaked, name: str, seconds: float) -> Any:  # noqa: ANN401  JSON
    """One scenario of scripts/load."""
    command = [
        *(sys.executable, "-P", "-m", "scripts._load.cli", "--json", "--url", server.url),
        *(
            "--pid",
            str(server.process.pid),
            "--seconds",
            str(seconds),
            *SCENARIOS[name],
            OF.get(name, name),
        ),
    ]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"scripts/sizing: {name} failed: {done.stderr.strip()[-300:]}")
    return json.loads(done.stdout)[OF.get(name, name)]


def table(found: dict[str, Any]) -> list[tuple[str, str]]:
    """The rows: what, and how much."""
    idle, rooms, storm = found["idle"]["idle"], found["rooms"]["saturated"], found["storm"]["storm"]
    live, asleep = found["documents"]["live"], found["documents"]["asleep"]
    full, node_mb = found["full"]["idle"], found["full"]["totals"]["rss_mb"]
    full_share = full["server_core_share"] * 100
    cores, memory = rooms["server_core_share"], found["documents"]["totals"]["rss_mb"]
    return [
        ("memory of an idle connection", f"{idle['kb_per_client']:.0f} kB"),
        ("memory of a small open document", f"{live['kb_per_document']:.0f} kB"),
        ("the same when all have left it", f"{asleep['kb_per_document']:.0f} kB"),
        ("CPU of 1,000 idle connections", f"{idle['server_core_share'] * 100:.1f} % of a core"),
        ("connects with first sync", f"{storm['ms_per_connect']:.2f} ms of a core each"),
        ("an update, committed and delivered", f"{rooms['us_per_update']:.0f} µs of a core"),
        ("the same in PostgreSQL", f"{rooms['postgres_us_per_update']:.0f} µs"),
        ("updates/s seen here", f"{rooms['updates_per_s']:.0f} with {cores:.2f} cores"),
        ("updates/s of a whole core, reckoned", f"{1e6 / rooms['us_per_update']:.0f}"),
        ("memory of the process after all that", f"{memory:.0f} MB"),
        ("9,500 connections in 1,000 documents", f"{node_mb:.0f} MB, {full_share:.1f} % of a core"),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="scripts/sizing", description=__doc__)
    parser.add_argument("--seconds", type=float, default=4, help="of a phase (%(default)g)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="plait-sizing-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # Root's PostgreSQL runs as another user.
        server = Soaked(Path(folder), **OPEN)
        try:
            found = {name: measure(server, name, options.seconds) for name in SCENARIOS}
        finally:
            server.stop()
    print("| what | how much |\n|---|---|")
    for what, how_much in table(found):
        print(f"| {what} | {how_much} |")


if __name__ == "__main__":
    main()
