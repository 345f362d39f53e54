"""Editing histories in the format of the collection josephg/editing-traces.

Sequential: transactions in order. Concurrent: each transaction names the transactions it was made
on (`parents`) and its author (`agent`); it applies to the merged state of its parents. Positions
are Unicode code points.
"""

import gzip
import json
from dataclasses import dataclass, replace
from pathlib import Path

from .typing_work import Edit


@dataclass(frozen=True)
class Transaction:
    """Edits made at once by one author on the state after `parents` (indices)."""

    edits: tuple[Edit, ...]
    agent: int
    parents: tuple[int, ...]


@dataclass(frozen=True)
class Trace:
    """A history and the text it ends in."""

    start: str
    end: str
    agents: int
    concurrent: bool
    transactions: tuple[Transaction, ...]

    def single_edits(self) -> list[Edit]:
        """All edits in order; meaningful for sequential traces."""
        return [edit for transaction in self.transactions for edit in transaction.edits]

    def first(self, transactions: int) -> "Trace":
        """The beginning of a sequential history; `end` is not known then."""
        return replace(self, transactions=self.transactions[:transactions])


def load_trace(path: str) -> Trace:
    """Read a trace, gzipped or not. ValueError when it is none."""
    raw = Path(path).read_bytes()
    data = json.loads(gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw)
    if not isinstance(data, dict) or "txns" not in data:
        raise ValueError(f"{path} is no editing trace: it has no txns")
    concurrent = data.get("kind") == "concurrent"
    transactions = []
    for index, entry in enumerate(data["txns"]):
        before = (index - 1,) if index else ()
        parents = tuple(entry["parents"]) if concurrent else before
        edits = tuple((at, deleted, text) for at, deleted, text in entry["patches"])
        transactions.append(Transaction(edits, entry.get("agent", 0), parents))
    return Trace(
        start=data.get("startContent", ""),
        end=data["endContent"],
        agents=data.get("numAgents", 1),
        concurrent=concurrent,
        transactions=tuple(transactions),
    )
