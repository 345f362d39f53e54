"""One measurement: the load program on its own core, the server's PostgreSQL counted beside it."""

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field

from scripts._load import store
from scripts._load.dialect import Target

from .rows import Row
from .servers import METRICS_TOKEN, ROOT

Figures = dict[str, float]
TIMEOUT_S = 600.0


@dataclass(kw_only=True)
class Place:
    """A running server as the load program has to be told about it."""

    url: str
    dialect: str
    pid: int = 0
    postmaster: int = 0
    token: str | None = None
    core: int | None = 1
    """Core of the load program."""

    def arguments(self) -> list[str]:
        """The command line for this place."""
        out = ["--url", self.url, "--dialect", self.dialect, "--pid", str(self.pid)]
        out += ["--postmaster", str(self.postmaster), "--json"]
        if self.token is not None:
            out += ["--token", self.token]
        if self.core is not None:
            out += ["--cpu", str(self.core)]
        return out


@dataclass
class Measured:
    """What one run of a row brought; `error` says why there is nothing."""

    phases: dict[str, Figures] = field(default_factory=dict)
    phase: str = ""
    error: str = ""

    @property
    def figures(self) -> Figures:
        """The phase that counts."""
        return self.phases.get(self.phase, {})

    @property
    def totals(self) -> Figures:
        """Losses and memory."""
        return self.phases.get("totals", {})


class LoadFailed(RuntimeError):
    """The load program ended without an answer."""


def load(place: Place, arguments: Sequence[str]) -> dict[str, Figures]:
    """Run scripts/load and read its answer. Raises LoadFailed."""
    command = [sys.executable, "-m", "scripts._load.cli", *arguments, *place.arguments()]
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise LoadFailed("the load program did not come to an end") from error
    lines = done.stdout.decode().splitlines()
    try:
        outcome: dict[str, dict[str, Figures]] = json.loads(lines[-1])
    except (ValueError, IndexError):
        raise LoadFailed(done.stderr.decode()[-1500:]) from None
    return next(iter(outcome.values()))


def measure(place: Place, row: Row, extra: Sequence[str] = ()) -> Measured:
    """One run of a row against a server that is up."""
    before = store.read(place.pid)
    log_before = log_of(place) if before is not None else None
    try:
        phases = load(place, [*row.arguments, *extra])
    except LoadFailed as failure:
        return Measured(error=str(failure))
    if before is not None:
        time.sleep(store.FLUSH_STATISTICS_S)
        after = store.read(place.pid)
        if after is not None:
            done = after.since(before)
            phases["totals"]["fsyncs"] = done.fsyncs
            phases["totals"]["rows"] = done.rows
    if log_before is not None and (log := log_of(place)) is not None:
        rows, commits = (after - before for after, before in zip(log, log_before, strict=True))
        phases["totals"]["rows_per_commit"] = round(rows / commits, 1) if commits else 0
        phases["totals"]["commits"] = commits
    return Measured(phases, row.phase)


def log_of(place: Place) -> tuple[float, float] | None:
    """Updates and commits of the log so far, as our server counts them; None where it is silent."""
    request = urllib.request.Request(  # noqa: S310 - the server under measurement
        f"{Target(url=place.url).origin}/metrics",
        headers={"Authorization": f"Bearer {METRICS_TOKEN}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            lines = answer.read().decode().splitlines()
    except (OSError, ValueError):
        return None
    found = dict(line.rsplit(" ", 1) for line in lines if line.startswith("plait_log_"))
    try:
        return float(found["plait_log_rows_total"]), float(found["plait_log_commits_total"])
    except (KeyError, ValueError):
        return None
