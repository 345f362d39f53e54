"""scripts/replay: play an editing history through real connections and check what came out."""

import argparse
import asyncio
import json
import os
import secrets
import sys

import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from .dialect import DIALECTS, Y_WEBSOCKET, Target
from .ledger import Room
from .login import token_or_login
from .probe import Probe
from .replay import Result, replay
from .replay_plan import prepare
from .store import Stored
from .store import stored as in_store
from .trace import Trace, load_trace

TURN = 1000


def parser() -> argparse.ArgumentParser:
    """The command line."""
    out = argparse.ArgumentParser(
        prog="scripts/replay",
        description="Play an editing history (josephg/editing-traces, .json or .json.gz) through "
        "real connections, and check the final text in every client and in a newcomer. Exits "
        "with 1 when one of them differs.",
        epilog="A sequential history is dealt out in turns: a client types --turn transactions "
        "one after the other without waiting, then the next client goes on as soon as it has "
        "received all of them. A concurrent history is played by its own authors: each "
        "transaction is sent once everything it builds on has arrived. All updates are made "
        "before the first one is sent.",
    )
    out.add_argument("trace", metavar="TRACE")
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
    out.add_argument("--clients", type=int, help="connections (authors of the history, at least 2)")
    out.add_argument("--rate", type=float, default=0.0, help="updates/s (as fast as possible)")
    out.add_argument(
        "--turn",
        type=int,
        default=TURN,
        help="transactions of a turn in a sequential history (%(default)s)",
    )
    _more(out)
    return out  # fmt: skip


def _more(out: argparse.ArgumentParser) -> None:
    """Parts of the history, and what is measured where."""
    out.add_argument("--limit", type=int, help="only so many transactions of the history")
    out.add_argument("--room", help="name of the document (a new one)")
    out.add_argument("--pid", type=int, default=0, help="process of the server, for CPU, memory")
    out.add_argument(
        "--postmaster",
        type=int,
        default=0,
        help="process of PostgreSQL, where it is not below --pid",
    )
    out.add_argument("--cpu", type=int, help="run this program on one core")
    out.add_argument("--json", action="store_true", help="JSON on stdout instead of a table")


def summary(result: Result, stored: Stored | None, options: argparse.Namespace) -> Table:
    """The result for people."""
    table = Table(title=f"{options.trace}", title_justify="left", show_header=False)
    seconds = max(result.seconds, 1e-9)
    rows = {
        "clients": f"{result.clients}",
        "updates": f"{result.updates:,}",
        "time": f"{result.seconds:.2f} s",
        "updates/s": f"{result.updates / seconds:,.0f}",
        "sent": f"{result.sent_bytes:,} bytes",
        "received by all clients": f"{result.received_bytes:,} bytes",
        "acknowledged": f"{result.acknowledged:,}",
        "join of a newcomer": f"{result.join_s * 1000:.1f} ms, {result.join_bytes:,} bytes",
    }
    if stored is not None:
        rows["in the store"] = (
            f"{stored.log_bytes:,} bytes in {stored.log_rows:,} rows of the log, "
            f"{stored.snapshot_bytes:,} bytes of snapshots"
        )
    if options.pid:
        per = 1e6 / max(1, result.updates)
        rows["server CPU"] = f"{result.server_cpu:.2f} s, {result.server_cpu * per:.1f} us/update"
        rows["PostgreSQL CPU"] = (
            f"{result.postgres_cpu:.2f} s, {result.postgres_cpu * per:.1f} us/update"
        )
        rows["server RSS"] = f"{result.rss_mb:.0f} MB"
    if result.refused or result.disconnected:
        rows["refused, disconnected"] = f"{result.refused}, {result.disconnected}"
    rows["final text"] = (
        "differs at " + ", ".join(result.differing)
        if result.differing
        else "the same in every client and in the newcomer, as the history says"
    )
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def expected_text(trace: Trace) -> str:
    """The end of the history, or of the part that is played of a sequential one."""
    if trace.concurrent:
        return trace.end
    text = trace.start
    for transaction in trace.transactions:
        for position, deleted, inserted in transaction.edits:
            text = text[:position] + inserted + text[position + deleted :]
    return text


def play(options: argparse.Namespace, trace: Trace, console: Console) -> Result:
    """Prepare and replay, with bars on stderr."""
    clients = options.clients or max(2, trace.agents)
    bars = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=console,
    )  # fmt: skip
    with bars:
        preparing = bars.add_task("preparing", total=len(trace.transactions))
        steps = prepare(trace, clients, options.turn, lambda done: bars.advance(preparing, done))
        playing = bars.add_task("replaying", total=sum(len(step.updates) for step in steps))
        target = Target(
            url=options.url,
            dialect=options.dialect,
            token=token_or_login(options.url, options.token),
        )
        room = Room(options.room)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(
                replay(
                    target, room, steps, clients, options.rate,
                    Probe(options.pid, options.postmaster),
                    lambda done: bars.advance(playing, done), expected_text(trace),
                )
            )  # fmt: skip


def main() -> int:
    """Replay what the command line names; 1 when a text differs."""
    options = parser().parse_args()
    if options.cpu is not None:
        os.sched_setaffinity(0, {options.cpu})
    try:
        trace = load_trace(options.trace)
    except (OSError, ValueError) as error:
        sys.exit(f"scripts/replay: {error}")
    if options.limit:
        if trace.concurrent:
            sys.exit("scripts/replay: --limit needs a sequential history")
        trace = trace.first(options.limit)
    options.room = options.room or f"replay-{secrets.token_hex(4)}"
    result = play(options, trace, Console(stderr=True))
    stored = in_store(options.pid, options.room) if options.pid else None
    if options.json:
        print(json.dumps({**vars(result), **(stored._asdict() if stored else {})}))
    else:
        Console().print(summary(result, stored, options))
    return int(bool(result.differing))


if __name__ == "__main__":
    sys.exit(main())
