"""`scripts/faults`: what tests/FAULTS.md names, one after the other, with what came of each.

    scripts/faults [T1 T12 ...] [--full] [--list]

While it happens a crowd types at the same server, raw clients of every dialect and real providers.
Of each fault is printed what was acknowledged to it, what of that survived (as a process reads it
that opens the documents anew), and the longest time for which one of them waited for a
confirmation; in the end a table of all. A fault whose tests print no such line has failed.
`--full` is the long form: hundreds of kills, pauses of 30 seconds.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "tests" / "FAULTS.md"
TIMEOUT_S = 3600.0
_ROW = re.compile(r"^\| (T\d+) \| (.+?) \| (.+) \|$")
_ID = re.compile(r"`(tests/[\w/.]+::\w+)`")
_FIGURES = re.compile(
    r"acknowledged (\d+) of (\d+) typed; survived (\d+) of (\d+); longest outage ([\d.]+) s"
)
_END = re.compile(r"^(=|\d+ (passed|failed)|\.+ *\[|bringing up)")


@dataclass(frozen=True)
class Fault:
    """One row of the page."""

    name: str
    what: str
    tests: tuple[str, ...]


@dataclass(frozen=True)
class Figures:
    """What came of the crowds beside one fault."""

    acknowledged: int
    typed: int
    survived: int
    outage_s: float

    @property
    def is_whole(self) -> bool:
        """Whether something was acknowledged and all of it survived."""
        return 0 < self.acknowledged == self.survived

    def __str__(self) -> str:
        return (
            f"{self.acknowledged:,} of {self.typed:,} | {self.survived:,} of "
            f"{self.acknowledged:,} | {self.outage_s:.1f} s"
        )


def faults(page: str) -> list[Fault]:
    """The rows of the page."""
    rows = (_ROW.match(line) for line in page.splitlines())
    return [Fault(row[1], row[2], tuple(_ID.findall(row[3]))) for row in rows if row is not None]


def figures(lines: Iterable[str]) -> Figures | None:
    """The sums of all figures that were told, and the longest outage; None where none was."""
    found = [told for line in lines if (told := _FIGURES.search(line))]
    if not found:
        return None
    acknowledged, typed, survived = (sum(int(one[at]) for one in found) for at in (1, 2, 3))
    return Figures(acknowledged, typed, survived, max(float(one[5]) for one in found))


def run(fault: Fault, *, full: bool) -> tuple[bool, Figures | None]:
    """Run the tests of one fault and print what they told; whether all is well, and the figures."""
    print(f"{fault.name}: {fault.what}", flush=True)
    started = time.monotonic()
    environment = {**os.environ, **({"PLAIT_TEST_FULL": "1"} if full else {})}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pytest", "-q", "-s", "-p", "no:randomly", *fault.tests],
        cwd=ROOT,
        env=environment,
        check=False,
        text=True,
        capture_output=True,
        timeout=TIMEOUT_S,
    )
    # Providers complain there of a server that is away.
    said = done.stdout + (done.stderr if done.returncode else "")
    lines = [line.strip().lstrip(".") for line in said.splitlines()]
    for told in lines:
        if told and (done.returncode or not _END.match(told)) and told[0] != "[":
            print(f"    {told}", flush=True)
    came = figures(lines)
    if came is None:
        print("    no figures: no crowd typed beside it", flush=True)
    is_well = done.returncode == 0 and came is not None and came.is_whole
    verdict = "ok" if is_well else "FAILED"
    print(f"    {verdict}, {time.monotonic() - started:.0f} s", flush=True)
    return is_well, came


def table(came: dict[Fault, tuple[bool, Figures | None]]) -> str:
    """All faults and their figures, as they stand in OPERATIONS.md."""
    rows = ["| | what | acknowledged | survived | longest outage |", "|---|---|---|---|---|"]
    for fault, (is_well, found) in came.items():
        told = found or "- | - | -"
        rows.append(f"| {fault.name} | {fault.what}{'' if is_well else ' FAILED'} | {told} |")
    return "\n".join(rows)


def main() -> int:
    """Exit 0 where nothing was lost, 1 where a test failed or told nothing, 2 for a wrong name."""
    parser = argparse.ArgumentParser(prog="scripts/faults", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("names", nargs="*", help="these only; all by default")
    parser.add_argument("--full", action="store_true", help="the long forms")
    parser.add_argument("--list", action="store_true", help="say what there is")
    chosen = parser.parse_args()
    known = {fault.name: fault for fault in faults(PAGE.read_text("utf-8"))}
    unknown = [name for name in chosen.names if name not in known]
    if unknown:
        parser.error(f"there is no {unknown[0]}; --list says what there is")
    if chosen.list:
        for fault in known.values():
            print(f"{fault.name}: {fault.what}")
        return 0
    wanted = [known[name] for name in chosen.names] or list(known.values())
    came = {fault: run(fault, full=chosen.full) for fault in wanted}
    failed = [fault.name for fault, (is_well, _) in came.items() if not is_well]
    print(table(came))
    print(f"{len(wanted) - len(failed)} of {len(wanted)} faults survived"
          + (f"; not {', '.join(failed)}" if failed else ""))  # fmt: skip
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
