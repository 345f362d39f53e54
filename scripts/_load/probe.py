"""CPU time and memory of a server, its children, and the PostgreSQL it uses. Linux only.

CPU is time on the processor from /proc/PID/task/*/schedstat, in seconds. PostgreSQL is counted
apart: every process of the tree called postgres, and the tree of a given postmaster. Helpers and
backends that ended are in what their parent waited for, which the kernel counts in ticks.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


class Cpu(NamedTuple):
    """Seconds on the processor."""

    server: float
    postgres: float

    def since(self, earlier: "Cpu") -> "Cpu":
        """What was used from `earlier` to this."""
        return Cpu(self.server - earlier.server, self.postgres - earlier.postgres)


class Memory(NamedTuple):
    """Mebibytes: resident; with shared pages divided among those who share; of that, of no file.

    Growth is read from the last. In `pss` a library's pages count half as much while another
    process has it loaded, too: ten mebibytes come and go with each helper process.
    """

    rss: float
    pss: float
    own: float


_KINDS = ("Rss", "Pss", "Pss_Anon")
"""What the kernel calls the fields of Memory."""


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; empty when the process is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    return [text[text.index("(") + 1 : text.rindex(")")], *text[text.rindex(")") + 2 :].split()]


def _children() -> dict[int, list[int]]:
    out: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):  # noqa: PTH208 - names only, and read often
        if entry.isdigit():
            stat = _stat(int(entry))
            if stat:
                out.setdefault(int(stat[2]), []).append(int(entry))
    return out


def tree(root: int, children: dict[int, list[int]] | None = None) -> list[int]:
    """A process and everything below it."""
    known = _children() if children is None else children
    out, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        out.append(pid)
        waiting.extend(known.get(pid, ()))
    return out


def _on_cpu(pid: int) -> float:
    total = 0
    try:
        for task in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - as above
            total += int(Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()[0])
    except OSError:
        return total / 1e9
    return total / 1e9


def _ended_children(pid: int) -> float:
    stat = _stat(pid)
    return (int(stat[14]) + int(stat[15])) * TICK_S if stat else 0.0


@dataclass
class Probe:
    """Looks at one server. `pid` 0 means it cannot be seen: everything reads 0.

    `postmaster` is needed only where PostgreSQL is not below `pid`. The trees are looked up anew
    each time that CPU is read: a helper that started meanwhile counts.
    """

    pid: int
    postmaster: int = 0

    def __post_init__(self) -> None:
        self._server: list[int] = []
        self._postgres: list[int] = []
        self.refresh()

    def refresh(self) -> None:
        """Look for new and ended processes."""
        if not self.pid:
            return
        children = _children()
        server = tree(self.pid, children)
        postmaster = tree(self.postmaster, children) if self.postmaster else []
        named = {pid for pid in server if (_stat(pid) or [""])[0].startswith("postgres")}
        self._postgres = sorted(named | set(postmaster))
        self._server = [pid for pid in server if pid not in named and pid not in postmaster]

    def postgres_pids(self) -> list[int]:
        """The processes of PostgreSQL, as of the last `refresh`."""
        return self._postgres

    def cpu(self) -> Cpu:
        """CPU used so far, by all that runs and all that ended."""
        self.refresh()
        ended = sum(_ended_children(pid) for pid in self._roots())
        helpers = sum(map(_ended_children, self._server))
        return Cpu(
            sum(map(_on_cpu, self._server)) + helpers, sum(map(_on_cpu, self._postgres)) + ended
        )

    def _roots(self) -> Iterable[int]:
        inside = set(self._postgres)
        return [
            pid for pid in self._postgres if int((_stat(pid) or ["", "", "0"])[2]) not in inside
        ]

    def memory(self) -> Memory:
        """Memory of the server's own processes, PostgreSQL left out."""
        found = dict.fromkeys(_KINDS, 0)
        for pid in self._server:
            try:
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            except OSError:
                continue
            for line in lines:
                kind, _, size = line.partition(":")
                if kind in found:
                    found[kind] += int(size.split()[0])
        return Memory(*(round(kilobytes / 1024, 2) for kilobytes in found.values()))

    def alive(self) -> bool:
        """The server's first process runs; True where it cannot be seen."""
        stat = _stat(self.pid) if self.pid else ["", "S"]
        return bool(stat) and stat[1] != "Z"


def busy_cores() -> dict[str, float]:
    """Busy seconds per core since boot, of all processes: other people's work shows here."""
    out = {}
    for line in Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name.startswith("cpu") and name != "cpu":
            ticks = list(map(int, fields[:8]))
            out[name] = (sum(ticks[:3]) + ticks[5] + ticks[6] + ticks[7]) * TICK_S
    return out
