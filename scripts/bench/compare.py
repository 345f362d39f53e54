"""Ours and the peers, one after the other, cell by cell."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from scripts._load import store
from scripts._load.login import login

from .kill import KillResult, kill_while_typing
from .measure import LoadFailed, Measured, Place, load, measure
from .report import cell_line
from .rows import FLOOR, SUM, Against, Row
from .servers import KINDS, DidNotStart, Server, interpreted

OURS = "plait"
ASYNC = "plait, synchronous_commit=off"
INTERPRETED = "plait, interpreted"
"""Beside the compiled one; without a build of scripts/compile ours is that anyway."""
KILLED = (
    (OURS, "hocuspocus"), (OURS, "y-websocket"),
    ("y-leveldb", "y-websocket"), ("hocuspocus", "hocuspocus"),
    ("pycrdt-websocket", "y-websocket"),
)  # fmt: skip
LARGE_ROOM = "large-document"


@dataclass
class Comparison:
    """One line of the result: ours, ours with asynchronous commits, the peer's, the ratio."""

    row: Row
    against: Against
    ours: Measured
    ours_async: Measured | None
    peer: Measured
    ours_interpreted: Measured | None = None
    floor: Measured | None = None
    """What hands frames on without documents."""

    def ratio(self, ours: Measured | None = None) -> float | None:
        """Ours divided by the peer's; None where one of them has no figure.

        Memory is that of the servers themselves: there is no sum of it.
        """
        figures, unit = (ours or self.ours).figures, self.row.unit
        mine = figures.get("sum_" + unit if self.against.basis == SUM else unit, figures.get(unit))
        theirs = self.peer.figures.get(unit)
        return round(mine / theirs, 3) if mine is not None and theirs else None


@dataclass(kw_only=True)
class Bench:
    """A run of the whole bench, or of some rows."""

    folder: Path
    repeat: int
    with_async: bool
    is_compiled: bool
    """Whether ours runs compiled; then it is measured interpreted too."""
    peers: Sequence[str] | None
    console: Console
    arguments: Callable[[str], list[str]]
    """What the command line adds to the runs of a row."""
    comparisons: dict[str, list[Comparison]] = field(default_factory=dict)
    kills: list[KillResult] = field(default_factory=list)
    _started: int = 0

    def row(self, name: str, row: Row) -> None:
        """Measure every server that the row needs, in turn, and compare."""
        wanted = [a for a in row.against if self._asked_for(a)]
        cells: dict[tuple[str, str], list[Measured]] = {}
        for against in wanted:
            for server in self._servers(against):
                cells[server, KINDS[against.peer].dialect] = []
        if row.has_floor and wanted:
            cells[FLOOR, KINDS[FLOOR].dialect] = []
        self.console.rule(row.title)
        for _ in range(self.repeat):
            for (server, dialect), runs in cells.items():
                runs.append(self._run(server, dialect, name, row))
                self.console.print(cell_line(server, dialect, row, runs[-1]), highlight=False)
        self.comparisons[name] = [self._compare(row, against, cells) for against in wanted]

    def _asked_for(self, against: Against) -> bool:
        return self.peers is None or against.peer in self.peers

    def _servers(self, against: Against) -> list[str]:
        both = self.with_async and against.basis == SUM
        ours = [OURS, *([INTERPRETED] if self.is_compiled else []), *([ASYNC] if both else [])]
        return [*ours, against.peer]

    def _compare(
        self, row: Row, against: Against, cells: dict[tuple[str, str], list[Measured]]
    ) -> Comparison:
        dialect = KINDS[against.peer].dialect
        relaxed = cells.get((ASYNC, dialect))
        slow = cells.get((INTERPRETED, dialect))
        return Comparison(
            row,
            against,
            median(cells[OURS, dialect], row.unit),
            median(relaxed, row.unit) if relaxed else None,
            median(cells[against.peer, dialect], row.unit),
            median(slow, row.unit) if slow else None,
            median(floor, row.unit)
            if (floor := cells.get((FLOOR, KINDS[FLOOR].dialect)))
            else None,
        )

    def _server(self, name: str) -> Server:
        self._started += 1
        kind = KINDS[OURS if name == INTERPRETED else name]
        if name == INTERPRETED or not self.is_compiled:
            kind = interpreted(kind)
        return Server(kind, self.folder / f"{kind.name}-{self._started}")

    def _run(self, name: str, dialect: str, row_name: str, row: Row) -> Measured:
        server = self._server(OURS if name == ASYNC else name)
        try:
            server.start()
            if name == ASYNC:
                _relax(server)
            place = self._place(server, dialect)
            if not row.restart:
                return measure(place, row, self.arguments(row_name))
            return self._after_restart(server, place, row_name, row)
        except (DidNotStart, LoadFailed, LookupError, OSError) as error:
            return Measured(error=str(error))
        finally:
            server.stop()
            shutil.rmtree(server.folder, ignore_errors=True)

    def _after_restart(self, server: Server, place: Place, row_name: str, row: Row) -> Measured:
        extra = self.arguments(row_name)
        load(place, [*row.arguments, *extra, "--new-room", LARGE_ROOM, "--clients", "1"])
        server.settle()
        server.stop()
        server.start()
        again = self._place(server, place.dialect, place.token)
        return measure(again, row, [*extra, "--room", LARGE_ROOM, "--clients", "1"])

    def _place(self, server: Server, dialect: str, token: str | None = None) -> Place:
        if token is None:
            token = login(server.url).access_token if server.kind.name == OURS else ""
        return Place(url=server.url, dialect=dialect, pid=server.pid, token=token)

    def kill_row(self) -> None:
        """Kill -9 while typing, for every server that stores."""
        self.console.rule("kill -9 while typing")
        for name, dialect in KILLED:
            if name != OURS and self.peers is not None and name not in self.peers:
                continue
            server = self._server(name)
            try:
                server.start()
                result = kill_while_typing(server, self._place(server, dialect))
            except (DidNotStart, OSError) as error:
                result = KillResult(server=name, dialect=dialect, error=str(error))
            finally:
                server.stop()
                shutil.rmtree(server.folder, ignore_errors=True)
            self.kills.append(result)
            self.console.print(result.line(), highlight=False)


def _relax(server: Server) -> None:
    """Start again with commits that wait for no disk. Raises LookupError if they still do."""
    store.relax_commits(server.pid)
    server.stop()
    server.start()
    if store.waits_for_disk(server.pid):
        raise LookupError("commits still wait for the disk")


def median(runs: Sequence[Measured], unit: str) -> Measured:
    """The median run by the figure that counts; the first failure if all failed."""
    good = sorted((r for r in runs if not r.error), key=lambda run: run.figures.get(unit, 0))
    return good[len(good) // 2] if good else runs[0]
