"""scripts/load: put load on a Yjs server and say what it did with it."""

import argparse
import asyncio
import gc
import json
import os
import sys
from dataclasses import replace

import uvloop
from rich.console import Console
from rich.table import Table

from .catalogue import SCENARIOS
from .dialect import DIALECTS, Y_WEBSOCKET, Target
from .login import token_or_login
from .probe import Probe
from .scenarios import Outcome, Plan, Stage

ROWS = {
    "updates/s": "updates_per_s",
    "deliveries/s": "deliveries_per_s",
    "connects/s": "connects_per_s",
    "deliveries per frame": "deliveries_per_frame",
    "latency p50, ms": "p50_ms",
    "latency p99, ms": "p99_ms",
    "latency max, ms": "max_ms",
    "server CPU, us/delivery": "us_per_delivery",
    "server CPU, us/update": "us_per_update",
    "server CPU, ms/connect": "ms_per_connect",
    "server CPU, ms/join": "ms_per_join",
    "PostgreSQL CPU, us/delivery": "postgres_us_per_delivery",
    "PostgreSQL CPU, us/update": "postgres_us_per_update",
    "PostgreSQL CPU, ms/connect": "postgres_ms_per_connect",
    "PostgreSQL CPU, ms/join": "postgres_ms_per_join",
    "server, share of a core": "server_core_share",
    "PostgreSQL, share of a core": "postgres_core_share",
    "this program, share of a core": "generator_core_share",
    "memory, kB/client": "kb_per_client",
    "memory, kB/document": "kb_per_document",
    "first crowd, kB/document": "first_crowd_kb_per_document",
    "memory growth, MB": "growth_mb",
    "sent, MB": "sent_mb",
    "missed by the other reader": "other_reader_misses",
    "bytes per join": "bytes",
}
NEEDS_PID = {"us_per_delivery", "us_per_update", "ms_per_connect", "ms_per_join"}
NEEDS_PID |= {"kb_per_client", "kb_per_document", "first_crowd_kb_per_document"}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    out = argparse.ArgumentParser(
        prog="scripts/load",
        description="Put load on a Yjs server: edits to many readers (fan-out), many documents "
        "(rooms), moving cursors (awareness), a wave of connections (storm), silence (idle), "
        "what documents weigh in use and asleep (documents), "
        "joins of one large document (join), a reader that stops reading (slow-reader).",
        epilog="A delivery is one update that reached one client other than its author. CPU "
        "figures need --pid; PostgreSQL below that process, or at --postmaster, is shown apart. "
        "Generator core near 1 means that this program was the limit: trust the microseconds.",
    )
    out.add_argument("scenario", nargs="+", choices=[*SCENARIOS, "all"])
    out.add_argument(
        "--url",
        default="http://127.0.0.1:8080",
        help="the server, or a whole WebSocket address with {room} in it (%(default)s)",
    )
    out.add_argument("--dialect", choices=DIALECTS, default=Y_WEBSOCKET, help="(%(default)s)")
    out.add_argument(
        "--token",
        help="access token; without one, a fresh key logs in where "
        "registration is open. '' sends none.",
    )
    out.add_argument("--clients", type=int, help="clients in all")
    out.add_argument("--documents", type=int, help="documents (rooms, storm, idle, documents)")
    out.add_argument("--crowds", type=int, help="crowds, one after the other (documents; 1)")
    out.add_argument("--typists", type=int, help="clients that write (fan-out; 1)")
    out.add_argument(
        "--rate",
        type=float,
        action="append",
        dest="rates",
        help="updates/s in all instead of full speed; for awareness states/s of "
        "each client (5). May be repeated",
    )
    out.add_argument(
        "--saturated", action="store_true", help="full speed as well where --rate is given"
    )
    _more(out)
    return out  # fmt: skip


