"""Pictures of the bench: one row, one bar for each server, as SVG that reads in light and dark."""

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from .report import figure
from .rows import FLOOR
from .servers import KINDS

if TYPE_CHECKING:
    from .compare import Bench, Comparison

WIDTH, LABEL, BAR, GAP = 820, 310, 20, 10
STYLE = """<style>
text { font: 13px system-ui, sans-serif; fill: #1c1c1e }
.quiet { fill: #6e6e73 } .server { fill: #3867d6 } .store { fill: #8faef0 } .peer { fill: #a5a5aa }
.goal { stroke: #c0392b; stroke-width: 2; stroke-dasharray: 4 3 }
@media (prefers-color-scheme: dark) {
  text { fill: #f2f2f7 } .quiet { fill: #a1a1a6 } .server { fill: #6f9bff } .store { fill: #3d5590 }
  .peer { fill: #5c5c60 }
}
</style>"""
Bar = tuple[str, list[tuple[str, float]]]
"""A label, and the parts of its bar by their class."""


def bars(comparisons: "list[Comparison]") -> list[Bar]:
    """Ours in each dialect, the peers, and the floor."""
    found: dict[str, list[tuple[str, float]]] = {}
    unit = comparisons[0].row.unit
    for one in comparisons:
        ours, kind = one.ours.figures, KINDS[one.against.peer]
        found[f"Plait ({kind.dialect})"] = [
            ("server", ours.get(unit, 0.0)),
            ("store", ours.get("postgres_" + unit, 0.0)),
        ]
    for one in comparisons:
        found[KINDS[one.against.peer].title] = [("peer", one.peer.figures.get(unit, 0.0))]
    if (floor := comparisons[0].floor) is not None:
        found[KINDS[FLOOR].title.partition(":")[0]] = [("peer", floor.figures.get(unit, 0.0))]
    return list(found.items())


def goals(comparisons: "list[Comparison]") -> dict[str, list[float]]:
    """How long our bar, or its dark part where a peer stores nothing, may be, by its label."""
    found: dict[str, list[float]] = {}
    for one in comparisons:
        label, target = f"Plait ({KINDS[one.against.peer].dialect})", one.against.target
        peer = one.peer.figures.get(one.row.unit)
        asked = [target * peer] if target is not None and peer else []
        asked += [one.row.most] if one.row.most is not None else []
        for mark in asked:
            if mark not in found.setdefault(label, []):
                found[label].append(mark)
    return found


def plot(comparisons: "list[Comparison]") -> str:
    """One row as SVG."""
    row, rows, marks = comparisons[0].row, bars(comparisons), goals(comparisons)
    asked = [mark for those in marks.values() for mark in those]
    most = max([sum(max(0.0, v) for _, v in parts) for _, parts in rows] + [*asked, 1e-9])
    height = 52 + len(rows) * (BAR + GAP)
    legend = f"{row.unit.replace('_', ' ')}; less is better; dark: server, light: PostgreSQL"
    legend += "; dashes: asked" if marks else ""
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(row.title)}</title>{STYLE}",
        f'<text x="0" y="16" font-weight="600">{escape(row.title)}</text>',
        f'<text x="0" y="34" class="quiet">{escape(legend)}</text>',
    ]
    scale = (WIDTH - LABEL - 80) / most
    for number, (label, parts) in enumerate(rows):
        y, x = 46 + number * (BAR + GAP), float(LABEL)
        out.append(f'<text x="{LABEL - 8}" y="{y + 15}" text-anchor="end">{escape(label)}</text>')
        for kind, value in parts:
            wide = max(0.0, value) * scale
            out.append(
                f'<rect class="{kind}" x="{x:.1f}" y="{y}" width="{wide:.1f}" height="{BAR}"/>'
            )
            x += wide
        total = sum(value for _, value in parts)
        out.append(f'<text x="{x + 6:.1f}" y="{y + 15}">{figure(total)}</text>')
        for mark in marks.get(label, ()):
            at = LABEL + mark * scale
            out.append(f'<path class="goal" d="M{at:.1f} {y - 3}v{BAR + 6}"/>')
    return "\n".join([*out, "</svg>"]) + "\n"


def plot_all(bench: "Bench", folder: Path) -> None:
    """A picture for each row that was measured."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, comparisons in bench.comparisons.items():
        if comparisons:
            (folder / f"{name}.svg").write_text(plot(comparisons))
