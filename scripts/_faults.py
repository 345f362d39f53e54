"""`scripts/faults`: what tests/FAULTS.md names, one after the other, with what came of each.

    scripts/faults [T1 T12 ...] [--full] [--list]

Of each fault is printed what was acknowledged, what survived, and the longest outage that a client
saw, as far as its tests tell. `--full` is the long form: hundreds of kills, pauses of 30 seconds.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "tests" / "FAULTS.md"
TIMEOUT_S = 3600.0
_ROW = re.compile(r"^\| (T\d+) \| (.+?) \| (.+) \|$")
_ID = re.compile(r"`(tests/[\w/.]+::\w+)`")
_END = re.compile(r"^(=|\d+ (passed|failed)|\.+ *\[|bringing up)")


@dataclass(frozen=True)
class Fault:
    """One row of the page."""

    name: str
    what: str
    tests: tuple[str, ...]


def faults(page: str) -> list[Fault]:
    """The rows of the page."""
    rows = (_ROW.match(line) for line in page.splitlines())
    return [Fault(row[1], row[2], tuple(_ID.findall(row[3]))) for row in rows if row is not None]


def run(fault: Fault, *, full: bool) -> bool:
    """Run the tests of one fault and print what they told; whether all is well."""
    print(f"{fault.name}: {fault.what}", flush=True)
    started = time.monotonic()
    environment = {**os.environ, **({"PLAIT_TEST_FULL": "1"} if full else {})}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pytest", "-q", "-s", "-p", "no:randomly", *fault.tests],
        cwd=ROOT,
        env=environment,
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=TIMEOUT_S,
    )
    for line in done.stdout.splitlines():
        told = line.strip().lstrip(".")
        if told and (done.returncode or not _END.match(told)) and told[0] != "[":
            print(f"    {told}", flush=True)
    verdict = "ok" if done.returncode == 0 else "FAILED"
    print(f"    {verdict}, {time.monotonic() - started:.0f} s", flush=True)
    return done.returncode == 0


def main() -> int:
    """Exit 0 where nothing was lost, 1 where a test failed, 2 for a name that is none."""
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
    failed = [fault.name for fault in wanted if not run(fault, full=chosen.full)]
    print(f"{len(wanted) - len(failed)} of {len(wanted)} faults survived"
          + (f"; not {', '.join(failed)}" if failed else ""))  # fmt: skip
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
