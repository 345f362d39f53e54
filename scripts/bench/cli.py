"""scripts/bench/run: Plait and its peers in turn, on one core, ratios from the same run."""

import argparse
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from server.operating import compiled

from .compare import Bench
from .measure import Place, measure
from .plot import plot_all
from .report import quick_line, write
from .rows import FLOOR, ROWS
from .servers import KINDS

KILL = "kill"


def parser() -> argparse.ArgumentParser:
    """The command line."""
    out = argparse.ArgumentParser(
        prog="scripts/bench/run",
        description="Measure Plait beside other Yjs servers. Each server in turn runs on core 0 "
        "(its PostgreSQL too), the load program on core 1. Needs Node and `npm ci` in "
        "scripts/bench/peers. With --url only that server is measured, at once.",
    )
    out.add_argument("--only", action="append", choices=[*ROWS, KILL], help="these rows only")
    out.add_argument("--quick", action="store_true", help="2 s phases, one run each")
    out.add_argument(
        "--repeat",
        type=int,
        default=0,
        help="runs of each cell, the median counts (3; 1 with --quick)",
    )
    out.add_argument("--seconds", type=float, help="length of a phase (4)")
    out.add_argument("--trace", help="editing trace for the large document")
    out.add_argument(
        "--no-async", action="store_true", help="leave out ours with synchronous_commit=off"
    )
    out.add_argument(
        "--interpreted", action="store_true", help="ours without what scripts/compile made"
    )
    out.add_argument("--write", metavar="FILE", help="write the tables as Markdown")
    out.add_argument("--json", metavar="FILE", help="write all figures as JSON")
    out.add_argument("--plots", metavar="FOLDER", help="write a picture of each row as SVG")
    out.add_argument(
        "--peer",
        action="append",
        choices=[k for k in KINDS if k not in {"plait", FLOOR}],
        help="compare with these peers only",
    )
    one = out.add_argument_group("one server that is already running")
    one.add_argument("--url", help="its address, as for scripts/load")
    one.add_argument("--pid", type=int, default=0, help="its process")
    one.add_argument("--postmaster", type=int, default=0, help="its PostgreSQL, if not below it")
    one.add_argument("--token", help="access token; a fresh login without")
    one.add_argument("--dialect", default="y-websocket")
    one.add_argument("--core", type=int, default=1, help="core of the load program (1)")
    return out  # fmt: skip


def extra(options: argparse.Namespace, name: str) -> list[str]:
    """What the command line adds to each run of a row."""
    out = []
    seconds = options.seconds or (2.0 if options.quick or options.url else None)
    if seconds and (length := ROWS[name].length):
        out += [length, str(seconds)]
    if options.trace and name.startswith("join"):
        out += ["--trace", options.trace]
    return out


def one_server(options: argparse.Namespace, names: list[str]) -> int:
    """Measure the server the command line names; one line a row."""
    place = Place(
        url=options.url, dialect=options.dialect, pid=options.pid,
        postmaster=options.postmaster, token=options.token, core=options.core,
    )  # fmt: skip
    failed = 0
    for name in names:
        if name == KILL or ROWS[name].restart:
            continue
        measured = measure(place, ROWS[name], extra(options, name))
        print(quick_line(name, ROWS[name], measured), flush=True)
        failed += bool(measured.error)
    return int(failed > 0)


def main() -> int:
    """Run what the command line asks for."""
    options = parser().parse_args()
    names = options.only or [*ROWS, KILL]
    if options.url:
        return one_server(options, names)
    with tempfile.TemporaryDirectory(prefix="plait-bench-") as folder:
        bench = Bench(
            folder=Path(folder),
            repeat=options.repeat or (1 if options.quick else 3),
            with_async=not options.no_async,
            is_compiled=not options.interpreted and compiled.present() is not None,
            peers=options.peer,
            console=Console(stderr=True),
            arguments=lambda name: extra(options, name),
        )
        for name in names:
            if name == KILL:
                bench.kill_row()
            else:
                bench.row(name, ROWS[name])
        write(bench, options.write, options.json)
        if options.plots:
            plot_all(bench, Path(options.plots))
    return 0


if __name__ == "__main__":
    sys.exit(main())
