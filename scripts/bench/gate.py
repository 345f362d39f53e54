"""Whether a change made the hot path dearer: scripts/bench/gate.

A few rows against our own server, CPU per unit as a ratio to the bare broadcast of `peers/`, which
is measured in turn with it. Machines differ, and one machine differs from minute to minute; what
the loop and the kernel cost differs with them, so the ratio can be compared with the one that was
committed in `gate.json`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from scripts._load.login import login

from .measure import Place, measure
from .rows import FLOOR, ROWS
from .servers import KINDS, Server, interpreted

COMMITTED = Path(__file__).with_suffix(".json")
CHECKED = ("fan-out", "fan-out-300", "rooms", "cursors", "storm")
WHOLE = frozenset({"storm"})
"""Rows of a fixed amount of work, not of a length."""
OURS = "plait"
TOLERANCE = 0.25

Ratios = dict[str, float]


def ratios(seconds: float, rounds: int, console: Console) -> Ratios:
    """What each row costs as a multiple of the floor: server and PostgreSQL, median of rounds."""
    found: dict[str, list[float]] = {name: [] for name in CHECKED}
    with tempfile.TemporaryDirectory(prefix="plait-gate-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL runs as another user where we are root.
        kinds = interpreted(KINDS[OURS]), KINDS[FLOOR]
        servers = [Server(kind, Path(folder) / kind.name) for kind in kinds]
        try:
            places = [_place(server.start()) for server in servers]
            for number in range(rounds):
                for name in CHECKED:
                    ours, floor = (_cost(place, name, seconds) for place in places)
                    found[name].append(ours / floor)
                console.print(f"round {number + 1} of {rounds} done", style="dim")
        finally:
            for server in servers:
                server.stop()
    return {name: round(statistics.median(values), 3) for name, values in found.items()}


def _place(server: Server) -> Place:
    token = login(server.url).access_token if server.kind.name == OURS else ""
    return Place(url=server.url, dialect=server.kind.dialect, pid=server.pid, token=token)


def _cost(place: Place, name: str, seconds: float) -> float:
    row = ROWS[name]
    measured = measure(place, row, () if name in WHOLE else (row.length, str(seconds)))
    if measured.error:
        raise SystemExit(f"{name}: {measured.error}")
    return measured.figures[f"sum_{row.unit}"]


def compare(now: Ratios, then: Ratios, tolerance: float) -> tuple[Table, list[str]]:
    """A table of both, and the rows that became dearer by more than the tolerance."""
    table = Table(title="CPU of server and PostgreSQL, as a multiple of a bare broadcast")
    table.add_column("row")
    for column in ("committed", "now", "change"):
        table.add_column(column, justify="right")
    table.add_column("")
    dearer = [name for name in now if now[name] > then[name] * (1 + tolerance)]
    for name, ratio in now.items():
        change = f"{ratio / then[name] - 1:+.0%}"
        word = "dearer" if name in dearer else ""
        table.add_row(name, f"{then[name]:.2f}", f"{ratio:.2f}", change, word)
    return table, dearer


def main() -> int:
    """Compare, or write down what is now."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench/gate",
        description="Whether the hot path became dearer than what is committed (two minutes).",
    )
    parser.add_argument("--seconds", type=float, default=2.0, help="length of a phase (2)")
    parser.add_argument("--rounds", type=int, default=3, help="the median of them counts (3)")
    parser.add_argument("--tolerance", type=float, default=TOLERANCE, help="(0.25)")
    parser.add_argument("--update", action="store_true", help="write down what is now")
    options = parser.parse_args()
    console = Console(stderr=True)
    now = ratios(options.seconds, options.rounds, console)
    if options.update:
        COMMITTED.write_text(json.dumps(now, indent=1) + "\n")
        console.print(f"written: {COMMITTED.name}")
        return 0
    table, dearer = compare(now, json.loads(COMMITTED.read_text()), options.tolerance)
    console.print(table)
    return int(bool(dearer))


if __name__ == "__main__":
    sys.exit(main())
