"""Hostile bytes for the decoders: guided by coverage where atheris is installed, else by chance.

A finding is an exception that is not one of the core's own errors, a wrong answer, or the end of
the process. With atheris the input is written to a file `crash-…`; without it, it is printed.
"""

import argparse
import importlib
import importlib.util
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from crdt import awareness, structure, wire
from crdt.document import Document
from crdt.errors import DocumentBroken, UpdateError, WireError
from tests.crdt.hostile import mutate
from tests.crdt.samples import AB, REAL, C, D


def fuzz_y(data: bytes) -> None:
    """A frame of a y-websocket or Y-Sweet client."""
    try:
        message = wire.decode_y(data)
    except WireError:
        message = None
    try:
        messages = wire.decode_y_all(data)
    except WireError:
        messages = []
    assert message is None or messages == [message]


def fuzz_hocuspocus(data: bytes) -> None:
    """A frame of a Hocuspocus client, and of a server."""
    for decode in (wire.decode_hocuspocus, wire.decode_hocuspocus_reply):
        try:
            _, at = wire.read_address(data)
            decode(data, at)
        except WireError:
            continue


def fuzz_awareness(data: bytes) -> None:
    """The payload of an awareness frame."""
    try:
        entries = awareness.decode(data)
    except WireError:
        return
    assert awareness.decode(awareness.encode(entries)) == entries


def fuzz_update(data: bytes) -> None:
    """An update; if it passes the check, a document lives through it."""
    try:
        structure.check(data)
    except UpdateError:
        return
    document = Document.rebuild([AB, C])
    try:
        document.apply_turn([data, D])
        document.encode()
    except DocumentBroken:
        assert document.broken
    else:
        assert not document.broken


TARGETS: dict[str, Callable[[bytes], None]] = {
    "y": fuzz_y,
    "hocuspocus": fuzz_hocuspocus,
    "awareness": fuzz_awareness,
    "update": fuzz_update,
}


def seeds(target: str) -> list[bytes]:
    """Honest input to begin with."""
    frames = [wire.step1(b"\x00"), *(wire.update(update) for update in REAL[:80])]
    frames += [wire.awareness(b"\x01\x01\x01\x02{}"), wire.denied_y("no"), wire.version(b"\x05")]
    messages = [
        *frames,
        wire.auth_token("token", "4.8.0"),
        wire.stateless("{}"),
        wire.close("bye"),
        wire.authenticated("read-write"),
    ]
    return {
        "y": frames,
        "hocuspocus": [wire.address_prefix("doc") + message for message in messages],
        "awareness": [b"\x00", b'\x02\x01\x01\x0d{"user":"\xc3\xa9"}\x02\x05\x04null'],
        "update": REAL,
    }[target]


def by_chance(target: str, seconds: float, seed: int) -> int:
    """Mutate honest input until time is up; answers how many inputs were tried."""
    chance = random.Random(seed)  # noqa: S311  (a finding is to be found again)
    run, corpus = TARGETS[target], seeds(target)
    tried = 0
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        data = mutate(chance.choice(corpus), chance)
        try:
            run(data)
        except BaseException:
            sys.stderr.write(f"finding, seed {seed}, input {tried}: {data.hex()}\n")
            raise
        tried += 1
    return tried


def by_coverage(target: str, seconds: float, seed: int, atheris: Any) -> None:  # noqa: ANN401
    """Let atheris mutate honest input until time is up; it ends the process."""
    atheris.instrument_all()
    with tempfile.TemporaryDirectory() as folder:
        for number, data in enumerate(seeds(target)):
            (Path(folder) / str(number)).write_bytes(data)
        limit = f"-max_total_time={max(1, round(seconds))}"
        atheris.Setup(
            [sys.argv[0], limit, f"-seed={seed}", "-max_len=4096", folder], TARGETS[target]
        )
        atheris.Fuzz()


def main() -> None:
    """Read the options and fuzz."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__)
    parser.add_argument("target", choices=sorted(TARGETS), help="what the bytes are taken for")
    parser.add_argument("--seconds", type=float, default=60, help="how long (default 60)")
    parser.add_argument("--seed", type=int, default=1, help="where chance begins (default 1)")
    parser.add_argument("--chance", action="store_true", help="by chance, atheris or not")
    options = parser.parse_args()
    if not options.chance and importlib.util.find_spec("atheris"):
        atheris = importlib.import_module("atheris")
        by_coverage(options.target, options.seconds, options.seed, atheris)
    else:
        tried = by_chance(options.target, options.seconds, options.seed)
        sys.stdout.write(f"{tried} inputs, no finding\n")


if __name__ == "__main__":
    main()
