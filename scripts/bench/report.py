"""Figures as lines and tables."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .measure import Measured
from .rows import FLOOR, SUM, Row
from .servers import KINDS

if TYPE_CHECKING:
    from .compare import Bench, Comparison

RATES = {
    "sent_mb": "sent MB",
    "seconds": "s",
    "other_reader_misses": "missed by the other reader",
    "first_crowd_kb_per_document": "first crowd, kb per document",
    "updates_per_s": "upd/s",
    "deliveries_per_s": "del/s",
    "connects_per_s": "conn/s",
    "p50_ms": "p50",
    "p99_ms": "p99",
    "server_core_share": "core",
    "postgres_core_share": "pg core",
    "generator_core_share": "gen",
}
TOTALS = (
    "lost_deliveries", "doubled_deliveries", "disconnected", "failed", "refusals", "text_differs",
    "slow_one_closed", "reader_closed", "writer_closed", "echoes", "acknowledgements",
    "traffic_growth_mb", "rows_per_commit", "commits", "rows", "fsyncs", "rss_mb",
)  # fmt: skip
SAID_OF_NONE = ("rows_per_commit", "commits", "rows", "fsyncs")
"""Nothing is a figure, too, where ours could have stored."""
HEAD = (
    "| against | compared | Plait server | interpreted | PostgreSQL | sum "
    "| sum with asynchronous commit | peer | floor | ratio | to reach | |\n" + "|---" * 12 + "|\n"
)


BEST_HEAD = (
    "| row | best peer of this run | its figure | ours | PostgreSQL | ratio | asked at most | |\n"
    + "|---" * 8 + "|\n"
)  # fmt: skip


def figure(value: float | None) -> str:
    """A figure as wide as it is worth."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def details(measured: Measured) -> str:
    """Rates, latencies, shares of a core, losses."""
    figures, totals = measured.figures, measured.totals
    parts = [f"{title} {figure(figures[key])}" for key, title in RATES.items() if figures.get(key)]
    parts += [
        f"{k.replace('_', ' ')} {figure(totals[k])}"
        for k in TOTALS
        if totals.get(k) or (k in SAID_OF_NONE and k in totals)
    ]
    return "  ".join(parts)


def quick_line(name: str, row: Row, measured: Measured) -> str:
    """One row against one server, on one line."""
    if measured.error:
        return f"{name:12} failed: {measured.error}"
    figures, unit = measured.figures, row.unit
    head = f"{figures.get(unit, 0):8.3f} {unit.replace('_', ' ')}"
    if "sum_" + unit in figures:
        parts = (figures.get(key + unit, 0) for key in ("", "postgres_", "sum_"))
        head = "server {:8.3f}  PostgreSQL {:8.3f}  sum {:8.3f} ".format(*parts)
        head += unit.replace("_", " ")
    return f"{name:12}  {head}  {details(measured)}"


def cell_line(server: str, dialect: str, row: Row, measured: Measured) -> str:
    """One run, while the bench goes on."""
    return quick_line(f"{server} ({dialect})".ljust(40), row, measured)


def verdict(comparison: "Comparison") -> str:
    """Whether everything that is asked of the row is reached."""
    row, figures, ratio = comparison.row, comparison.ours.figures, comparison.ratio()
    asked = (
        (row.most, figures.get(row.unit)),
        (row.p99_ms_most, figures.get("p99_ms")),
        (comparison.against.target, ratio),
    )
    told = [said <= most for most, said in asked if most is not None and said is not None]
    if not told:
        return "-"
    return "reached" if all(told) else "**missed**"


def to_reach(comparison: "Comparison") -> str:
    """What is asked of the row."""
    row, target = comparison.row, comparison.against.target
    parts = [f"<= {target:g}"] if target is not None else []
    parts += [f"<= {row.most:g} by itself"] if row.most is not None else []
    parts += [f"p99 <= {row.p99_ms_most:g} ms"] if row.p99_ms_most is not None else []
    return ", ".join(parts) or "-"


def line(comparison: "Comparison") -> str:
    """One comparison as a line of Markdown."""
    row, against, ours = comparison.row, comparison.against, comparison.ours
    unit, kind = row.unit, KINDS[comparison.against.peer]
    relaxed, floor = comparison.ours_async, comparison.floor
    slow = comparison.ours_interpreted
    cells = (
        kind.title + (" (not durable)" if kind.durability == "not durable" else ""),
        "sum" if against.basis == SUM else "server alone",
        figure(ours.figures.get(unit)),
        figure(slow.figures.get(unit) if slow else None),
        figure(ours.figures.get("postgres_" + unit)),
        figure(ours.figures.get("sum_" + unit)),
        figure(relaxed.figures.get("sum_" + unit) if relaxed else None),
        figure(comparison.peer.figures.get(unit)),
        figure(floor.figures.get(unit) if floor else None),
        figure(comparison.ratio()),
        to_reach(comparison),
        verdict(comparison),
    )
    return "| " + " | ".join(cells) + " |"