def _more(out: argparse.ArgumentParser) -> None:
    """The options of few scenarios, and what is measured where."""
    out.add_argument("--edits", type=int, help="edits of the large document (join; 260000)")
    out.add_argument("--trace", help="make the large document from an editing trace instead")
    out.add_argument("--room", help="join this document, which is already there (join)")
    out.add_argument("--new-room", help="name of the document that is made (join)")
    out.add_argument("--window", type=int, help="updates on their way per typist at full speed")
    out.add_argument("--seconds", "--duration", type=float, help="length of a phase (4)")
    out.add_argument("--warm", type=float, dest="warm_s", help="seconds before a phase (1)")
    out.add_argument("--pid", type=int, default=0, help="process of the server, for CPU, memory")
    out.add_argument(
        "--postmaster",
        type=int,
        default=0,
        help="process of PostgreSQL, where it is not below --pid",
    )
    out.add_argument("--cpu", type=int, help="run this program on one core")
    out.add_argument("--json", action="store_true", help="JSON on stdout instead of a table")


def plan_of(name: str, options: argparse.Namespace) -> Plan:
    """The scenario's own size, changed by what the command line says."""
    plan = SCENARIOS[name][1]
    for field in (
        "clients",
        "documents",
        "crowds",
        "typists",
        "window",
        "seconds",
        "warm_s",
        "rates",
        "edits",
        "trace",
        "room",
        "new_room",
    ):
        value = getattr(options, field)
        if value is not None:
            plan = replace(plan, **{field: value})
    return replace(plan, saturated=not options.rates or options.saturated)


def table(name: str, outcome: Outcome, *, with_cpu: bool) -> Table:
    """The figures of one scenario, a column for each phase."""
    shown = {phase: f for phase, f in outcome.items() if phase not in {"before", "totals"}}
    out = Table(title=name, caption=caption(outcome["totals"]), title_justify="left")
    out.add_column("figure")
    for phase in shown:
        out.add_column(phase, justify="right")
    for title, key in ROWS.items():
        if any(f.get(key) for f in shown.values()) and (with_cpu or key not in NEEDS_PID):
            out.add_row(title, *(number(figures.get(key)) for figures in shown.values()))
    return out


def number(value: float | None) -> str:
    """A figure as wide as it is worth."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:g}"


def caption(totals: dict[str, float]) -> str:
    """Losses always; the rest where there is something to say."""
    always = ("lost_deliveries", "doubled_deliveries", "disconnected", "failed")
    parts = [f"{key} {number(totals[key])}" for key in always if key in totals]
    parts += [f"{key} {number(v)}" for key, v in totals.items() if key not in always and v]
    return ", ".join(parts).replace("_", " ")


async def run(names: list[str], options: argparse.Namespace) -> dict[str, Outcome]:
    """Every scenario in turn, each in rooms of its own."""
    token = await asyncio.to_thread(token_or_login, options.url, options.token)
    target = Target(url=options.url, dialect=options.dialect, token=token)
    outcomes = {}
    for name in names:
        scenario = SCENARIOS[name][0]
        stage = Stage(target, Probe(options.pid, options.postmaster))
        outcomes[name] = await scenario(stage, plan_of(name, options))
        gc.unfreeze()
        gc.collect()
    return outcomes


def main() -> int:
    """Run what the command line asks for; 1 when something was lost."""
    options = parser().parse_args()
    names = list(SCENARIOS) if "all" in options.scenario else options.scenario
    if options.cpu is not None:
        os.sched_setaffinity(0, {options.cpu})
    gc.disable()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        outcomes = runner.run(run(names, options))
    if options.json:
        print(json.dumps(outcomes))
    else:
        console = Console()
        for name, outcome in outcomes.items():
            console.print(table(name, outcome, with_cpu=bool(options.pid)))
    lost = sum(
        outcome["totals"].get(key, 0)
        for outcome in outcomes.values()
        for key in ("lost_deliveries", "disconnected", "failed")
    )
    return int(lost > 0)


if __name__ == "__main__":
    sys.exit(main())
