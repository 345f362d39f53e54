"""What a document makes of a history is what Yjs makes of it, in any order, with any restarts."""

import json
import os
import random
import subprocess
from pathlib import Path

import pytest

from crdt import structure
from crdt.document import Document

FULL = os.environ.get("PLAIT_TEST_FULL") == "1"
COUNT = "400" if FULL else "60"
HERE = Path(__file__).parent


def node(*arguments: str, lines: str = "") -> str:
    """Have histories made or judged; what Node says."""
    run = subprocess.run(
        ["node", "histories.mjs", *arguments],
        cwd=HERE,
        input=lines,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def _play(updates: list[bytes], chance: random.Random, *, restarts: bool) -> Document:
    """Apply in turns of any size, perhaps with restarts from what was encoded."""
    document = Document()
    at = 0
    while at < len(updates):
        turn = updates[at : at + chance.randint(1, 20)]
        assert not any(document.apply_turn(turn))
        at += len(turn)
        if restarts and chance.random() < 0.2:
            document = Document.rebuild([document.encode()])
    document.settle()
    return document


def _ways(updates: list[bytes], chance: random.Random) -> list[list[bytes]]:
    """Several ways to hand the whole history to a fresh Yjs, each through a document."""
    shuffled = chance.sample(updates, len(updates))
    missing = set(chance.sample(range(len(updates)), 1 + len(updates) // 8))
    there = [update for index, update in enumerate(updates) if index not in missing]
    late = [update for index, update in enumerate(updates) if index in missing]
    half = there[: chance.randrange(len(there) + 1)]
    gappy = _play(there, chance, restarts=False)
    healed = Document.rebuild([gappy.encode(), *late])
    return [
        [_play(updates, chance, restarts=True).encode()],
        [_play(shuffled, chance, restarts=True).encode()],
        [Document.rebuild(shuffled).encode()],
        [gappy.encode(), *late],
        [*half, gappy.diff(Document.rebuild(half).state_vector()), *late],
        [healed.encode()],
    ]


@pytest.mark.parametrize("seed", range(1, 20_001, 1000) if FULL else [1])
def test_a_document_is_what_yjs_makes_of_its_updates(seed: int) -> None:
    """In order, shuffled, with restarts, with gaps that a joiner or a restart closes later.

    Characters that are cut in two, undo, nested types included: same content, same clocks.
    """
    chance = random.Random(seed)
    histories = [json.loads(line) for line in node("make", str(seed), COUNT).splitlines()]

    lines = []
    for history in histories:
        updates = [bytes.fromhex(update) for update in history["updates"]]
        for update in updates:
            structure.check(update)
        for steps in _ways(updates, chance):
            step_texts = [step.hex() for step in steps]
            lines.append(json.dumps({"steps": step_texts, "content": history["content"]}))

    assert json.loads(node("judge", lines="\n".join(lines))) == []
