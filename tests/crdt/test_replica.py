"""Panics and half applied updates: such a document is never used again; the process lives."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycrdt import Doc, Map

from crdt import structure
from crdt.document import Document
from crdt.errors import DocumentBroken, UpdateError
from crdt.merging import merge
from tests.crdt.samples import AB, FULL, C, D, concurrent, examples, insert, text_of

HOME = Path(__file__).parents[2]
PANIC = insert(5, (1 << 31) + 5, "x")
"""Makes pycrdt panic once it has something of client 5; `structure.check` refuses it."""


def _nothing(_: "Doc[Any]") -> None:
    """Change nothing."""


def test_a_panic_names_its_culprit_and_ends_the_document() -> None:
    """Every later call refuses: going on with such a document has killed processes."""
    with pytest.raises(UpdateError):
        structure.check(PANIC)
    document = Document()

    with pytest.raises(DocumentBroken) as caught:
        document.apply_turn([AB, PANIC, C])

    assert caught.value.culprit == 1
    assert document.broken
    calls: list[Callable[[], object]] = [
        document.encode,
        document.state_vector,
        lambda: document.diff(b"\x00"),
        lambda: document.apply_turn([AB]),
        lambda: document.apply_observed(AB),
        lambda: document.edit(_nothing),
        lambda: document.integrated(AB),
        lambda: document.contains(AB),
    ]
    for call in calls:
        with pytest.raises(DocumentBroken):
            call()


def test_what_is_half_applied_ends_the_document() -> None:
    """There is no rolling back: the first of two structs is in, the second cannot stand."""
    half = b"\x01\x02\x06\x00\x04\x01\x01t\x01y\x04\x00\x05\x00\x01x\x00"
    document = Document.rebuild([AB])

    with pytest.raises(DocumentBroken) as caught:
        document.apply_turn([C, half])

    assert caught.value.culprit == 1


def test_a_document_is_rebuilt_from_its_log_without_the_culprit() -> None:
    """And a log that holds one says which row it is."""
    with pytest.raises(DocumentBroken) as caught:
        Document.rebuild([AB, C, PANIC, D])

    assert caught.value.culprit == 2
    assert text_of(Document.rebuild([AB, C, D]).encode()) == "abcd"


def test_a_log_with_a_row_that_is_no_update_is_no_empty_document() -> None:
    """The error is told; it is never served as a blank page."""
    with pytest.raises(UpdateError):
        Document.rebuild([b"\x01\x01\x05"])


def test_an_edit_that_panics_ends_the_document() -> None:
    """A whole number of 70 bits makes pycrdt panic."""

    def write(doc: "Doc[Any]") -> None:
        doc["m"] = numbers = Map()
        numbers["n"] = 2**70

    document = Document()
    with pytest.raises(DocumentBroken):
        document.edit(write)
    assert document.broken


HOSTILE = [(seed, 5_000) for seed in range(0, 60_000, 5_000)] if FULL else [(7, 250)]


@pytest.mark.parametrize(("seed", "sessions"), HOSTILE)
def test_hostile_updates_never_kill_the_process(seed: int, sessions: int) -> None:
    """Mutants that pass the check: after each turn the document encodes, or broke and says so."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.crdt.hostile", str(seed), str(sessions)],
        cwd=HOME,
        env={**os.environ, "RUST_BACKTRACE": "0"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stderr[-2000:]
    counts = json.loads(run.stdout)
    assert counts["sessions"] == sessions
    assert counts["passed"] > 5 * sessions


@given(st.integers(0, 1 << 40))
@examples(30, 2000)
def test_what_is_said_to_be_new_is_what_was_missing(seed: int) -> None:
    """Given to a document of before, it makes of it what the update made of this one."""
    chance = random.Random(seed)
    made = concurrent(seed, steps=20)
    document = Document(client_id=1)
    for at, update in enumerate(made):
        known = merge(made[chance.randrange(at + 1) : at + 1])
        before = document.encode()
        news = document.apply_observed(chance.choice((update, known)))
        assert (news is None) == (document.encode() == before)
        if news is not None:
            other = Document.rebuild([before])
            other.apply_turn([news])
            assert other.same(document)
