"""What each known way of saving time brings: our server without it, and with it, in turn.

    python scripts/bench/ways.py [--only uvloop] [--repeat 1] [--seconds 3]

CPU of server and PostgreSQL per unit of the row, interpreted (`ways_server.py` says how a way is
left out). Above 1 the way pays.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts._load.login import login
from scripts.bench.measure import LoadFailed, Place, measure
from scripts.bench.report import figure
from scripts.bench.rows import ROWS
from scripts.bench.servers import HERE, KINDS, DidNotStart, Server, interpreted
from scripts.bench.ways_server import CHANGES


@dataclass(frozen=True)
class Way:
    """Where a way should show, and the settings that leave it out, if there are any."""

    rows: tuple[str, ...]
    arguments: tuple[str, ...] = ()


WAYS = {
    "uvloop": Way(("rooms", "fan-out", "rooms-2000")),
    "turns": Way(("rooms", "fan-out")),
    "joined writes": Way(("rooms", "fan-out")),
    "frames encoded once": Way(("fan-out",)),
    "pace of crowds": Way(("fan-out", "fan-out-300")),
    "first sync kept": Way(("join",)),
    "prepared statements": Way(("rooms-2000",)),
    "commits apart": Way(("rooms", "rooms-2000"), ("--commit-apart-ms", "0")),
    "collector tuned": Way(("rooms", "fan-out")),
    "documents asleep": Way(("live-documents",), ("--room-doze-s", "1000000000")),
}


def cost(way: str, arguments: tuple[str, ...], row: str, seconds: float) -> float | None:
    """What a row costs a fresh server; None, with a line, where it did not come to an end."""
    kind = interpreted(KINDS["plait"])
    change = way if way in CHANGES else "nothing"
    command = (sys.executable, "-P", str(HERE / "ways_server.py"), change)
    kind = replace(kind, command=(*command, *kind.command[1:], *arguments))
    length = ROWS[row].length
    with tempfile.TemporaryDirectory(prefix="plait-ways-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL runs as another user where we are root.
        server = Server(kind, Path(folder) / "server")
        try:
            server.start()
            token = login(server.url).access_token
            place = Place(url=server.url, dialect=kind.dialect, pid=server.pid, token=token)
            found = measure(place, ROWS[row], (length, str(seconds)) if length else ())
        except (DidNotStart, LoadFailed, OSError) as error:
            print(f"{way}, {row}: {error}", file=sys.stderr)
            return None
        finally:
            server.stop()
    if found.error:
        print(f"{way}, {row}: {found.error}", file=sys.stderr)
    unit = ROWS[row].unit
    return found.figures.get("sum_" + unit, found.figures.get(unit))


def main() -> None:
    """Run all ways, or some, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", action="append", choices=WAYS)
    parser.add_argument("--repeat", type=int, default=1, help="runs of each; the median (1)")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of a phase (3)")
    options = parser.parse_args()
    print("| way | row | with it | without | without / with |\n|---|---|---|---|---|", flush=True)
    for name in options.only or WAYS:
        way = WAYS[name]
        for row in way.rows:
            runs: tuple[list[float], list[float]] = ([], [])
            for _ in range(options.repeat):
                for side, arguments in (("nothing", ()), (name, way.arguments)):
                    spent = cost(side, arguments, row, options.seconds)
                    if spent is not None:
                        runs[side == name].append(spent)
            if not all(runs):
                print(f"| {name} | `{row}` | - | - | it does not come to an end |", flush=True)
                continue
            told, untold = map(statistics.median, runs)
            unit = ROWS[row].unit.replace("_", " ")
            print(
                f"| {name} | `{row}`, {unit} | {figure(told)} | {figure(untold)} "
                f"| {untold / told:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
