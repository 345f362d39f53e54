"""Two folders under random operations: they become the same, and nothing is lost on the way."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from nacl.signing import SigningKey

from tests.inside import fresh_database
from tests.live import LiveServer
from tests.stories.shelf import Shelf

pytestmark = pytest.mark.xdist_group("processes")

IS_FULL = bool(os.environ.get("PLAIT_TEST_FULL"))
EXAMPLES = 150 if IS_FULL else 6
STEPS = 60 if IS_FULL else 25

FOLDERS = st.sampled_from([0, 1])
BINARIES = st.sampled_from(["a.bin", "b.bin", "in/c.bin", "in/deep/d.bin"])
TEXTS = st.sampled_from(["a.md", "in/b.txt"])
CHANCE = st.integers(0, 1 << 30)


@pytest.fixture(scope="module")
def url(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server for all runs."""
    with asyncio.Runner() as runner:
        database = fresh_database(postgres)
        live = LiveServer(
            tmp_path_factory.mktemp("server"),
            database_url=runner.run(database.__aenter__()),
            shutdown_grace_s=0.2,
            login_attempts_per_minute=100_000,
        ).start()
        yield live.url
        live.kill()
        runner.run(database.__aexit__(None, None, None))


class Folders(RuleBasedStateMachine):
    """Each word is written once; it may go only where somebody who saw it took it away."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp(prefix="plait-folders-"))
        key = SigningKey.generate()
        self.shelves = [Shelf(self.home / name, self.url, key, name) for name in ("p", "q")]
        self.words: set[bytes] = set()
        self.count = 0

    def _word(self) -> bytes:
        self.count += 1
        word = b"word%dx" % self.count
        self.words.add(word)
        return word

    def _taken(self, data: bytes) -> None:
        """Somebody who saw these words took them away."""
        self.words -= {word for word in self.words if word in data}

    def _existing(self, folder: int, chance: int) -> str | None:
        paths = sorted(self.shelves[folder].read())
        return paths[chance % len(paths)] if paths else None

    @rule(folder=FOLDERS, path=BINARIES)
    def save(self, folder: int, path: str) -> None:
        """A file of bytes is made, or replaced whole."""
        shelf = self.shelves[folder]
        self._taken(shelf.read().get(path, b""))
        shelf.write(path, b"\xff" + self._word())

    @rule(folder=FOLDERS, path=TEXTS, chance=CHANCE)
    def type(self, folder: int, path: str, chance: int) -> None:
        """A line comes into a text, or one of it goes."""
        shelf = self.shelves[folder]
        lines = shelf.read().get(path, b"").splitlines(keepends=True)
        if lines and chance % 4 == 0:
            self._taken(lines.pop(chance % len(lines)))
        else:
            lines.insert(chance % (len(lines) + 1), self._word() + b"\n")
        shelf.write(path, b"".join(lines))

    @rule(folder=FOLDERS, chance=CHANCE)
    def delete(self, folder: int, chance: int) -> None:
        """Some file is deleted."""
        path = self._existing(folder, chance)
        if path is not None:
            self._taken(self.shelves[folder].read()[path])
            self.shelves[folder].delete(path)

    @rule(folder=FOLDERS, chance=CHANCE, number=st.integers(0, 3))
    def move(self, folder: int, chance: int, number: int) -> None:
        """Some file gets a name that is free."""
        path = self._existing(folder, chance)
        if path is None:
            return
        new = f"moved{number}/{path.rpartition('/')[2]}"
        if new not in self.shelves[folder].read():
            self.shelves[folder].move(path, new)

    @rule(folder=FOLDERS)
    def sync(self, folder: int) -> None:
        """A round comes to its end."""
        self.shelves[folder].sync()

    @rule(folder=FOLDERS, most=st.integers(0, 40))
    def die(self, folder: int, most: int) -> None:
        """A round ends in the middle of a transfer."""
        shelf = self.shelves[folder]
        shelf.dies_after = most
        shelf.try_sync()
        shelf.dies_after = None

    def teardown(self) -> None:
        """In the end both are the same, and every word is there that nobody took away."""
        try:
            for _ in range(3):
                for shelf in self.shelves:
                    shelf.sync()
            p, q = (shelf.read() for shelf in self.shelves)
            whole = b" ".join(p.values())
            missing = {word for word in self.words if word not in whole}
            assert p == q
            assert not missing, missing
        finally:
            shutil.rmtree(self.home)


def test_two_folders_become_the_same_and_lose_nothing(url: str) -> None:
    """Whatever is done on either side, with rounds that die in between."""
    machine = type("FoldersOfThis", (Folders,), {"url": url})

    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=not IS_FULL,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