def best(comparisons: "Sequence[Comparison]") -> "Comparison | None":
    """The peer that did it for the least, whatever it keeps; None where none has a figure."""
    unit = comparisons[0].row.unit
    able = [one for one in comparisons if unit in one.peer.figures]
    return min(able, key=lambda one: one.peer.figures[unit], default=None)


def best_line(name: str, comparisons: "Sequence[Comparison]") -> str:
    """A row beside the best peer of the run: its own target, or that of the best one before."""
    one, row = best(comparisons), comparisons[0].row
    if one is None:
        return f"| `{name}` | none has a figure |" + " - |" * 6
    target = row.targets[0].target if one.against.target is None else one.against.target
    asked = replace(one, against=replace(one.against, target=target))
    ours, unit = one.ours.figures, row.unit
    cells = (
        f"`{name}`",
        KINDS[one.against.peer].title,
        figure(one.peer.figures[unit]),
        figure(ours.get(unit)),
        _postgres_of(one),
        figure(one.ratio()),
        to_reach(asked),
        verdict(asked),
    )
    return "| " + " | ".join(cells) + " |"


def _postgres_of(comparison: "Comparison") -> str:
    """Our PostgreSQL's share, and whether it is in the ratio."""
    share = comparison.ours.figures.get("postgres_" + comparison.row.unit)
    apart = share is not None and comparison.against.basis != SUM
    return figure(share) + (", apart" if apart else "")


def markdown(bench: "Bench") -> str:
    """All tables."""
    cores = os.cpu_count()
    head = (
        f"Measured on {platform.system()} {platform.release()}, {cores} cores, Python "
        f"{platform.python_version()}; median of {bench.repeat}. One core for the server and its "
        "PostgreSQL, one for the load program.\n"
    )
    measured = {name: those for name, those in bench.comparisons.items() if those}
    out = [head]
    if measured:
        out.append(BEST_HEAD + "\n".join(best_line(*one) for one in measured.items()) + "\n")
    for name, comparisons in measured.items():
        row = comparisons[0].row
        out.append(f"## {row.title}\n\n`{name}`, {row.unit.replace('_', ' ')}\n\n{HEAD}"
                   + "\n".join(map(line, comparisons)) + "\n")  # fmt: skip
        said_already: dict[str, None] = {}
        for comparison in comparisons:
            kind = KINDS[comparison.against.peer]
            word = "compiled" if bench.is_compiled else "interpreted"
            said_already[f"- Plait {word}, {kind.dialect}: {said(comparison.ours)}"] = None
            if (slow := comparison.ours_interpreted) is not None:
                said_already[f"- Plait interpreted, {kind.dialect}: {said(slow)}"] = None
            if (relaxed := comparison.ours_async) is not None:
                told = f"- Plait {word}, {kind.dialect}, synchronous_commit=off: {said(relaxed)}"
                said_already[told] = None
            said_already[f"- {kind.title} ({kind.durability}): {said(comparison.peer)}"] = None
            if comparison.floor is not None:
                said_already[f"- {KINDS[FLOOR].title}: {said(comparison.floor)}"] = None
        out += said_already
        out.append("")
    if bench.kills:
        out.append("## kill -9 while typing\n")
        out += [f"- {result.line()}" for result in bench.kills]
    return "\n".join(out) + "\n"


def said(measured: Measured) -> str:
    """A run's details, or why there are none."""
    return f"failed: {measured.error.splitlines()[-1]}" if measured.error else details(measured)


def write(bench: "Bench", markdown_file: str | None, json_file: str | None) -> None:
    """Print the tables; write them where asked."""
    text = markdown(bench)
    print(text)
    if markdown_file:
        Path(markdown_file).write_text(text)
    if json_file:
        cells = {
            name: [
                {"against": c.against.peer, "ratio": c.ratio(), "ours": c.ours.phases,
                 "peer": c.peer.phases,
                 "ours_interpreted": c.ours_interpreted.phases if c.ours_interpreted else None,
                 "ours_async": c.ours_async.phases if c.ours_async else None,
                 "floor": c.floor.phases if c.floor else None}
                for c in comparisons
            ]
            for name, comparisons in bench.comparisons.items()
        }  # fmt: skip
        kills = [vars(result) for result in bench.kills]
        Path(json_file).write_text(json.dumps({"rows": cells, "kill": kills}, indent=1))
