"""The pictures of `growth.py` and `growth_apis.py`: for each row one bar a size."""

from html import escape
from pathlib import Path

from scripts.bench.plot import LABEL, STYLE, WIDTH
from scripts.bench.report import figure

BAR, GAP = 8, 14
Rows = dict[str, dict[str, dict[str, float]]]
"""Figures by size and row."""


def plot(found: Rows) -> str:
    """All rows as SVG, each on a scale of its own: milliseconds of CPU of a request."""
    sizes = list(found)
    names = list(dict.fromkeys(name for size in sizes for name in found[size]))
    high = len(sizes) * BAR + GAP
    high_all = 52 + len(names) * high
    title = "One request with " + " / ".join(f"{int(size):,}" for size in sizes) + " keys"
    legend = "ms of CPU, each row on its own scale; dark: server, light: PostgreSQL"
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {high_all}" role="img">',
        f"<title>{escape(title)}</title>{STYLE}",
        f'<text x="0" y="16" font-weight="600">{escape(title)}</text>',
        f'<text x="0" y="34" class="quiet">{escape(legend)}</text>',
    ]
    for place, name in enumerate(names):
        rows = [found[size][name] for size in sizes if name in found[size]]
        out += _bars(name, [(one["server_ms"], one["postgres_ms"]) for one in rows], place * high)
    return "\n".join([*out, "</svg>"]) + "\n"


def _bars(name: str, parts: list[tuple[float, float]], above: int) -> list[str]:
    """One row: a bar for each size, and the figure of the last."""
    y = 46 + above
    out = [f'<text x="{LABEL - 8}" y="{y + 15}" text-anchor="end">{escape(name)}</text>']
    scale = (WIDTH - LABEL - 80) / max(*map(sum, parts), 1e-9)
    for number, both in enumerate(parts):
        x = float(LABEL)
        for kind, value in zip(("server", "store"), both, strict=True):
            wide = max(0.0, value) * scale
            out.append(
                f'<rect class="{kind}" x="{x:.1f}" y="{y + number * BAR}" '
                f'width="{wide:.1f}" height="{BAR - 1}"/>'
            )
            x += wide
    last = y + (len(parts) - 1) * BAR + 8
    return [*out, f'<text x="{WIDTH - 70}" y="{last}">{figure(sum(parts[-1]))}</text>']


def table(found: Rows) -> str:
    """All rows as Markdown: CPU of server and PostgreSQL, and median, in milliseconds."""
    sizes = list(found)
    head = "".join(f" {int(size):,} | median |" for size in sizes)
    lines = ["| |" + head, "|---|" + "---|" * 2 * len(sizes)]
    for name in dict.fromkeys(name for size in sizes for name in found[size]):
        cells = ""
        for size in sizes:
            one = found[size].get(name)
            cells += (
                f" {one['server_ms']:.1f} + {one['postgres_ms']:.1f} | {one['ms_median']:.1f} |"
                if one
                else " - | - |"
            )
        lines.append(f"| {name} |{cells}")
    return "\n".join(lines) + "\n"


def write(found: Rows, folder: Path, name: str = "growth") -> None:
    """The picture, in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.svg").write_text(plot(found))
