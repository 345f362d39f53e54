"""What pycrdt alone costs for what editors type, and what our engine adds to it.

    python scripts/bench/crdt_floor.py [--updates 20000]

A typist writes letter by letter. Its updates are applied to one document by the bare binding, one
transaction for each or for a batch, and by `crdt.Document` with the check that comes first. CPU in
microseconds per update, the least of five runs; no server, socket or store is near.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pycrdt

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from crdt import structure
from crdt.document import EMPTY_STATE, Document

BATCHES = (1, 16, 100)
RUNS = 5
KEPT = 2000
"""Updates of each run that are not counted: a document that is empty is cheaper than any other."""


def typed(count: int) -> list[bytes]:
    """One update for each letter of a typist who goes to another place now and then."""
    document: pycrdt.Doc[pycrdt.Text] = pycrdt.Doc(client_id=1234567)
    text = document.get("content", type=pycrdt.Text)
    found: list[bytes] = []
    kept = document.observe(lambda event: found.append(event.update))
    place = 0
    for number in range(count):
        place = number * 7919 % (len(str(text)) + 1) if number % 40 == 0 else place + 1
        text.insert(place, chr(97 + number % 26))
    document.unobserve(kept)
    return found


def batches(updates: Sequence[bytes], size: int) -> Iterator[Sequence[bytes]]:
    """The updates in groups as turns of a room bring them."""
    return (updates[at : at + size] for at in range(0, len(updates), size))


def bare(updates: Sequence[bytes], size: int) -> float:
    """Seconds that the binding takes."""
    document: pycrdt.Doc[pycrdt.Text] = pycrdt.Doc(client_id=1)
    with document.transaction():
        for update in updates[:KEPT]:
            document.apply_update(update)
    raw = document._doc  # noqa: SLF001  (as crdt.replica does)
    started = time.process_time()
    for group in batches(updates[KEPT:], size):
        transaction = raw.create_transaction()
        for update in group:
            raw.apply_update(transaction, update)
        transaction.commit()
        transaction.drop()
    return time.process_time() - started


def checked(updates: Sequence[bytes], size: int) -> float:
    """Seconds that ours takes, each update checked before it is applied."""
    document = Document(client_id=1)
    document.apply_turn(updates[:KEPT])
    started = time.process_time()
    for group in batches(updates[KEPT:], size):
        for update in group:
            structure.check(update)
        document.apply_turn(group)
    return time.process_time() - started


def least(work: Callable[[], float], count: int) -> float:
    """Microseconds per update in the best of some runs: the others met somebody else's work."""
    return min(work() for _ in range(RUNS)) / count * 1e6


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="What pycrdt alone costs, and ours above it.")
    parser.add_argument("--updates", type=int, default=20_000)
    updates = typed(KEPT + parser.parse_args().updates)
    count = len(updates) - KEPT
    print("| updates in a turn | pycrdt alone, us | checked and applied by ours, us | ratio |")
    print("|---|---|---|---|")
    for size in BATCHES:
        floor = least(lambda size=size: bare(updates, size), count)  # type: ignore[misc]
        ours = least(lambda size=size: checked(updates, size), count)  # type: ignore[misc]
        print(f"| {size} | {floor:.2f} | {ours:.2f} | {ours / floor:.1f} |")
    whole = Document.rebuild(updates, client_id=1)
    started = time.process_time()
    for _ in range(200):
        whole.diff(EMPTY_STATE)
    spent = (time.process_time() - started) / 200
    print(f"\nThe whole document of {count} letters as one update: {spent * 1e6:.0f} us.")


if __name__ == "__main__":
    main()
